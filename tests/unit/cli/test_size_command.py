"""`vllm-eks size`: the answer, its JSON, the plot, and wrong questions."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.support.json_paths import json_paths
from tests.support.plan_command import ROOT, Ask, runner_of
from vllm_eks.cli.views.size_json import SIZE_KEYS

MODEL = "Qwen/Qwen3-8B"
CHAT = (MODEL, "--requests-per-second", "4", "--workload", "chat", "--family", "gr6")


@pytest.fixture
def size(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run the command in this process."""
    return runner_of("size", capsys, monkeypatch)


def answered(size: Ask, *arguments: str) -> dict[str, Any]:
    return json.loads(size(*arguments, "--json").stdout)


def test_the_answer_has_the_machines_a_row_for_each_candidate_and_a_plot(size: Ask) -> None:
    answer = size(*CHAT, "--ttft", "1s@p90", "--itl", "100ms@p50")
    lines = answer.stdout.splitlines()

    assert (answer.returncode, answer.stderr) == (0, "")
    assert lines[0] == f"{MODEL}: 4 requests/s, about 512 input and 256 output tokens"
    assert lines[1] == "service level: TTFT 1s@p90, ITL 100ms@p50"
    assert re.fullmatch(r"recommended: \d+ x \S+ \(\$[\d.]+/h\), TP=\d PP=1, \d+ replicas?", lines[2])
    assert re.fullmatch(r"most load: [\d.]+ requests/s \([\d.]+ to [\d.]+\), then .+", lines[3])
    assert (
        lines[4].split()
        == (
            "machines TP x PP replicas seqs context TTFT p50/p90/p99 ITL p50/p90/p99 KV tokens/s most load limit USD/h "
            "USD/Mtok when full label"
        ).split()
    )
    assert "TTFT p90 against load" in lines
    assert "-: service level, TTFT p90 1s" in lines
    assert "^: 4 requests/s" in lines
    assert sum(line.startswith("        0 +") for line in lines) == 1


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
    answer = answered(size, *CHAT, "--ttft", "1s@p90", "--itl", "100ms@p50")
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

    assert answer.returncode == 3
    assert lines[0] == (
        "no machine serves 4 requests/s, about 512 input and 256 output tokens within TTFT 1ms@p90, ITL 500ms@p50, "
        "with any number of replicas"
    )
    assert re.fullmatch(r"nearest service level: TTFT [\d.]+m?s@p90 on \d+ x \S+ \(.+\), TP=.+", lines[1])
    assert answered(size, *CHAT, "--ttft", "1ms@p90")["nearest_service_level"]["ttft"]["seconds"] > 0.001


def test_too_few_nodes_are_named_with_how_many_are_needed(size: Ask) -> None:
    answer = size(MODEL, "--requests-per-second", "5000", *CHAT[3:], "--max-nodes", "1")

    assert answer.returncode == 3
    assert re.fullmatch(
        r"no machines serve 5,000 requests/s, about 512 input and 256 output tokens: at least [\d,]+ x \S+ are needed, "
        r"and --max-nodes is 1\n",
        answer.stderr,
    )


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
    answer = size(*CHAT[:-1], "g6e", "--ttft", "1s@p90", "--plot", str(file), "--json")
    curves = min(3, len(json.loads(answer.stdout)["candidates"]))
    drawn = ElementTree.fromstring(file.read_text())

    assert len(drawn.findall("{*}polyline")) == curves
    assert "service level 1s" in [text.text for text in drawn.findall("{*}text")]


def test_the_same_question_has_the_same_answer(size: Ask) -> None:
    users = (
        MODEL,
        "--concurrent-users",
        "50",
        "--think-time",
        "5s",
        "--workload",
        "rag",
        "--shared-prefix",
        "400",
        *CHAT[-2:],
    )

    assert size(*users).stdout == size(*users).stdout


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (("--workload", "chat"), "how much load? Use --requests-per-second or --concurrent-users"),
        (("--concurrent-users", "5"), "how long are requests? Use --input and --output, or --workload, or --dataset"),
        (
            ("--concurrent-users", "5", "--workload", "chat", "--headroom", "much"),
            "--headroom 'much' is not a percentage: write it like 20%",
        ),
        (
            ("--concurrent-users", "5", "--workload", "chat", "--headroom", "-5%"),
            "--headroom -5% must be from 0% to 900%",
        ),
        (
            ("--concurrent-users", "5", "--workload", "chat", "--family", "g6x"),
            "--family 'g6x' is not in the catalogue; did you mean g6 or gr6 or g6f?",
        ),
        (
            ("--concurrent-users", "5", "--workload", "chat", "--region", "mars"),
            "--region: 'mars' is not a region: use one such as us-west-2",
        ),
        (
            ("--concurrent-users", "5", "--workload", "chat", "--plot", "load.png"),
            "--plot load.png: the file is written as SVG: use a name that ends in .svg",
        ),
        (
            ("--concurrent-users", "5", "--workload", "chat", "--family", "gr6", "--plot", "/no/where.svg"),
            "--plot /no/where.svg: No such file or directory",
        ),
        (
            ("--concurrent-users", "5", "--input", "40000", "--output", "2000"),
            "Qwen/Qwen3-8B takes at most 40,960 tokens, and the longest request has 42,000 input and output tokens: "
            "use shorter requests",
        ),
        (
            ("--concurrent-users", "5", "--input", "mean:20000", "--output", "10"),
            "Qwen/Qwen3-8B takes at most 40,960 tokens, and the longest request has 86,462 input and output tokens: "
            "use lower mean lengths",
        ),
        (
            ("--concurrent-users", "5", "--workload", "chat", "--vllm-version", "x"),
            "vLLM version 'x' must look like \"0.21.0\"",
        ),
        (
            ("--concurrent-users", "5", "--workload", "chat", "--write", "dev"),
            "--write dev: Pulumi.dev.yaml is for us-west-2, and the prices are those of us-east-1: add --region "
            "us-west-2",
        ),
        (
            ("--concurrent-users", "5", "--workload", "chat", "--write", "nowhere"),
            "there is no Pulumi.nowhere.yaml in {root}: the stacks here are dev, prod",
        ),
    ],
)
def test_a_wrong_question_is_one_line_with_the_fix(size: Ask, args: tuple[str, ...], error: str) -> None:
    answer = size(MODEL, *args)

    assert (answer.returncode, answer.stderr.rstrip("\n")) == (2, f"vllm-eks: {error.format(root=ROOT)}")


def test_values_of_another_kind_are_refused_by_name(size: Ask) -> None:
    assert "'--requests-per-second': 'fast' is not a valid float" in size(MODEL, "--requests-per-second", "fast").stderr
    assert "'--workload': 'talk' is not one of 'chat', 'rag'" in size(MODEL, "--workload", "talk").stderr
    assert "'--max-nodes': 0 is not in the range x>=1" in size(*CHAT, "--max-nodes", "0").stderr
