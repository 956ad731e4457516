"""`vllm-eks size`: the answer, its JSON, the plot, and wrong questions."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.support.json_paths import json_paths
from tests.support.plan_command import Ask, runner_of, sizer_of
from vllm_eks.cli.views.size_json import SIZE_KEYS

MODEL = "Qwen/Qwen3-8B"
CHAT = (MODEL, "--requests-per-second", "4", "--workload", "chat", "--family", "gr6")
ASKED = (*CHAT, "--ttft", "1s@p90", "--itl", "100ms@p50", "--headroom", "10%")


@pytest.fixture
def size(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run the command in this process."""
    return sizer_of(capsys, monkeypatch)


def answered(size: Ask, *arguments: str) -> dict[str, Any]:
    return json.loads(size(*arguments, "--json").stdout)


def test_the_answer_is_one_line_then_tables_with_a_line_for_each_candidate_and_a_plot(size: Ask) -> None:
    answer = size(*ASKED)
    lines = answer.stdout.splitlines()
    tables = [number for number, line in enumerate(lines) if line.startswith("a  ")]
    rows = sum(bool(re.match("[a-f]  ", line)) for line in lines) // 3

    assert (answer.returncode, answer.stderr) == (0, "")
    assert re.fullmatch(r"recommended: \d+ x \S+ \(\$[\d.,]+/h\), TP=\d PP=1, \d+ replicas?", lines[0])
    assert lines[1] == f"for {MODEL}: 4 requests/s, about 512 input and 256 output tokens"
    assert lines[2] == "service level: TTFT 1s@p90, ITL 100ms@p50, headroom 10%"
    assert lines[4].split() == "machines TP x PP replicas seqs context USD/h label".split()
    assert lines[tables[1] - 2] == "at 4 requests/s:"
    assert lines[tables[1] - 1].split() == "TTFT p50/p90/p99 ITL p50/p90/p99 KV tokens/s USD/Mtok".split()
    assert lines[tables[2] - 2] == "largest load within the service level:"
    assert lines[tables[2] - 1].split() == "requests/s (range) tokens/s (range) USD/Mtok then limited by".split()
    assert len(tables) == 3
    assert 1 <= rows <= 6
    assert "TTFT p90 against load" in lines
    assert any(
        re.fullmatch(r"a(, [bc])*: the machines above; \^: 4 requests/s; -: limit of 1s", line) for line in lines
    )
    assert lines[-1] == "USD: us-east-1, on demand, Linux, list prices of 2026-07-20"


def test_no_line_of_a_table_or_the_plot_is_wider_than_80_columns(size: Ask) -> None:
    for question in (ASKED, (*CHAT, "--region", "eu-central-2")):
        lines = size(*question).stdout.splitlines()
        end = next(number for number, line in enumerate(lines) if line.startswith("label: "))

        assert max(map(len, lines[3 : end - 1])) <= 80


def test_spot_says_that_the_price_is_on_demand(size: Ask) -> None:
    lines = size(*CHAT, "--spot").stdout.splitlines()

    assert re.match(r"recommended: \d+ x \S+ \(\$[\d.,]+/h on demand\), ", lines[0])
    assert lines[-1] == (
        "USD: us-east-1, on demand, Linux, list prices of 2026-07-20; spot capacity costs less, and its price varies"
    )


def test_an_unknown_price_is_unknown_everywhere_and_the_price_for_ranking_is_named_once(size: Ask) -> None:
    asked = (*CHAT, "--region", "eu-central-2")
    lines, answer = size(*asked).stdout.splitlines(), answered(size, *asked)
    costs = [row["cost"] for row in answer["candidates"]]
    listed = ", ".join(
        f"{letter} {cost['reference_usd_per_hour']:,.2f}" for letter, cost in zip("abcdef", costs, strict=False)
    )

    assert re.match(r"recommended: \d+ x \S+ \(price unknown\), ", lines[0])
    assert all(cost["usd_per_hour"] is cost["usd_per_million_tokens"] is None for cost in costs)
    assert [line.count("unknown") for line in lines if line.startswith("a  ")] == [1, 1, 1]
    assert lines[-1] == (
        f"USD: unknown in eu-central-2; ranked by USD/h in us-east-1: {listed}; "
        "vllm-eks catalog refresh --region eu-central-2 asks AWS"
    )
    assert answer["price_date"] is None


