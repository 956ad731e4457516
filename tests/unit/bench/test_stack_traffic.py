"""The options of a benchmark, completed by the stack's own traffic."""

import json
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.bench.stack_traffic import combined, stated_words, traffic_of
from vllm_eks.errors import WrongQuestion
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


@pytest.mark.parametrize(
    ("given", "error"),
    [
        (
            TrafficWords(),
            "how much load? Use --requests-per-second or --concurrent-users, with --input and --output, or set "
            "models.scout.traffic in Pulumi.dev.yaml",
        ),
        (
            TrafficWords(input="9", output="9"),
            "how much load? Use --requests-per-second or --concurrent-users, or set models.scout.traffic in "
            "Pulumi.dev.yaml",
        ),
        (
            TrafficWords(concurrent_users="8", ttft=None),
            "how long are requests? Use --input and --output, or set models.scout.traffic in Pulumi.dev.yaml",
        ),
        (
            TrafficWords(concurrent_users="0", input="many", output="9"),
            "2 errors:\n  --concurrent-users 0 must be from 1 to 1,000,000 users\n  --input 'many' is not a number of "
            "tokens: write 500, or mean:500 if lengths vary",
        ),
    ],
)
def test_what_is_missing_is_named_with_the_options_of_bench(given: TrafficWords, error: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        traffic_of(given, file(None), "scout", Path())
    assert str(caught.value) == error


def test_a_dataset_of_the_stack_is_beside_its_file(tmp_path: Path) -> None:
    (tmp_path / "lengths.jsonl").write_text('{"input": 900, "output": 100}\n{"input": 100, "output": 50}\n')
    traffic = traffic_of(TrafficWords(), file({"concurrentUsers": 8, "dataset": "lengths.jsonl"}), "scout", tmp_path)

    assert (traffic.lengths.input.tokens, traffic.lengths.output.tokens) == (500, 75)
