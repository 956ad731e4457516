"""Every value in the text of `vllm-eks size` is in its JSON."""

import json
import re

import pytest

from tests.support.plan_command import Ask, sizer_of
from vllm_eks.planner.load.service_level import duration

QUESTIONS = (
    ("Qwen/Qwen3-8B", "--requests-per-second", "4", "--workload", "chat", "--family", "gr6", "--ttft", "1s@p90"),
    (
        *("meta-llama/Llama-3.1-8B-Instruct", "--concurrent-users", "30", "--think-time", "1500ms", "--input", "700"),
        *("--output", "90", "--shared-prefix", "200", "--e2e", "9s@p99", "--headroom", "15%", "--family", "p4d"),
        "--spot",
    ),
    ("Qwen/Qwen3-8B", "--requests-per-second", "4", "--workload", "chat", "--family", "gr6", "--itl", "3ms@p50"),
)
NUMBER = re.compile(r"(?<![\w.-])\d[\d,]*(?:\.\d+)?(?:ms|s|%)?(?![\w-])")
WORDS = {"50", "90", "99", "400"}
"""Of headings, and the requests of a replay."""
ABOVE_P99 = "; 4 of its 400 requests are above p99, which therefore varies by chance"


@pytest.fixture
def size(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    return sizer_of(capsys, monkeypatch)


def numbers(value: object) -> set[float]:
    """Return the numbers in a JSON value."""
    if isinstance(value, dict):
        return {number for part in value.values() for number in numbers(part)}
    if isinstance(value, list):
        return {number for part in value for number in numbers(part)}
    return {float(value)} if isinstance(value, int | float) and not isinstance(value, bool) else set()


def is_shown(text: str, values: set[float]) -> bool:
    """Return whether a number in text is one of the values, rounded as the text is."""
    plain = text.replace(",", "")
    unit = {"ms": 1000.0, "s": 1.0, "%": 100.0}.get(plain.lstrip("0123456789."), 1.0)
    digits = plain.rstrip("ms%")
    places = len(digits.partition(".")[2])
    return any(
        abs(value * unit - float(digits)) <= 0.51 * 10**-places
        or (float(digits) and abs(value * unit / float(digits) - 1) < 0.006)
        for value in values
    )


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_value_of_the_text_is_in_the_json(size: Ask, question: tuple[str, ...]) -> None:
    text, answer = size(*question).stdout, json.loads(size(*question, "--json").stdout)
    values = numbers(answer)
    tables, _, rest = text.partition(" against load\n")
    notes = re.sub(r"^measurements of .*$", "", rest.partition("the machines above")[2], flags=re.MULTILINE)
    shown = {word for word in NUMBER.findall(tables + notes) if word not in WORDS}
    types = set(re.findall(r"\w+\.\w*(?:xlarge|metal)", tables))

    assert (ABOVE_P99 in " ".join(notes.split())) is ("9s@p99" in question)
    assert len(shown) > 20
    assert {word for word in shown if not is_shown(word, values)} == set()
    assert types == {row["instance"]["type"] for row in answer["candidates"]}
    assert answer["model"]["id"] in tables
    assert f"USD: {answer['region']}, on demand, Linux, list prices of {answer['price_date']}" in notes


def test_every_label_range_and_row_id_of_the_text_is_in_the_json(size: Ask) -> None:
    question = QUESTIONS[1]
    text, answer = size(*question).stdout, json.loads(size(*question, "--json").stdout)
    rows = answer["candidates"]
    heads = [line for line in text.splitlines() if re.match("[a-f]  ", line)]
    first, full = heads[: len(rows)], heads[2 * len(rows) :]

    assert [line.split()[-1] for line in first] == [row["label"] for row in rows]
    assert any(row["row_ids"] for row in rows)
    for letter, row, line in zip("abcdef", rows, full, strict=False):
        users, tokens = row["users_when_full_range"], row["output_tokens_per_second_when_full"]
        ranges = re.findall(r"([\d,.]+) \(([\d,.]+) to ([\d,.]+)\)", line)
        for found, expected in zip(ranges, (users, tokens), strict=True):
            for shown, key in zip(found, ("best", "low", "high"), strict=True):
                assert float(shown.replace(",", "")) == pytest.approx(expected[key], rel=0.006, abs=0.5)
        ids = row["row_ids"]
        measured = re.search(rf"^measurements of {letter}: (.*?)( and (\d+) more \(--json\))?$", text, re.MULTILINE)
        assert bool(measured) is bool(ids)
        if measured:
            assert measured[1].split(", ") == ids[:3]
            assert int(measured[3] or 0) == max(0, len(ids) - 3)
    assert duration(rows[0]["ttft_seconds"]["p50"]) in text
