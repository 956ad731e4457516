"""Runs `vllm-eks plan` and returns its result."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Answer(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Ask = Callable[..., Answer]
