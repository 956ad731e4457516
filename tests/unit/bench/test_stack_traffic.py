"""The options of a benchmark, completed by the stack's own traffic."""

import json
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.bench.stack_traffic import combined, stated_words
from vllm_eks.planner.load.words import TrafficWords
from vllm_eks.stack_files.stack_file import StackFile

STATED = TrafficWords(requests_per_second=4.0, workload="chat", shared_prefix=300)


def file(traffic: dict[str, Any] | None) -> StackFile:
    model = {"model": "Qwen/Qwen3-8B", **({"traffic": traffic} if traffic else {})}
    config = {"p:models": json.dumps({"scout": model})}
    return StackFile(project="p", stack="dev", config=config, secret_keys=[], environments=())


@pytest.mark.parametrize(
    ("traffic", "words"),
    [
        (None, TrafficWords()),
        ({"requestsPerSecond": 4, "workload": "chat", "sharedPrefix": 300, "ttft": "1s@p90"}, STATED),
        (
            {"concurrentUsers": 200, "thinkTime": "20s", "input": 500, "output": "mean:200"},
            TrafficWords(concurrent_users=200, think_time="20s", input="500", output="mean:200"),
        ),
        (
            {"concurrentUsers": 8, "dataset": "lengths.jsonl"},
            TrafficWords(concurrent_users=8, dataset=Path("lengths.jsonl")),
        ),
    ],
)
def test_the_traffic_of_a_stack_is_read_in_the_words_of_size(
    traffic: dict[str, Any] | None, words: TrafficWords
) -> None:
    assert stated_words(file(traffic), "scout", Path()) == words
    assert stated_words(file(traffic), "other", Path()) == TrafficWords()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (TrafficWords(), STATED),
        (
            TrafficWords(concurrent_users=8),
            TrafficWords(concurrent_users=8, workload="chat", shared_prefix=300),
        ),
        (
            TrafficWords(input="900", output="90"),
            TrafficWords(requests_per_second=4.0, input="900", output="90"),
        ),
        (
            TrafficWords(shared_prefix=0),
            TrafficWords(requests_per_second=4.0, workload="chat", shared_prefix=0),
        ),
    ],
)
def test_an_option_replaces_all_that_the_stack_says_about_its_subject(given: TrafficWords, words: TrafficWords) -> None:
    assert combined(given, STATED) == words


def test_an_option_for_users_also_replaces_their_think_time() -> None:
    thinking = TrafficWords(concurrent_users=200, think_time="20s", workload="chat")
    assert combined(TrafficWords(concurrent_users=8), thinking).think_time is None
