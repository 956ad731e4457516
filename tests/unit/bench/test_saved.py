"""The file of a benchmark, and the endpoint that is not the planned one."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.bench_cluster import group
from tests.support.benchmarks import RATE, USERS, benchmark
from tests.support.plans import QWEN_8B, planned
from vllm_eks.bench.saved import read_benchmark, require_deployed, write_benchmark
from vllm_eks.bench.target import target_of
from vllm_eks.errors import WrongQuestion

PLAN = planned(QWEN_8B, "g6e.xlarge")
TARGET = target_of(group(), "scout", "vllm-scout")


@pytest.mark.parametrize("load", [USERS, RATE], ids=["users", "a rate"])
def test_a_benchmark_is_read_as_it_was_written(load: Any, tmp_path: Path) -> None:
    written = replace(benchmark(PLAN, load), beside_the_model=True)
    write_benchmark(tmp_path / "bench.json", written)

    assert read_benchmark(tmp_path / "bench.json") == written


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": None}, "bench.json: format is missing: use a file that vllm-eks bench wrote"),
        ({"format": 2}, "bench.json: another version of vllm-eks wrote it: measure again"),
        (
            {"load": {**json.loads(json.dumps(USERS.__dict__)), "requests_per_second": 1.0}},
            "bench.json: load: requests_per_second or concurrent_users must be null, and not both: use a file that "
            "vllm-eks bench wrote",
        ),
        ({"replicas": "2"}, "bench.json: replicas '2' must be a whole number: use a file that vllm-eks bench wrote"),
        ({"more": 1}, "bench.json: more is not a known key: use a file that vllm-eks bench wrote"),
    ],
)
def test_another_file_is_a_wrong_question(
    change: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("bench.json")
    write_benchmark(path, benchmark(PLAN))
    saved = {**json.loads(path.read_text()), **change}
    path.write_text(json.dumps({key: value for key, value in saved.items() if value is not None}))

    with pytest.raises(WrongQuestion) as caught:
        read_benchmark(path)
    assert str(caught.value) == said


def test_vllm_s_own_result_is_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("result.json").write_text(json.dumps(benchmark(PLAN).result))

    with pytest.raises(WrongQuestion, match=r"^result.json: format is missing: use a file that vllm-eks bench wrote$"):
        read_benchmark(Path("result.json"))


def test_the_planned_endpoint_is_measured() -> None:
    require_deployed(PLAN, TARGET, "dev")


@pytest.mark.parametrize(
    ("running", "said"),
    [
        (
            replace(TARGET, instance_type="g5.xlarge"),
            "scout runs with instanceType g5.xlarge, and Pulumi.dev.yaml gives g6e.xlarge: run pulumi up, then measure",
        ),
        (
            replace(TARGET, sizes={"--tensor-parallel-size": 2}),
            "scout runs with --tensor-parallel-size 2, and Pulumi.dev.yaml gives 1: run pulumi up, then measure",
        ),
        (
            replace(TARGET, sizes={"--max-model-len": 4096}),
            "scout runs with --max-model-len 4096, and Pulumi.dev.yaml gives 8192: run pulumi up, then measure",
        ),
    ],
)
def test_another_endpoint_than_planned_is_refused(running: Any, said: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        require_deployed(PLAN, running, "dev")
    assert str(caught.value) == said
