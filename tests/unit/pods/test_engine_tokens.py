"""Tokens by client, counted at the engine client (engine_tokens.py)."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.engine_client import FakeEngine, Kind
from tests.support.asgi import Seen, answer, application, request, run, serve
from tests.support.client_metrics import KEY, Counts
from vllm_eks.pods.vllm_eks_keys import ApiKeys


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
