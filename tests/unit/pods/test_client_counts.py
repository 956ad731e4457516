"""Counts and log lines by client (client_counts.py), and the tokens of the engine (engine_tokens.py)."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.fakes.engine_client import FakeEngine, Kind
from tests.support.asgi import Seen, answer, application, request, run, serve
from tests.support.mounted_secrets import replace
from vllm_eks.pods.client_keys import stored_digest
from vllm_eks.pods.vllm_eks_keys import ApiKeys

KEY = "a-key-of-team-a-1"
SECRET = {
    "apiKey": "first",
    "client.team-a": stored_digest("salt", KEY),
    "denied.team-b": stored_digest("salt", "a-key-of-team-b-1"),
}
METRICS = {
    "vllm_eks_client_requests_total": ("client", "status"),
    "vllm_eks_client_tokens_total": ("client", "kind"),
    "vllm_eks_client_refusals_total": ("client", "reason"),
}


class Counts:
    """What the metrics have gained since the last look, as {(metric, label values...): number}."""

    def __init__(self) -> None:
        self._before = self._all()

    def new(self) -> dict[tuple[str, ...], float]:
        now = self._all()
        gained = {key: value - self._before.get(key, 0) for key, value in now.items()}
        self._before = now
        return {key: value for key, value in gained.items() if value}

    @staticmethod
    def _all() -> dict[tuple[str, ...], float]:
        return {
            (one.name.removeprefix("vllm_eks_client_").removesuffix("_total"), *one.labels.values()): one.value
            for metric in REGISTRY.collect()
            for one in metric.samples
            if one.name in METRICS
        }


@pytest.fixture
def counts(keys: Path) -> Counts:
    replace(keys, SECRET)
    return Counts()


class Lines(logging.Handler):
    """The lines of a log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def lines() -> Iterator[list[str]]:
    handler, log = Lines(), logging.getLogger("vllm")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield handler.lines
    log.removeHandler(handler)
    assert not [line for line in handler.lines if KEY in line or "first" in line], "a key in the log"


def app_of(engine: FakeEngine, *, kind: Kind = Kind.DELTA, prompt: int = 7, tokens: int = 5, n: int = 1) -> Any:
    """Return vLLM's application: it asks the engine client of its state, and streams what comes."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        client = scope["app"].state.engine_client
        params = SimpleNamespace(output_kind=kind, tokens=tokens, n=n)
        if scope["path"] == "/v1/embeddings":
            outputs = client.encode(prompt, params, "request-1")
        else:
            outputs = client.generate(prompt, params, request_id="request-1")
        async for _ in outputs:
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def scope_of(engine: object) -> dict[str, Any]:
    return {"app": SimpleNamespace(state=SimpleNamespace(engine_client=engine)), "client": ("10.0.3.7", 40112)}


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
    answer(guard, method="OPTIONS")
    assert (counts.new(), lines) == ({}, [])


def test_a_path_cannot_forge_a_line_of_the_log(keys: Path, lines: list[str]) -> None:
    answer(ApiKeys(application), "/v1\nclient=team-a status=200" + "x" * 500, key="Bearer first")
    (line,) = lines
    assert "path=/v1%0Aclient%3Dteam-a%20status%3D200xxx" in line
    assert len(line) < 400


@pytest.mark.parametrize(("kind", "n"), [(Kind.DELTA, 1), (Kind.DELTA, 2), (Kind.CUMULATIVE, 1), (Kind.FINAL_ONLY, 2)])
def test_tokens_are_counted_however_they_come(counts: Counts, lines: list[str], kind: Kind, n: int) -> None:
    engine = FakeEngine()
    app = ApiKeys(app_of(engine, kind=kind, tokens=5, n=n))
    for _ in range(2):
        serve(app, Seen(), key=f"Bearer {KEY}", **scope_of(engine))
    assert counts.new() == {
        ("requests", "team-a", "200"): 2,
        ("tokens", "team-a", "prompt"): 14,
        ("tokens", "team-a", "generation"): 10 * n,
    }
    assert all(f"status=200 prompt_tokens=7 generation_tokens={5 * n} seconds=" in line for line in lines)
    assert engine.closed == ["request-1"] * 2


def test_embeddings_have_a_prompt_alone(counts: Counts) -> None:
    engine = FakeEngine()
    serve(ApiKeys(app_of(engine)), Seen(), "/v1/embeddings", key=f"Bearer {KEY}", **scope_of(engine))
    assert counts.new() == {("requests", "team-a", "200"): 1, ("tokens", "team-a", "prompt"): 7}


def test_the_tokens_of_a_long_stream_are_visible_before_it_ends(counts: Counts) -> None:
    engine = FakeEngine()
    seen: list[dict[tuple[str, ...], float]] = []
    engine.at = {250: lambda: seen.append(counts.new())}
    serve(ApiKeys(app_of(engine, tokens=300)), Seen(), key=f"Bearer {KEY}", **scope_of(engine))
    assert seen == [{("tokens", "team-a", "prompt"): 7, ("tokens", "team-a", "generation"): 200}]
    assert counts.new()["tokens", "team-a", "generation"] == 100


@pytest.mark.parametrize("kind", [Kind.DELTA, Kind.FINAL_ONLY])
@pytest.mark.parametrize("n", [1, 2])
def test_what_an_aborted_request_generated_is_counted(counts: Counts, kind: Kind, n: int) -> None:
    """Without a stream, the engine client has yielded nothing when the client leaves."""
    engine = FakeEngine()
    app = ApiKeys(app_of(engine, kind=kind, tokens=50, n=n))

    async def leave_after_20_tokens() -> None:
        task = asyncio.ensure_future(request(app, Seen(), key=f"Bearer {KEY}", **scope_of(engine)))
        engine.at = {20: task.cancel}
        await asyncio.gather(task, return_exceptions=True)

    run(leave_after_20_tokens())
    found = counts.new()
    assert found["tokens", "team-a", "prompt"] == 7
    assert found["tokens", "team-a", "generation"] == 20 * n
    assert engine.aborted == ["request-1-internal"]


def test_a_caller_that_gives_up_ends_the_engines_request_at_once(counts: Counts) -> None:
    engine = FakeEngine()
    seen: list[list[str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        outputs = engine.generate(7, SimpleNamespace(output_kind=Kind.DELTA, tokens=5, n=1), "request-1")
        await outputs.__anext__()
        await outputs.aclose()
        seen.append([*engine.aborted])
        await application(scope, receive, send)

    serve(ApiKeys(app), Seen(), key=f"Bearer {KEY}", **scope_of(engine))
    assert seen == [["request-1-internal"]]
    assert counts.new()["tokens", "team-a", "generation"] == 1


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


@pytest.mark.parametrize("engine", [object(), None])
def test_an_unknown_engine_client_serves_without_counts_of_tokens(
    counts: Counts, lines: list[str], engine: object
) -> None:
    guard = ApiKeys(application)
    assert [answer(guard, key=f"Bearer {KEY}", **scope_of(engine)) for _ in range(2)] == [200, 200]
    assert counts.new() == {("requests", "team-a", "200"): 2}
    warned = [line for line in lines if "tokens are not counted by client, because this vLLM is unknown" in line]
    assert len(warned) == (engine is not None)


def test_requests_without_a_client_pass_through_the_engine_uncounted(counts: Counts) -> None:
    engine = FakeEngine()
    scope = scope_of(engine)
    serve(ApiKeys(app_of(engine)), Seen(), key=f"Bearer {KEY}", **scope)
    counts.new()
    # The server's own request, such as a warm-up.
    serve(app_of(engine), Seen(), **scope)
    assert counts.new() == {}
