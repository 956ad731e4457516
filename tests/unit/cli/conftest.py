"""Runs `vllm-eks plan` in this process."""

from contextlib import chdir
from pathlib import Path

import pytest

from tests.support.plan_command import ROOT, Answer, Ask
from vllm_eks.cli.main import main


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Run the command in this process. One test below starts it as its own process."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str, cwd: Path = ROOT) -> Answer:
        monkeypatch.setattr("sys.argv", ["vllm-eks", "plan", *arguments])
        with chdir(cwd), pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code is None or isinstance(ended.value.code, int)
        captured = capsys.readouterr()
        return Answer(ended.value.code or 0, captured.out, captured.err)

    return run