def test_answers_of_one_token_have_no_time_between_tokens(size: Ask) -> None:
    asked = (MODEL, "--requests-per-second", "4", "--input", "500", "--output", "1", "--family", "gr6")
    rows = [line for line in size(*asked).stdout.splitlines() if line.startswith("a  ")]

    assert rows[1].split()[2] == "none"
    assert answered(size, *asked)["candidates"][0]["itl_seconds"] == {
        "p50": None,
        "p90": None,
        "p99": None,
        "p50_range": None,
    }


def test_every_key_of_an_answer_is_described_and_no_other(size: Ask) -> None:
    answer = answered(size, *CHAT)
    paths = json_paths(answer, SIZE_KEYS)

    described = [key for key in SIZE_KEYS if not key.startswith("candidates.")]
    assert list(paths) == described
    rows = answer["candidates"]
    assert {key for row in rows for key in row} == {
        key.partition(".")[2] for key in SIZE_KEYS if key.startswith("candidates.")
    }


def test_the_recommended_row_is_first_and_within_the_service_level(size: Ask) -> None:
    answer = answered(size, *ASKED)
    first = answer["candidates"][0]

    assert answer["met"] is True
    assert answer["recommended"] == first["instance"]["type"]
    for row in answer["candidates"]:
        assert row["ttft_seconds"]["p90"] <= 1.0
        assert row["itl_seconds"]["p50"] <= 0.1
        assert row["requests_per_second_when_full"]["best"] >= 4
        assert row["label"] in ("measured", "derived", "estimated")


def test_prices_add_up(size: Ask) -> None:
    for row in answered(size, *CHAT)["candidates"]:
        tokens = row["output_tokens_per_second"] * 3600 / 1e6
        full = row["output_tokens_per_second_when_full"]["best"] * 3600 / 1e6

        assert row["cost"]["usd_per_million_tokens"] * tokens == pytest.approx(row["cost"]["usd_per_hour"])
        assert row["cost"]["usd_per_million_tokens_when_full"] * full == pytest.approx(row["cost"]["usd_per_hour"])


def test_a_family_and_a_number_of_nodes_bound_the_machines(size: Ask) -> None:
    rows = answered(size, *CHAT, "--max-nodes", "4")["candidates"]

    assert {row["instance"]["type"].partition(".")[0] for row in rows} == {"gr6"}
    assert all(row["nodes"] <= 4 for row in rows)


def test_headroom_is_load_that_must_fit_too(size: Ask) -> None:
    rows = answered(size, *CHAT, "--headroom", "100%")["candidates"]

    assert all(row["requests_per_second_when_full"]["best"] >= 8 for row in rows)


def test_no_machine_meets_it_so_the_nearest_service_level_is_named(size: Ask) -> None:
    answer = size(*CHAT, "--ttft", "1ms@p90", "--itl", "500ms@p50")
    lines = answer.stderr.splitlines()
    asked, shown = "TTFT 1ms@p90, ITL 500ms@p50", answer.stdout.splitlines()

    assert answer.returncode == 3
    assert lines[0] == (
        f"no machine serves 4 requests/s, about 512 input and 256 output tokens within {asked}, with any number of "
        "replicas"
    )
    found = re.fullmatch(r"nearest service level: (TTFT [\d.]+m?s@p90 on \d+ x \S+ \(.+\), TP=.+)", lines[1])
    assert found
    nearest = found[1].partition(" on ")[0]
    assert shown[0] == f"no machine meets {asked}; nearest: {nearest}"
    assert "largest load within the nearest service level:" in shown
    assert shown[2] == f"service level: {asked}; the machines below meet {nearest}, ITL 500ms@p50"
    assert answered(size, *CHAT, "--ttft", "1ms@p90")["nearest_service_level"]["ttft"]["seconds"] > 0.001


