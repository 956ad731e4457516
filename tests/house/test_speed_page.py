"""The page about speed has the constants and the example that the code has."""

import json
import re
from pathlib import Path
from typing import Any

from tests.support.speed import speed_of
from vllm_eks.planner.speed.constants import SPEED
from vllm_eks.planner.speed.steady import Lengths, Limits, steady_state
from vllm_eks.planner.speed.step_batch import StepBatch

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "speed.md").read_text()
EXAMPLE = Lengths(input_tokens=1024, output_tokens=256)


CONSTANT = re.compile(r"^\| `([^`]+)` \| ([\d.]+)(?: µs)? \| .* \| (\d+) of ", re.MULTILINE)
FITTED, SET = (CONSTANT.findall(part) for part in PAGE.split("The others are round numbers"))


def test_the_page_lists_every_constant_with_its_value_and_rows() -> None:
    document = json.loads(SPEED.read_text())
    said = {name: (float(value), int(rows)) for name, value, rows in (*FITTED, *SET)}

    assert said == {name: (_value(document, name), of["count"]) for name, of in document["rows"].items()}


def test_the_page_tells_the_constants_that_are_fitted_from_those_that_are_set() -> None:
    assert [name for name, _, _ in FITTED] == json.loads(SPEED.read_text())["fitted"]


def _value(document: dict[str, Any], name: str) -> float:
    group, _, rest = name.partition(".")
    if not rest:
        return document[group]
    if rest in document[group]:
        return document[group][rest]
    kind, _, last = rest.partition(".")
    return document[group][kind][last]


def test_the_example_has_the_numbers_of_the_model() -> None:
    speed = speed_of("meta-llama/Llama-3.1-8B-Instruct", "g6.xlarge")
    batch = StepBatch(decoding_requests=16, decoding_context_tokens=16 * 1152)
    prompt = StepBatch(
        decoding_requests=16,
        decoding_context_tokens=16 * 1152,
        prompt_tokens=1024,
        prompt_context_tokens=1024 * 512,
        prompts=1,
    )
    limits = Limits(max_num_seqs=256, max_num_batched_tokens=2048, kv_tokens=28_000)
    found = steady_state(speed, concurrency=16, lengths=EXAMPLE, limits=limits)

    assert f"| **{1e3 * speed.step_seconds(batch):.1f}** | **step** |" in PAGE
    assert f"one more prompt takes {1e3 * speed.step_seconds(prompt):.1f} ms" in PAGE
    assert f"= {1e3 * found.tpot_seconds.best:.1f} ms." in PAGE
    assert f"TTFT is {1e3 * found.ttft_seconds.best:.0f} ms" in PAGE
    assert f"= {found.output_tokens_per_second.best:.0f} tokens per second." in PAGE
