"""Traffic, lengths and service levels, and the exact messages for wrong ones."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.load.dataset import read_dataset
from vllm_eks.planner.load.lengths import TokenCount, fixed, parse_count
from vllm_eks.planner.load.service_level import Limit, ServiceLevel, duration, duration_in_words, parse_limit, written
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
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "'' is not a time at a percentile: write it like 1s@p90 or 40ms@p50"),
        ("fast", "'fast' is not a time at a percentile: write it like 1s@p90 or 40ms@p50"),
        ("-1s@p90", "'-1s@p90' is not a time at a percentile: write it like 1s@p90 or 40ms@p50"),
        ("1,5s@p90", "'1,5s@p90' is not a time at a percentile: write it like 1s@p90 or 40ms@p50"),
        ("40@p50", "'40@p50' has no unit: write 40ms or 40s before the percentile"),
        ("1h@p90", "'1h@p90': the unit 'h' is not one of ms, s, min"),
        ("1s", "'1s' has no percentile: write 1s@p90, or another of p1 to p99"),
        ("1s@90", "'1s@90': the percentile '90' is not one of p1 to p99, such as p90"),
        ("1s@", "'1s@': the percentile '' is not one of p1 to p99, such as p90"),
        ("1s@mean", "'1s@mean': the percentile 'mean' is not one of p1 to p99, such as p90"),
        (
            "1s@p99.9",
            "'1s@p99.9': the percentile p99.9 is not a whole number from p1 to p99: the replay has too few "
            "requests for more",
        ),
        (
            "1s@p100",
            "'1s@p100': the percentile p100 is not a whole number from p1 to p99: the replay has too few "
            "requests for more",
        ),
        ("0s@p90", "'0s@p90' must be from 0.01ms to 86400s"),
        ("9999min@p90", "'9999min@p90' must be from 0.01ms to 86400s"),
    ],
)
def test_a_wrong_limit_names_the_option_and_the_fix(text: str, error: str) -> None:
    assert message(lambda: parse_limit(text)) == error


def test_a_service_level_is_shown_as_it_is_written() -> None:
    level = ServiceLevel(ttft=Limit(seconds=1.0, percentile=90), itl=Limit(seconds=0.04, percentile=50))

    assert level.label == "TTFT 1s@p90, ITL 40ms@p50"
    assert ServiceLevel().label == "none"


@pytest.mark.parametrize(
    ("seconds", "text", "words"),
    [
        (0.0001234, "0.123ms", "0.12 ms"),
        (0.04, "40ms", "40 ms"),
        (0.9996, "0.9996s", "1 s"),
        (0.99999, "1s", "1 s"),
        (1.5, "1.5s", "1.5 s"),
        (90.0, "90s", "90 s"),
        (12_346.0, "12350s", "12,000 s"),
        (86_400.0, "86400s", "86,000 s"),
    ],
)
def test_a_time_is_shown_as_an_option_takes_it_and_in_words(seconds: float, text: str, words: str) -> None:
    assert (duration(seconds), duration_in_words(seconds)) == (text, words)
    assert parse_limit(f"{text}@p90").seconds == pytest.approx(seconds, rel=0.005)
    assert parse_limit(f"{written(seconds)}@p90").seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("many", "'many' is not a number of tokens: write 500, or mean:500 if lengths vary"),
        ("1k", "'1k' is not a number of tokens: write 500, or mean:500 if lengths vary"),
        ("-5", "'-5' is not a number of tokens: write 500, or mean:500 if lengths vary"),
        ("mean:", "'mean:' is not a number of tokens: write 500, or mean:500 if lengths vary"),
        ("0", "0 must be between 1 and 100,000,000 tokens"),
        ("mean:900000000", "mean:900000000 must be between 1 and 100,000,000 tokens"),
    ],
)
def test_a_wrong_length_names_the_option_and_the_fix(text: str, error: str) -> None:
    assert message(lambda: parse_count(text)) == error


def test_a_fixed_length_is_the_same_for_all_and_a_mean_is_a_mean() -> None:
    random = Random(1)
    around = parse_count("mean:500")
    drawn = [around.draw(random.random()) for _ in range(20_000)]

    assert parse_count("500") == TokenCount(tokens=500)
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


NOT_JSON = 'is not JSON: write {{"input": 900, "output": 200}}'


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
            "{file}: line 1: input 0 is not a whole number of tokens from 1 to 100,000,000",
        ),
        (
            '{"input": 9, "output": "two"}\n',
            '{file}: line 1: output "two" is not a whole number of tokens from 1 to 100,000,000',
        ),
        (
            '{"input": true, "output": 2}\n',
            "{file}: line 1: input true is not a whole number of tokens from 1 to 100,000,000",
        ),
        (
            '{"input": 9e2, "output": 2}\n',
            "{file}: line 1: input 9e2 is not a whole number of tokens from 1 to 100,000,000",
        ),
        (
            '{"input": 9.50, "output": NaN}\n',
            "{file}: line 1: input 9.50 is not a whole number of tokens from 1 to 100,000,000",
        ),
        (
            '{"input": null, "output": 1}\n',
            "{file}: line 1: input null is not a whole number of tokens from 1 to 100,000,000",
        ),
        (
            f'{{"input": {"9" * 31}, "output": 1}}\n',
            f"{{file}}: line 1: input {'9' * 31} is not a whole number of tokens from 1 to 100,000,000",
        ),
        (
            "a\n{}\n" + '{"input": 9, "output": 2}\n' + "b\n" * 5,
            f"{{file}}: line 1 {NOT_JSON}; line 2 has no 'input': name the number of tokens 'input'; "
            f"line 4 {NOT_JSON}; line 5 {NOT_JSON}; line 6 {NOT_JSON}; and 2 more lines",
        ),
    ],
)
def test_a_wrong_dataset_names_the_line_and_the_fix(tmp_path: Path, text: str, error: str) -> None:
    file = tmp_path / "lengths.jsonl"
    file.write_text(text)

    assert message(lambda: read_dataset(file)) == error.format(file=file)


def test_a_missing_dataset_is_named(tmp_path: Path) -> None:
    assert message(lambda: read_dataset(tmp_path / "no")) == f"{tmp_path / 'no'}: No such file or directory"


def test_each_workload_states_its_source() -> None:
    assert list(WORKLOADS) == ["chat", "rag", "code", "summary", "agent"]
    for workload in WORKLOADS.values():
        assert workload.source
        assert workload.shared_prefix_tokens < workload.input_tokens
