"""Values out of range, and output that cannot be written."""

import sys
from pathlib import Path

import pytest

from vllm_eks.cli.main import main

LOCKED = "Qwen/Qwen3-8B"


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> int:
    monkeypatch.setattr(sys, "argv", ["vllm-eks", *args])
    with pytest.raises(SystemExit) as ended:
        main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("args", "reported"),
    [
        (["--replicas", "1000000"], "1000000 is not in the range 1<=x<=1000"),
        (["--pipeline-parallel-size", "99999"], "99999 is not in the range 1<=x<=450"),
        (["--tensor-parallel-size", "99999"], "99999 is not in the range 1<=x<=16"),
        (["--max-model-len", "9999999999"], "9999999999 is not in the range 1<=x<=100000000"),
        (["--max-num-seqs", "9999999"], "9999999 is not in the range 1<=x<=65536"),
        (["--max-num-batched-tokens", "9999999999"], "9999999999 is not in the range 1<=x<=100000000"),
        (["--region", "eu-west"], "vllm-eks: --region: 'eu-west' is not a region: did you mean eu-west-3?"),
        (["--region", "us-west-2a"], "vllm-eks: --region: 'us-west-2a' is a zone, not a region: use us-west-2"),
    ],
)
def test_a_value_out_of_range_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], args: list[str], reported: str
) -> None:
    assert run(monkeypatch, "plan", LOCKED, "--instance-type", "g6e.xlarge", *args) == 2
    assert reported in capsys.readouterr().err


def test_a_full_disk_behind_the_output_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run(monkeypatch, "plan", LOCKED, "--instance-type", "g6e.xlarge", "--json") == 1

    assert capsys.readouterr().err == "vllm-eks: standard output: No space left on device\n"