def test_too_few_nodes_are_named_with_how_many_are_needed_and_what_they_serve(size: Ask) -> None:
    asked = (MODEL, "--requests-per-second", "5000", *CHAT[3:], "--max-nodes", "1")
    text = "5,000 requests/s, about 512 input and 256 output tokens"
    free, limited = size(*asked), size(*asked, "--ttft", "900ms@p90")
    impossible = size(*asked, "--ttft", "1ms@p90")
    largest = r"[\d.]+ requests/s \([\d.]+ to [\d.]+\) on 1 x gr6\.\S+ \(\$[\d.]+/h\), TP=1 PP=1, 1 replica"

    assert {free.returncode, limited.returncode, impossible.returncode} == {3}
    assert re.fullmatch(
        rf"no machines serve {text}: at least [\d,]+ x \S+ are needed, and --max-nodes is 1\n"
        rf"largest load on the allowed nodes: {largest}\n",
        free.stderr,
    )
    assert re.fullmatch(
        rf"no machines serve {text} within TTFT 900ms@p90: at least [\d,]+ x \S+ are needed, and --max-nodes is 1\n"
        rf"largest load on the allowed nodes within TTFT 900ms@p90: {largest}\n",
        limited.stderr,
    )
    assert re.fullmatch(
        rf"no machine serves {text} within TTFT 1ms@p90, with any number of replicas\n"
        rf"largest load on the allowed nodes: {largest}, without TTFT 1ms@p90\n",
        impossible.stderr,
    )
    answer = answered(size, *asked, "--ttft", "900ms@p90")
    assert answer["least_nodes"] > 1
    assert answer["least_nodes_instance_type"].startswith("gr6.")
    assert answer["largest_load"]["within_service_level"] is True
    assert answer["largest_load"]["machines"]["ttft_seconds"]["p90"] <= 0.9
    assert answer["largest_load"]["machines"]["nodes"] == 1


def test_a_load_that_few_nodes_hold_at_a_nearer_level_names_it(size: Ask) -> None:
    asked = (MODEL, "--requests-per-second", "0.5", *CHAT[3:], "--max-nodes", "1", "--itl", "10ms@p50")
    answer = size(*asked)

    assert answer.returncode == 3
    assert answer.stderr.splitlines()[1].startswith("nearest service level: ITL ")


def test_a_model_that_fits_nothing_names_the_command_that_shows_why(size: Ask) -> None:
    answer = size("deepseek-ai/DeepSeek-V3", *CHAT[1:-2], "--family", "g6f", "--json")

    assert answer.returncode == 3
    assert json.loads(answer.stdout)["candidates"] == []
    assert answer.stderr == (
        "deepseek-ai/DeepSeek-V3 fits no instance type of family g6f: vllm-eks plan "
        "deepseek-ai/DeepSeek-V3 shows the reasons\n"
    )


def test_the_plot_is_svg_with_a_curve_for_each_candidate(size: Ask, tmp_path: Path) -> None:
    file = tmp_path / "load.svg"
    answer = size(*CHAT, "--ttft", "1s@p90", "--plot", str(file), "--json")
    curves = min(3, len(json.loads(answer.stdout)["candidates"]))
    drawn = ElementTree.fromstring(file.read_text())

    assert len(drawn.findall("{*}polyline")) == curves
    assert "service level 1s" in [text.text for text in drawn.findall("{*}text")]


def test_the_same_question_has_the_same_answer_whatever_the_order_of_its_options(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    size = runner_of("size", capsys, monkeypatch)  # computes each answer
    load = ("--concurrent-users", "50", "--think-time", "5s", *CHAT[-2:])
    lengths = ("--workload", "rag", "--shared-prefix", "400")

    assert size(MODEL, *load, *lengths).stdout == size(MODEL, *lengths, *load).stdout
