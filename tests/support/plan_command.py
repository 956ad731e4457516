"""Runs a command of `vllm-eks` in this process and returns its result."""

from collections.abc import Callable
from contextlib import chdir
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from vllm_eks.cli.main import main
from vllm_eks.planner.sizing.choice import size

ROOT = Path(__file__).parents[2]


class Answer(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Ask = Callable[..., Answer]


def runner_of(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return a function that runs a command with arguments."""

    def run(*arguments: str, cwd: Path = ROOT) -> Answer:
        monkeypatch.setattr("sys.argv", ["vllm-eks", command, *arguments])
        with chdir(cwd), pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code is None or isinstance(ended.value.code, int)
        captured = capsys.readouterr()
        return Answer(ended.value.code or 0, captured.out, captured.err)

    return run


def sizer_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return a function that runs `vllm-eks size`. Text, JSON and plot of a question show one answer, computed once."""
    monkeypatch.setattr("vllm_eks.cli.size_answer.size", _size_once)
    return remembered("size", runner_of("size", capsys, monkeypatch))


_size_once = cache(size)
_ANSWERS: dict[tuple[str, ...], Answer] = {}


def remembered(command: str, run: Ask) -> Ask:
    """Return a function that runs a command once for each set of arguments, for commands that write nothing."""

    def answer(*arguments: str) -> Answer:
        key = (command, *arguments)
        if key not in _ANSWERS:
            _ANSWERS[key] = run(*arguments)
        return _ANSWERS[key]

    return answer
