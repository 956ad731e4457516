"""Runs `vllm-eks pins` with a stack file and an account."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.aws_account import Account
from tests.support.offered_pins import STACK, Pins
from vllm_eks.cli.pins import run_pins


@pytest.fixture
def pins(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pins:
    """Run the command with a stack file and an account, and return its status and output."""

    def run(account: Account, text: str = STACK, **options: Any) -> tuple[int, str]:
        session = SimpleNamespace(client=lambda service, **_: account.client(service))
        monkeypatch.setattr("vllm_eks.aws.account.open_session", lambda *_, **__: session)
        file = folder / "Pulumi.dev.yaml"
        if not file.exists():
            file.write_text(text)
        status = run_pins(folder, "dev", **options)
        return status, capsys.readouterr().out

    return run
