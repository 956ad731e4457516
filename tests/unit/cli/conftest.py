"""Runs `vllm-eks plan` in this process."""

import pytest

from tests.support.plan_command import Ask, runner_of


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run the command in this process. One test below starts it as its own process."""
    monkeypatch.setenv("COLUMNS", "160")
    return runner_of("plan", capsys, monkeypatch)
