"""The replay gives each request the tokens that vLLM's own scheduler gives it, step by step."""

import json
import math
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.planner.load.replay import replay
from vllm_eks.planner.load.replayed import Request
from vllm_eks.planner.load.scheduler import EngineSizes

RUNS = Path(__file__).parents[3] / "data" / "scheduler_runs"
"""Made by tests/scheduler_runs/make_runs.py: Scheduler and AsyncScheduler of each version, with 60 drawn loads."""


class Listed:
    """Arrivals that a list gives."""

    def __init__(self, rows: list[tuple[float, int, int]]) -> None:
        self.rows = deque(enumerate(rows))

    @property
    def next_seconds(self) -> float:
        return self.rows[0][1][0] if self.rows else math.inf

    def take(self) -> Request:
        number, (arrival, read, written) = self.rows.popleft()
        return Request(number=number, arrival=arrival, prompt_tokens=read, output_tokens=written)

    def finished(self, seconds: float) -> None:
        pass


def one_second(**_batch: float) -> float:
    return 1.0


def steps_of(case: dict[str, Any]) -> list[list[tuple[int, int]]]:
    steps: list[list[tuple[int, int]]] = []
    replay(
        Listed(case["requests"]),
        EngineSizes(
            max_num_seqs=case["max_num_seqs"],
            max_num_batched_tokens=case["max_num_batched_tokens"],
            blocks=case["blocks"],
            prefix_caching=case["prefix_caching"],
            steps_in_flight=case["steps_in_flight"],
        ),
        one_second,
        measured=len(case["requests"]) + 1,
        shared_prefix_tokens=case["shared_prefix_tokens"],
        trace=lambda equal, tokens: steps.extend([list(tokens.items())] * equal),
    )
    return steps


@pytest.mark.parametrize("version", sorted(file.stem for file in RUNS.glob("*.json")))
def test_each_step_has_the_tokens_of_vllms_scheduler_in_its_order(version: str) -> None:
    runs = json.loads((RUNS / f"{version}.json").read_text())

    assert runs["vllm"] == version
    assert len(runs["cases"]) == 60
    for case in runs["cases"]:
        expected = [
            [(number, tokens) for number, tokens in step] for equal, step in case["steps"] for _ in range(equal)
        ]
        assert steps_of(case) == expected, {key: case[key] for key in case if key != "steps"}


def test_the_runs_have_preemptions_prefix_hits_and_split_prompts() -> None:
    cases = json.loads((RUNS / "0.27.0.json").read_text())["cases"]

    def prompt_tokens(case: dict[str, Any], number: int) -> list[int]:
        tokens = (dict(map(tuple, step)).get(number, 0) for _, step in case["steps"])
        return [count for count in tokens if count > 1]

    split = preempted = hits = 0
    for case in cases:
        for number, (_, read, written) in enumerate(case["requests"]):
            total = sum(equal * dict(map(tuple, step)).get(number, 0) for equal, step in case["steps"])
            preempted += total > read + written - 1
            hits += total < read + written - 1
            split += len(prompt_tokens(case, number)) > 1
    assert (split > 100, preempted > 20, hits > 100) == (True, True, True)


def test_at_least_one_token_of_a_prompt_is_computed() -> None:
    case = {
        "max_num_seqs": 4,
        "max_num_batched_tokens": 64,
        "blocks": 20,
        "prefix_caching": True,
        "steps_in_flight": 1,
        "shared_prefix_tokens": 48,
        "requests": [(0.0, 48, 1), (5.0, 48, 1)],
    }

    assert steps_of(case) == [[(0, 48)], [(1, 16)]]
