"""Counts and log lines by client (client_counts.py, vllm_eks_keys.py)."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.support.asgi import Seen, answer, application, serve
from tests.support.client_metrics import KEY, METRICS, Counts
from vllm_eks.pods.vllm_eks_keys import ApiKeys


def test_every_metric_has_its_name_and_labels(counts: Counts) -> None:
    described = {f"{one.name}_total": one for one in REGISTRY.collect() if one.name.startswith("vllm_eks_")}
    assert set(described) == set(METRICS)
    serve(ApiKeys(application), Seen(), key=f"Bearer {KEY}")
    for name, labels in METRICS.items():
        samples = [one for one in described[name].samples if one.name == name]
        assert all(tuple(one.labels) == labels for one in samples)


def test_requests_and_refusals_are_counted_by_client_and_never_by_key(counts: Counts, lines: list[str]) -> None:
    guard = ApiKeys(application)
    for key in ("Bearer first", f"Bearer {KEY}", "Bearer wrong", None, "Bearer a-key-of-team-b-1"):
        answer(guard, key=key, client=("10.0.3.7", 40112))
    assert counts.new() == {
        ("requests", "default", "200"): 1,
        ("requests", "team-a", "200"): 1,
        ("requests", "unknown", "401"): 2,
        ("requests", "team-b", "403"): 1,
        ("refusals", "unknown", "unknown_key"): 1,
        ("refusals", "unknown", "no_key"): 1,
        ("refusals", "team-b", "model"): 1,
    }
    asked = "from=10.0.3.7 method=POST path=/v1/completions"
    assert [line.partition(" seconds=")[0] for line in lines] == [
        f"client=default {asked} status=200 prompt_tokens=0 generation_tokens=0",
        f"client=team-a {asked} status=200 prompt_tokens=0 generation_tokens=0",
        f"client=unknown {asked} status=401 refused=unknown_key",
        f"client=unknown {asked} status=401 refused=no_key",
        f"client=team-b {asked} status=403 refused=model",
    ]


def test_probes_are_neither_counted_nor_logged(counts: Counts, lines: list[str]) -> None:
    guard = ApiKeys(application)
    answer(guard, "/health")
    answer(guard, "/metrics", client=("127.0.0.1", 1))
    answer(guard, method="OPTIONS", headers=[(b"origin", b"x"), (b"access-control-request-method", b"POST")])
    assert (counts.new(), lines) == ({}, [])


def test_a_path_cannot_forge_a_line_of_the_log(keys: Path, lines: list[str]) -> None:
    answer(ApiKeys(application), "/v1\nclient=team-a status=200" + "x" * 500, key="Bearer first")
    (line,) = lines
    assert "path=/v1%0Aclient%3Dteam-a%20status%3D200xxx" in line
    assert len(line) < 400


def test_a_client_that_leaves_is_counted_as_499(counts: Counts) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"

    serve(ApiKeys(app), Seen(), key=f"Bearer {KEY}", said={"type": "http.disconnect"})
    assert counts.new() == {("requests", "team-a", "499"): 1}


def test_uvicorns_disconnect_after_the_response_changes_nothing(counts: Counts) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await application(scope, receive, send)
        await send({"type": "http.response.body", "body": b"x"})
        await receive()

    serve(ApiKeys(app), Seen(), key=f"Bearer {KEY}", said={"type": "http.disconnect"})
    assert counts.new() == {("requests", "team-a", "200"): 1}


def test_a_failure_of_the_server_is_counted_as_500(counts: Counts) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("the engine is dead")

    with pytest.raises(RuntimeError):
        serve(ApiKeys(app), Seen(), key=f"Bearer {KEY}")
    assert counts.new() == {("requests", "team-a", "500"): 1}
