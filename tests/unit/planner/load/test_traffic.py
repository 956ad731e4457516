"""Traffic, lengths and service levels, and the exact messages for wrong ones."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.load.lengths import TokenCount, fixed, parse_count, read_dataset
from vllm_eks.planner.load.service_level import Limit, ServiceLevel, parse_limit
from vllm_eks.planner.load.words import TrafficWords, key_name
from vllm_eks.planner.load.workloads import WORKLOADS


def message(call: Callable[[], object]) -> str:
    with pytest.raises(WrongQuestion) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("1s@p90", Limit(seconds=1.0, percentile=90)),
        ("40ms@p50", Limit(seconds=0.04, percentile=50)),
        ("1.5s@p99", Limit(seconds=1.5, percentile=99)),
        ("2min@p1", Limit(seconds=120.0, percentile=1)),
    ],
)
def test_a_limit_is_a_time_at_a_percentile(text: str, limit: Limit) -> None:
    assert parse_limit(text, key="--ttft") == limit


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "--ttft '' is not a time at a percentile: write it like 1s@p90 or 40ms@p50"),
        ("fast", "--ttft 'fast' is not a time at a percentile: write it like 1s@p90 or 40ms@p50"),
        ("-1s@p90", "--ttft '-1s@p90' is not a time at a percentile: write it like 1s@p90 or 40ms@p50"),
        ("1,5s@p90", "--ttft '1,5s@p90' is not a time at a percentile: write it like 1s@p90 or 40ms@p50"),
        ("40@p50", "--ttft '40@p50' has no unit: write 40ms or 40s before the percentile"),
        ("1h@p90", "--ttft '1h@p90': the unit 'h' is not one of ms, s, min"),
        ("1s", "--ttft '1s' has no percentile: write 1s@p90, or another of p1 to p99"),
        ("1s@90", "--ttft '1s@90': the percentile '90' is not one of p1 to p99, such as p90"),
        ("1s@", "--ttft '1s@': the percentile '' is not one of p1 to p99, such as p90"),
        ("1s@mean", "--ttft '1s@mean': the percentile 'mean' is not one of p1 to p99, such as p90"),
        (
            "1s@p99.9",
            "--ttft '1s@p99.9': the percentile p99.9 is not a whole number from p1 to p99: the replay has too few "
            "requests for more",
        ),
        (
            "1s@p100",
            "--ttft '1s@p100': the percentile p100 is not a whole number from p1 to p99: the replay has too few "
            "requests for more",
        ),
        ("0s@p90", "--ttft '0s@p90' must be above 0 and at most 86,400s"),
        ("9999min@p90", "--ttft '9999min@p90' must be above 0 and at most 86,400s"),
    ],
)
def test_a_wrong_limit_names_the_option_and_the_fix(text: str, error: str) -> None:
    assert message(lambda: parse_limit(text, key="--ttft")) == error


def test_a_service_level_is_shown_as_it_is_written() -> None:
    level = ServiceLevel(ttft=Limit(seconds=1.0, percentile=90), itl=Limit(seconds=0.04, percentile=50))

    assert level.label == "TTFT 1s@p90, ITL 40ms@p50"
    assert ServiceLevel().label == "none"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("many", "--input 'many' is not a number of tokens: write 500, or mean:500 if lengths vary"),
        ("1k", "--input '1k' is not a number of tokens: write 500, or mean:500 if lengths vary"),
        ("-5", "--input '-5' is not a number of tokens: write 500, or mean:500 if lengths vary"),
        ("mean:", "--input 'mean:' is not a number of tokens: write 500, or mean:500 if lengths vary"),
        ("0", "--input 0 must be between 1 and 100,000,000 tokens"),
        ("mean:900000000", "--input mean:900000000 must be between 1 and 100,000,000 tokens"),
    ],
)
def test_a_wrong_length_names_the_option_and_the_fix(text: str, error: str) -> None:
    assert message(lambda: parse_count(text, key="--input")) == error


def test_a_fixed_length_is_the_same_for_all_and_a_mean_is_a_mean() -> None:
    random = Random(1)
    around = parse_count("mean:500", key="--input")
    drawn = [around.draw(random.random()) for _ in range(20_000)]

    assert parse_count("500", key="--input") == TokenCount(tokens=500)
    assert {fixed(7, 3).draw(random) for _ in range(5)} == {(7, 3)}
    assert sum(drawn) / len(drawn) == pytest.approx(500, rel=0.02)
    assert max(drawn) <= around.longest < 2200
    assert min(drawn) >= 1
    assert around.label == "mean:500"


def test_a_dataset_gives_its_own_rows(tmp_path: Path) -> None:
    file = tmp_path / "lengths.jsonl"
    file.write_text('{"input": 900, "output": 200}\n\n{"input": 100, "output": 50, "name": "short"}\n')
    lengths = read_dataset(file)

    assert lengths.rows == ((900, 200), (100, 50))
    assert (lengths.input.tokens, lengths.output.tokens) == (500, 125)
    assert lengths.longest_request == 1100
    assert {lengths.draw(Random(seed)) for seed in range(20)} == set(lengths.rows)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", '{file} is empty: write one {{"input": 900, "output": 200}} a line'),
        ("900,200\n", '{file}: line 1 is not JSON: write {{"input": 900, "output": 200}}'),
        ("[900, 200]\n", '{file}: line 1 is not an object: write {{"input": 900, "output": 200}}'),
        (
            '{"input": 9, "output": 2}\n{"inputs": 9, "output": 2}\n',
            "{file}: line 2 has no 'input': name the number of tokens 'input', not 'inputs'",
        ),
        ('{"input": 9}\n', "{file}: line 1 has no 'output': name the number of tokens 'output'"),
        (
            '{"input": 0, "output": 2}\n',
            "{file}: line 1: input 0 is not a number of tokens from 1 to 100,000,000",
        ),
        (
            '{"input": 9, "output": "two"}\n',
            '{file}: line 1: output "two" is not a number of tokens from 1 to 100,000,000',
        ),
        (
            '{"input": true, "output": 2}\n',
            "{file}: line 1: input true is not a number of tokens from 1 to 100,000,000",
        ),
    ],
)
def test_a_wrong_dataset_names_the_line_and_the_fix(tmp_path: Path, text: str, error: str) -> None:
    file = tmp_path / "lengths.jsonl"
    file.write_text(text)

    assert message(lambda: read_dataset(file)) == error.format(file=f"--dataset {file}")


def test_a_missing_dataset_is_named(tmp_path: Path) -> None:
    assert message(lambda: read_dataset(tmp_path / "no")) == f"--dataset {tmp_path / 'no'}: No such file or directory"


CHAT = TrafficWords(requests_per_second=4, input="512", output="128")


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"requests_per_second": None}, "how much load? Use --requests-per-second or --concurrent-users"),
        ({"concurrent_users": 5}, "use either --requests-per-second or --concurrent-users, not both"),
        ({"think_time": "2s"}, "--think-time is for --concurrent-users: requests per second arrive without waiting"),
        ({"requests_per_second": 0}, "--requests-per-second 0 must be above 0 and at most 100,000"),
        ({"requests_per_second": -2}, "--requests-per-second -2 must be above 0 and at most 100,000"),
        ({"requests_per_second": math.nan}, "--requests-per-second nan must be above 0 and at most 100,000"),
        ({"requests_per_second": math.inf}, "--requests-per-second inf must be above 0 and at most 100,000"),
        (
            {"requests_per_second": None, "concurrent_users": 2_000_000},
            "--concurrent-users 2e+06 must be above 0 and at most 1,000,000",
        ),
        (
            {"requests_per_second": None, "concurrent_users": 5, "think_time": "10"},
            "--think-time '10' is not a time: write it like 500ms, 10s or 2min",
        ),
        (
            {"requests_per_second": None, "concurrent_users": 5, "think_time": "10s@p50"},
            "--think-time '10s@p50' is not a time: write it like 500ms, 10s or 2min",
        ),
        (
            {"requests_per_second": None, "concurrent_users": 5, "think_time": "9999min"},
            "--think-time '9999min' must be at most 86,400s",
        ),
        (
            {"input": None, "output": None},
            "how long are requests? Use --input and --output, or --workload, or --dataset",
        ),
        ({"input": None}, "--output needs --input: a request has both"),
        ({"output": None}, "--input needs --output: a request has both"),
        ({"workload": "chat"}, "use either --input and --output or --workload, not both"),
        ({"dataset": Path("x")}, "use either --input and --output or --dataset, not both"),
        ({"shared_prefix": -1}, "--shared-prefix -1 must be 0 or more tokens"),
        (
            {"shared_prefix": 512},
            "--shared-prefix 512 is not below the input of 512 tokens: the shared prefix is part of each input",
        ),
    ],
)
def test_wrong_traffic_names_the_option_and_the_fix(changed: dict[str, Any], error: str) -> None:
    assert message(lambda: replace(CHAT, **changed).traffic()) == error


def test_a_stack_file_has_its_own_names() -> None:
    wrong = replace(CHAT, shared_prefix=600)

    assert message(lambda: wrong.traffic(key_name)).startswith("sharedPrefix 600 is not below the input")
    assert message(lambda: replace(CHAT, ttft="fast").level(key_name)).startswith("ttft 'fast' is not a time")


def test_a_workload_brings_its_shared_prefix_unless_another_is_given() -> None:
    agent = TrafficWords(concurrent_users=10, think_time="500ms", workload="agent")

    assert (agent.traffic().shared_prefix_tokens, agent.traffic().think_seconds) == (5072, 0.5)
    assert replace(agent, shared_prefix=0).traffic().shared_prefix_tokens == 0


def test_traffic_says_its_load() -> None:
    assert CHAT.traffic().load_label == "4 requests/s"
    assert replace(CHAT, requests_per_second=None, concurrent_users=200).traffic().load_label == "200 users"
    assert CHAT.traffic().at(2.5).load == 2.5


def test_each_workload_states_its_source() -> None:
    assert list(WORKLOADS) == ["chat", "rag", "code", "summary", "agent"]
    for workload in WORKLOADS.values():
        assert workload.source
        assert workload.shared_prefix_tokens < workload.input_tokens
