"""A moto account with few instance types, and a small catalogue."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.aws_answers import few_types
from vllm_eks.catalog.catalog_file import catalogue_text, read_catalogue
from vllm_eks.planner.hardware.instances import CATALOGUE


@pytest.fixture(scope="module")
def moto_session() -> Iterator[Any]:
    """One session for all tests, because each new one reads the model of EC2's whole API again."""
    import boto3
    from moto import mock_aws

    with pytest.MonkeyPatch.context() as patch, few_types(), mock_aws():
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        yield boto3.Session()


@pytest.fixture
def aws(moto_session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("boto3.Session", lambda: moto_session)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The catalogue, without rows that the tests do not use."""
    head, rows = read_catalogue(CATALOGUE)
    keep = ("g5.xlarge", "g5.48xlarge", "g6f.large", "p5e.48xlarge")
    path = tmp_path / "instances.json"
    path.write_text(catalogue_text(head, [row for row in rows if row.type in keep]))
    return path
