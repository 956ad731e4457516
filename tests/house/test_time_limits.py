"""No request over the network waits forever."""

import ast
from pathlib import Path

import pytest
from botocore.client import BaseClient

from vllm_eks.aws.account import Account
from vllm_eks.catalog.ec2_catalog import new_client
from vllm_eks.specs.access import Deployer

ROOT = Path(__file__).parents[2]
WITH_TIMEOUT = {"urlopen", "create_connection", "stream", "model_info"}
"""Functions that wait without a limit unless they get one."""


def test_every_request_has_a_timeout() -> None:
    calls = [
        (f"{file.relative_to(ROOT)}:{node.lineno}", {word.arg for word in node.keywords})
        for folder in ("charts", "checks", "components", "vllm_eks")
        for file in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WITH_TIMEOUT
    ]
    assert len(calls) > 4
    assert [place for place, words in calls if "timeout" not in words] == []


def test_clients_of_aws_give_up_within_half_a_minute_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    account = Account(Deployer(region="us-west-2"))
    clients: list[BaseClient] = [new_client("ec2", "us-west-2"), account._client("eks")]
    assert [(one.meta.config.connect_timeout, one.meta.config.read_timeout) for one in clients] == [(10, 30)] * 2
