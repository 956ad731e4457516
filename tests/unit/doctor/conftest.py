"""Runs the doctor with stubs of the Kubernetes API and of an account."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kube_server import Kubernetes, kubernetes_stub, pod, write_kubeconfig
from tests.support.doctor_runs import STACK, Doctor, StubAccount
from vllm_eks.aws import account as aws_account
from vllm_eks.cli import doctor as command


@pytest.fixture
def kubernetes() -> Iterator[Kubernetes]:
    with kubernetes_stub() as stub:
        stub.pods = [pod()]
        yield stub


@pytest.fixture
def doctor(
    kubernetes: Kubernetes, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Doctor:
    """Run the command with --json, and return its exit status and findings."""
    (folder / "Pulumi.dev.yaml").write_text(STACK)
    kubeconfig = write_kubeconfig(folder / "kubeconfig", kubernetes.port)

    def run(account: StubAccount | None = None, **options: Any) -> tuple[int, list[dict[str, str]]]:
        monkeypatch.setattr(aws_account, "Account", lambda _: account or StubAccount())
        given = {"kubeconfig": kubeconfig, "seconds": 0.005, "json_wanted": True, **options}
        code = command.run_doctor(folder, "dev", **given)
        assert kubernetes.methods <= {"GET"}, "it only reads"
        return code, json.loads(capsys.readouterr().out)

    return run
