"""Traffic and service level from words, and the exact messages of wrong ones, all of them at once."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.errors import WrongQuestion, bounded
from vllm_eks.planner.load.reading import read_words, traffic_and_level
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.words import TrafficWords, key_name, option_name

CHAT = TrafficWords(requests_per_second=4, input="512", output="128")
USERS = replace(CHAT, requests_per_second=None, concurrent_users=5)


def traffic(words: TrafficWords) -> Traffic:
    return traffic_and_level(words)[0]


def errors(words: TrafficWords) -> list[str]:
    return [bounded(error.named(option_name)) for error in read_words(words, option_name).errors]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            replace(CHAT, requests_per_second=None),
            "how much load? Use --requests-per-second or --concurrent-users",
        ),
        (
            replace(CHAT, concurrent_users=5),
            "use either --requests-per-second or --concurrent-users, not both",
        ),
        (
            replace(CHAT, think_time="2s"),
            "--think-time is for --concurrent-users: requests arrive without waiting",
        ),
        (
            replace(CHAT, requests_per_second="fast"),
            "--requests-per-second 'fast' is not a number: write one such as 4 or 0.5",
        ),
        (
            replace(CHAT, requests_per_second="1_000"),
            "--requests-per-second '1_000' is not a number: write one such as 4 or 0.5",
        ),
        (
            replace(CHAT, requests_per_second=math.nan),
            "--requests-per-second nan is not a number: write one such as 4 or 0.5",
        ),
        (
            replace(CHAT, requests_per_second="0"),
            "--requests-per-second 0 must be from 0.000001 to 100,000 requests a second",
        ),
        (
            replace(CHAT, requests_per_second="-2"),
            "--requests-per-second -2 must be from 0.000001 to 100,000 requests a second",
        ),
        (
            replace(CHAT, requests_per_second="inf"),
            "--requests-per-second inf must be from 0.000001 to 100,000 requests a second",
        ),
        (
            replace(CHAT, requests_per_second="2e6"),
            "--requests-per-second 2e6 must be from 0.000001 to 100,000 requests a second",
        ),
        (
            replace(CHAT, requests_per_second=1e-9),
            "--requests-per-second 0.000000001 must be from 0.000001 to 100,000 requests a second",
        ),
        (
            replace(USERS, concurrent_users="2.5"),
            "--concurrent-users '2.5' is not a whole number: write one such as 200",
        ),
        (
            replace(USERS, concurrent_users="0"),
            "--concurrent-users 0 must be from 1 to 1,000,000 users",
        ),
        (
            replace(USERS, concurrent_users=2_000_000),
            "--concurrent-users 2,000,000 must be from 1 to 1,000,000 users",
        ),
        (
            replace(USERS, concurrent_users="9" * 5000),
            f"--concurrent-users {'9' * 120}... must be from 1 to 1,000,000 users",
        ),
        (
            replace(USERS, think_time="10"),
            "--think-time '10' is not a time: write it like 500ms, 10s or 2min",
        ),
        (
            replace(USERS, think_time="10s@p50"),
            "--think-time '10s@p50' is not a time: write it like 500ms, 10s or 2min",
        ),
        (
            replace(USERS, think_time="9999min"),
            "--think-time '9999min' must be at most 86400s",
        ),
        (
            replace(CHAT, input=None, output=None),
            "how long are requests? Use --input and --output, or --workload, or --dataset",
        ),
        (replace(CHAT, input=None), "--output needs --input: a request has both"),
        (replace(CHAT, output=None), "--input needs --output: a request has both"),
        (replace(CHAT, input=""), "--input '' is not a number of tokens: write 500, or mean:500 if lengths vary"),
        (replace(CHAT, output="9" * 40), f"--output {'9' * 40} must be between 1 and 100,000,000 tokens"),
        (replace(CHAT, workload="chat"), "use either --input and --output or --workload, not both"),
        (replace(CHAT, dataset=Path("x")), "use either --input and --output or --dataset, not both"),
        (
            replace(CHAT, workload="chat", dataset=Path("x")),
            "use only one of --input and --output, --workload, --dataset",
        ),
        (
            replace(CHAT, input=None, output=None, workload="Chats"),
            "--workload 'Chats' is not one of chat, rag, code, summary, agent; did you mean chat?",
        ),
        (replace(CHAT, shared_prefix="-1"), "--shared-prefix -1 must be 0 or more tokens"),
        (
            replace(CHAT, shared_prefix="half"),
            "--shared-prefix 'half' is not a whole number of tokens: write one such as 300",
        ),
        (
            replace(CHAT, shared_prefix=512),
            "--shared-prefix 512 is not below the input of 512 tokens: the shared prefix is part of each input",
        ),
        (
            replace(CHAT, output="1", itl="40ms@p50"),
            "--itl '40ms@p50': answers of one token have no time between tokens: remove it",
        ),
        (replace(CHAT, ttft="1s"), "--ttft '1s' has no percentile: write 1s@p90, or another of p1 to p99"),
    ],
)
def test_wrong_traffic_names_the_option_and_the_fix(words: TrafficWords, error: str) -> None:
    assert errors(words) == [error]


def test_all_errors_are_reported_at_once() -> None:
    words = TrafficWords(
        requests_per_second="fast",
        concurrent_users="0",
        think_time="soon",
        input="many",
        workload="talk",
        shared_prefix="-1",
        ttft="1s",
        itl="40@p50",
        e2e="1h@p50",
    )

    assert errors(words) == [
        "use either --requests-per-second or --concurrent-users, not both",
        "--requests-per-second 'fast' is not a number: write one such as 4 or 0.5",
        "--concurrent-users 0 must be from 1 to 1,000,000 users",
        "--think-time 'soon' is not a time: write it like 500ms, 10s or 2min",
        "use either --input and --output or --workload, not both",
        "--input needs --output: a request has both",
        "--input 'many' is not a number of tokens: write 500, or mean:500 if lengths vary",
        "--workload 'talk' is not one of chat, rag, code, summary, agent",
        "--shared-prefix -1 must be 0 or more tokens",
        "--ttft '1s' has no percentile: write 1s@p90, or another of p1 to p99",
        "--itl '40@p50' has no unit: write 40ms or 40s before the percentile",
        "--e2e '1h@p50': the unit 'h' is not one of ms, s, min",
    ]
    with pytest.raises(WrongQuestion) as caught:
        traffic(words)
    assert str(caught.value) == "\n  ".join(["12 errors:", *errors(words)])


def test_a_prefix_must_be_shorter_than_the_shortest_input_of_a_dataset(tmp_path: Path) -> None:
    file = tmp_path / "lengths.jsonl"
    file.write_text('{"input": 900, "output": 1}\n{"input": 100, "output": 1}\n')
    words = TrafficWords(requests_per_second=4, dataset=file, shared_prefix=300, itl="40ms@p50")

    assert errors(words) == [
        "--shared-prefix 300 is not below the shortest input of 100 tokens: the shared prefix is part of each input",
        "--itl '40ms@p50': answers of one token have no time between tokens: remove it",
    ]


def test_a_stack_file_has_its_own_names() -> None:
    words: dict[str, Any] = {"shared_prefix": 600, "think_time": "2s"}
    found = read_words(replace(CHAT, **words), key_name).errors

    assert [(key_name(error.name), error.text) for error in found] == [
        ("thinkTime", "is for concurrentUsers: requests arrive without waiting")
    ]
    (prefix,) = read_words(replace(CHAT, shared_prefix=600), key_name).errors
    assert prefix.named(key_name).startswith("sharedPrefix 600 is not below the input of 512 tokens")


def test_a_value_that_is_there_but_unreadable_is_not_called_missing() -> None:
    words = TrafficWords(itl="40@p50", unreadable=frozenset({"requests_per_second", "workload"}))

    assert errors(words) == ["--itl '40@p50' has no unit: write 40ms or 40s before the percentile"]


def test_a_workload_brings_its_shared_prefix_unless_another_is_given() -> None:
    agent = TrafficWords(concurrent_users="10", think_time="500ms", workload="agent")

    assert (traffic(agent).shared_prefix_tokens, traffic(agent).think_seconds) == (5072, 0.5)
    assert traffic(replace(agent, shared_prefix="0")).shared_prefix_tokens == 0


def test_traffic_says_its_load() -> None:
    assert traffic(CHAT).load_label == "4 requests/s"
    assert traffic(replace(USERS, concurrent_users=200)).load_label == "200 users"
    assert traffic(CHAT).at(2.5).load == 2.5
