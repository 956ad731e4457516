"""Fake servers for the pods' scripts (vLLM, the Hub and S3), and a folder with API keys."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.hub_stub import HubStub, hub_stub
from tests.fakes.moto_s3 import S3Stub, moto_s3
from tests.fakes.vllm_server import Double, vllm_double
from tests.support.client_metrics import SECRET, Counts, logged
from tests.support.copy_runs import FILES, LARGE_FILES, PASSED_OVER
from tests.support.mounted_secrets import replace
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


@pytest.fixture
def counts(keys: Path) -> Counts:
    """What is counted by client, with a Secret of a named client and one of another model."""
    replace(keys, SECRET)
    return Counts()


@pytest.fixture
def lines() -> Iterator[list[str]]:
    with logged() as lines:
        yield lines


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Stub]:
    with moto_s3() as stub:
        yield stub


@pytest.fixture
def bucket(s3: S3Stub, request: pytest.FixtureRequest) -> str:
    return s3.new_bucket(f"weights-{hashlib.sha1(request.node.name.encode()).hexdigest()[:12]}")


@pytest.fixture
def hub() -> Iterator[HubStub]:
    with hub_stub({**FILES, **PASSED_OVER}) as stub:
        yield stub


@pytest.fixture
def large_hub() -> Iterator[HubStub]:
    with hub_stub({**LARGE_FILES, **PASSED_OVER}) as stub:
        yield stub
