"""A double of vLLM's server, and a folder of API keys."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.vllm_server import Double, vllm_double
from vllm_eks.pods.vllm_eks_keys import KEYS_FOLDER


@pytest.fixture
def vllm() -> Iterator[Double]:
    with vllm_double() as double:
        yield double


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(KEYS_FOLDER, str(tmp_path))
    (tmp_path / "apiKey").write_text("first\n")
    return tmp_path
