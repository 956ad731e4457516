"""`vllm-eks bench` as a command: the real program plans the stack, and a cluster in memory runs the Job."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.bench_cluster import FakeCluster, JobRun, group, node
from tests.support.previews import ROOT
from vllm_eks.bench.stop_signal import stopped_by_sigterm
from vllm_eks.cli.bench import Access, chosen, run_bench, run_calibration
from vllm_eks.cli.main import main
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.load.words import TrafficWords
from vllm_eks.preview.recording import Recording

GIVEN = TrafficWords(concurrent_users=32, input="1024", output="256")
ARGS = [
    *("RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16", "--served-model-name", "llama-4-scout"),
    *("--tensor-parallel-size", "8", "--pipeline-parallel-size", "1", "--max-model-len", "16384"),
]
SCOUT = group("llama-4-scout", args=ARGS, instance_type="g5.48xlarge")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, recorded_stack: Callable[[str], Recording]) -> FakeCluster:
    """The cluster of the dev stack. Its program runs once for all tests."""
    made = FakeCluster(SCOUT, nodes=[node("system-a")])
    monkeypatch.setattr("vllm_eks.bench.writing_api.WritingApi", lambda *_: made)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("vllm_eks.cli.preview._run", lambda _, file: recorded_stack(file.stack))
    return made


def test_the_table_has_measured_beside_predicted(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "bench.json"
    assert run_bench(ROOT, "dev", None, GIVEN, Access(save=saved)) == 0

    out, progress = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == (
        "llama-4-scout: RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16 on g5.48xlarge, TP=8 PP=1, vLLM "
        "0.27.0, 1 replica"
    )
    assert lines[1] == "256 requests, 32 concurrent users, 1024 input tokens, 256 output tokens"
    assert lines[2].split() == "measured predicted range ratio".split()
    means = {line[:27].strip(): line[27:].split() for line in lines[3:9]}
    assert list(means) == [
        *("output tokens/s", "requests/s", "time to first token, ms", "time per output token, ms"),
        *("inter-token latency, ms", "whole answer, ms"),
    ]
    measured = json.loads(saved.read_text())["result"]
    assert means["requests/s"][0] == f"{measured['request_throughput']:,.2f}"
    assert means["whole answer, ms"] == [f"{measured['mean_e2el_ms']:,.1f}"]
    # Each percentile with its prediction in brackets.
    assert lines[10].split() == "milliseconds (predicted) p50 p90 p99".split()
    rows = {line[:24].strip(): line[24:].split() for line in lines[11:15]}
    assert list(rows) == ["time to first token", "time per output token", "inter-token latency", "whole answer"]
    assert all(cell[0] + cell[-1] == "()" for cell in rows["whole answer"][1::2])
    assert rows["whole answer"][::2] == [
        f"{measured[name]:,.1f}" for name in ("p50_e2el_ms", "p90_e2el_ms", "p99_e2el_ms")
    ]
    assert max(map(len, lines[2:15])) <= 80
    assert re.fullmatch(r"predicted: (measured|derived|estimated), limited by .+", lines[16])
    assert lines[-1] == f"saved in {saved}; correct the predictions with --calibrate {saved}"
    first, second = progress.splitlines()
    assert first == f"llama-4-scout: {lines[1]}"
    assert second.endswith(" s] running")


def test_json_has_the_same_numbers_with_their_ranges(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "bench.json"
    run_bench(ROOT, "dev", None, GIVEN, Access(save=saved), json_wanted=True)

    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert shown["model"] == "llama-4-scout"
    assert set(shown["predicted"]["tpot_seconds"]) == {"low", "best", "high"}
    assert shown["measured"]["tpot_seconds"]["mean"] == json.loads(saved.read_text())["result"]["mean_tpot_ms"] / 1000


def test_without_another_node_the_client_runs_beside_the_model_with_a_remark(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.nodes = []
    run_bench(ROOT, "dev", None, GIVEN, Access(save=tmp_path / "bench.json"))

    assert (
        "the client ran on the model's own node and shared its CPUs: no other node has room for the image"
        in capsys.readouterr().out.splitlines()
    )


def test_by_default_the_file_has_the_date_of_the_benchmark(
    cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_bench(ROOT, "dev", None, GIVEN, Access())

    (saved,) = tmp_path.iterdir()
    assert re.fullmatch(r"bench-dev-llama-4-scout-\d{8}-\d{6}\.json", saved.name)


def test_a_file_that_cannot_be_written_is_refused_before_the_benchmark(cluster: FakeCluster, tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone" / "bench.json"):
        with pytest.raises(WrongQuestion) as caught:
            run_bench(ROOT, "dev", None, GIVEN, Access(save=path))
        assert str(caught.value) == (
            f"the result cannot be saved in {path}: use --save with a file in a writable folder"
        )
    assert cluster.created == []


def test_without_options_the_load_is_the_traffic_of_the_stack_file(
    cluster: FakeCluster, project: Path, tmp_path: Path
) -> None:
    stack = project / "Pulumi.dev.yaml"
    traffic = "      traffic: {requestsPerSecond: 2, workload: agent, ttft: 1s@p90}\n"
    stack.write_text(stack.read_text().replace("      zone: us-west-2a\n", f"      zone: us-west-2a\n{traffic}"))
    saved = tmp_path / "bench.json"

    run_bench(project, "dev", None, TrafficWords(), Access(save=saved))
    load = json.loads(saved.read_text())["load"]
    assert (load["requests_per_second"], load["requests"], load["shared_prefix_tokens"]) == (2.0, 240, 5072)
    assert (load["input_tokens"], load["output_tokens"], load["input_varies"]) == (8596, 182, True)

    run_bench(project, "dev", None, TrafficWords(concurrent_users=4), Access(save=saved), requests=60)
    load = json.loads(saved.read_text())["load"]
    assert (load["concurrent_users"], load["requests_per_second"], load["requests"]) == (4, None, 60)
    assert load["input_tokens"] == 8596


def test_each_run_has_other_prompts(cluster: FakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds = []
    for now in (1000.0, 2000.0):
        monkeypatch.setattr("vllm_eks.cli.bench.time.time", lambda now=now: now)
        run_bench(ROOT, "dev", None, GIVEN, Access(save=tmp_path / "bench.json"))
        seeds.append(json.loads((tmp_path / "bench.json").read_text())["load"]["seed"])
    assert seeds == [1000, 2000]


def test_a_terminated_command_ends_like_an_interrupted_one() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), stopped_by_sigterm():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_failed_benchmark_is_status_1_without_a_file(
    cluster: FakeCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster.run = JobRun(end="Failed", reason="DeadlineExceeded")

    assert run_bench(ROOT, "dev", None, GIVEN, Access(save=tmp_path / "bench.json")) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "vllm-eks: the benchmark did not end within 60 minutes: use fewer --requests"
    assert not (tmp_path / "bench.json").exists()


def test_nothing_is_created_for_a_wrong_question(cluster: FakeCluster) -> None:
    long = TrafficWords(concurrent_users=1, input="16000", output="1000")
    with pytest.raises(WrongQuestion, match="maxModelLen of llama-4-scout is 16384"):
        run_bench(ROOT, "dev", None, long, Access())
    cluster.groups["llama-4-scout"] = group("llama-4-scout", args=ARGS, instance_type="g6.48xlarge")
    with pytest.raises(WrongQuestion, match=r"instanceType g6.48xlarge, and Pulumi.dev.yaml gives g5.48xlarge"):
        run_bench(ROOT, "dev", None, GIVEN, Access())
    assert cluster.created == []


def test_a_calibration_writes_one_key_to_the_stack_file(
    cluster: FakeCluster, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = project / "bench.json"
    run_bench(ROOT, "dev", None, GIVEN, Access(save=saved), json_wanted=True)
    shown = json.loads(capsys.readouterr().out)
    slower = 1.25 * shown["predicted"]["tpot_seconds"]["best"]
    changed = json.loads(saved.read_text())
    changed["result"] |= {"completed": 256, "total_output_tokens": 256 * 256, "mean_tpot_ms": 1000 * slower}
    saved.write_text(json.dumps(changed))
    before = (project / "Pulumi.dev.yaml").read_text().splitlines()

    assert run_calibration(project, "dev", None, saved) == 0
    after = (project / "Pulumi.dev.yaml").read_text().splitlines()
    assert [line for line in after if line not in before] == ["      measuredStepFactor: 1.25"]
    assert [line for line in before if line not in after] == []
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "models.llama-4-scout.measuredStepFactor is 1.25 in Pulumi.dev.yaml"
    assert second.startswith(f"time per output token: measured {1000 * slower:,.1f} ms, predicted ")
    assert third.startswith("output tokens/s: measured ")


@pytest.mark.parametrize(
    ("fleet", "model", "said"),
    [
        ({}, None, "Pulumi.dev.yaml has no models"),
        ({"a": 1, "b": 2}, None, "Pulumi.dev.yaml has 2 models: use --model with one of a, b"),
        ({"scout": 1}, "scuot", "Pulumi.dev.yaml has no model scuot, only scout; did you mean scout?"),
    ],
)
def test_a_model_that_is_not_clear_is_asked_for(fleet: dict[str, int], model: str | None, said: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        chosen(fleet, model, "dev")
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--calibrate", "x.json", "--input", "5"],
            "vllm-eks: --calibrate reads a saved result and sends nothing: use it without options of the load\n",
        ),
        (["--calibrate", "gone.json"], "vllm-eks: gone.json: No such file or directory\n"),
        (
            [],
            "vllm-eks: how much load? Use --requests-per-second or --concurrent-users, with --input and --output, or "
            "set models.llama-4-scout.traffic in Pulumi.dev.yaml\n",
        ),
    ],
)
def test_a_wrong_command_is_one_line_and_status_2(
    arguments: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["vllm-eks", "bench", "--stack", "dev", "--folder", str(ROOT), *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, capsys.readouterr().err) == (2, said)
