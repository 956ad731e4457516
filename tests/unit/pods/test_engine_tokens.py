"""Tokens by client, counted in the engine client (engine_tokens.py)."""

import asyncio
import gc
import weakref
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.engine_client import FakeEngine, FakeProcessor, FakeTokens, Kind
from tests.support.asgi import Seen, answer, application, request, run, serve
from tests.support.client_metrics import KEY, Counts
from vllm_eks.pods import engine_tokens
from vllm_eks.pods.vllm_eks_keys import ApiKeys

PROMPT, GENERATION = ("tokens", "team-a", "prompt"), ("tokens", "team-a", "generation")


def app_of(engine: FakeEngine, *, kind: Kind = Kind.DELTA, tokens: int = 5, n: int = 1, calls: int = 1) -> Any:
    """Return vLLM's application: it asks the engine client of its state, and streams what comes."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        client = scope["app"].state.engine_client
        params = SimpleNamespace(output_kind=kind, tokens=tokens, n=n)
        for call in range(calls):
            if scope["path"] == "/v1/embeddings":
                outputs = client.encode(7, params, f"request-{call}")
            else:
                outputs = client.generate(7, params, request_id=f"request-{call}")
            async for _ in outputs:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def scope_of(engine: object) -> dict[str, Any]:
    return {"app": SimpleNamespace(state=SimpleNamespace(engine_client=engine)), "client": ("10.0.3.7", 40112)}


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Count running requests at each step."""
    monkeypatch.setattr(engine_tokens, "COUNT_SECONDS", 0)


@pytest.mark.parametrize(("kind", "n"), [(Kind.DELTA, 1), (Kind.DELTA, 2), (Kind.CUMULATIVE, 1), (Kind.FINAL_ONLY, 2)])
def test_tokens_are_counted_however_they_come(counts: Counts, lines: list[str], kind: Kind, n: int) -> None:
    engine = FakeEngine()
    app = ApiKeys(app_of(engine, kind=kind, n=n))
    for _ in range(2):
        serve(app, Seen(), key=f"Bearer {KEY}", **scope_of(engine))
    assert counts.new() == {("requests", "team-a", "200"): 2, PROMPT: 14, GENERATION: 10 * n}
    assert all(f"status=200 prompt_tokens=7 generation_tokens={5 * n} seconds=" in line for line in lines)
    assert engine.closed == ["request-0"] * 2


def test_each_call_of_the_engine_counts_its_prompt(counts: Counts, at_once: None) -> None:
    """Several prompts in one request, and the steps of a beam search."""
    engine = FakeEngine()
    serve(ApiKeys(app_of(engine, n=2, calls=3)), Seen(), key=f"Bearer {KEY}", **scope_of(engine))
    assert counts.new() == {("requests", "team-a", "200"): 1, PROMPT: 21, GENERATION: 30}


def test_embeddings_have_a_prompt_alone(counts: Counts) -> None:
    engine = FakeEngine()
    serve(ApiKeys(app_of(engine)), Seen(), "/v1/embeddings", key=f"Bearer {KEY}", **scope_of(engine))
    assert counts.new() == {("requests", "team-a", "200"): 1, PROMPT: 7}


def test_the_cost_does_not_depend_on_the_number_of_tokens(counts: Counts) -> None:
    """The engine client's own streams reach the server, and the count of a request is read at its start and its end."""
    reads: list[int] = []
    for tokens in (1, 2000):
        engine = FakeEngine()
        generate = engine.generate
        serve(ApiKeys(app_of(engine, tokens=tokens)), Seen(), key=f"Bearer {KEY}", **scope_of(engine))
        assert engine.generate == generate
        reads.append(engine.output_processor.seen[0].detokenizer.reads)
    assert reads == [2, 2]
    assert counts.new()[GENERATION] == 2001


def test_the_tokens_of_a_long_stream_are_visible_before_it_ends(counts: Counts, at_once: None) -> None:
    engine = FakeEngine()
    seen: list[dict[tuple[str, ...], float]] = []
    engine.at = {250: lambda: seen.append(counts.new())}
    serve(ApiKeys(app_of(engine, tokens=300)), Seen(), key=f"Bearer {KEY}", **scope_of(engine))
    assert seen == [{PROMPT: 7, GENERATION: 249}]
    assert counts.new() == {("requests", "team-a", "200"): 1, GENERATION: 51}


def test_nothing_is_kept_of_what_has_ended(counts: Counts, at_once: None) -> None:
    """A beam search has thousands of calls, each with its prompt."""
    engine = FakeEngine()
    kept: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await app_of(engine, calls=3)(scope, receive, send)
        ended = [weakref.ref(engine.output_processor.seen.pop()) for _ in range(3)]
        await asyncio.sleep(0.001)
        gc.collect()
        kept.append(sum(one() is not None for one in ended))

    guard = ApiKeys(app)
    serve(guard, Seen(), key=f"Bearer {KEY}", **scope_of(engine))
    assert kept == [0]
    assert not [one for one in gc.get_objects() if type(one) is engine_tokens.Tally]


def test_what_runs_on_after_the_response_is_counted(counts: Counts, at_once: None) -> None:
    """A response in the background (/v1/responses) is created in one request and read in another one."""
    engine = FakeEngine()
    tasks: list[asyncio.Future[None]] = []

    async def send_nothing(message: Any) -> None: ...

    async def app(scope: Any, receive: Any, send: Any) -> None:
        tasks.append(asyncio.ensure_future(app_of(engine, tokens=50)(scope, receive, send_nothing)))
        while not engine.output_processor.request_states:
            await asyncio.sleep(0)
        await application(scope, receive, send)

    async def both() -> None:
        await request(ApiKeys(app), Seen(), key=f"Bearer {KEY}", **scope_of(engine))
        await asyncio.gather(*tasks)
        await asyncio.sleep(0.001)

    run(both())
    assert counts.new() == {("requests", "team-a", "200"): 1, PROMPT: 7, GENERATION: 50}


@pytest.mark.parametrize("kind", [Kind.DELTA, Kind.FINAL_ONLY])
@pytest.mark.parametrize(("n", "after"), [(1, 20), (2, 20), (1, 0)])
def test_what_an_aborted_request_generated_is_counted(counts: Counts, kind: Kind, n: int, after: int) -> None:
    """Without a stream, the engine client has yielded nothing when the client leaves."""
    engine = FakeEngine()
    app = ApiKeys(app_of(engine, kind=kind, tokens=50, n=n))

    async def leave() -> None:
        task = asyncio.ensure_future(request(app, Seen(), key=f"Bearer {KEY}", **scope_of(engine)))
        engine.at = {after: task.cancel}
        await asyncio.gather(task, return_exceptions=True)

    run(leave())
    found = counts.new()
    assert (found.get(PROMPT), found.get(GENERATION)) == ((7, after * n) if after else (None, None))
    assert engine.aborted == ["request-0-internal"]


def test_a_prompt_that_is_streamed_counts_all_its_parts(counts: Counts, lines: list[str]) -> None:
    engine = FakeEngine()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for part in (7, 3):
            (state,) = engine.add(part, "request-internal", 1)
            state.is_prefilling = False
        state.detokenizer.generated = 5
        last = SimpleNamespace(request_id="request-internal", prompt=0)
        engine.output_processor.add_request(last, None, None, 0, None)
        await application(scope, receive, send)

    serve(ApiKeys(app), Seen(), key=f"Bearer {KEY}", **scope_of(engine))
    assert counts.new() == {("requests", "team-a", "200"): 1, PROMPT: 10, GENERATION: 5}
    assert len(lines) == 1, "no warning of an unknown vLLM"


def test_a_count_that_goes_down_takes_nothing_back() -> None:
    call, added = engine_tokens.Call(), []
    state: Any = SimpleNamespace(prompt_len=7, is_prefilling=False, detokenizer=FakeTokens())
    call.states.append(state)
    usage: Any = SimpleNamespace(add=lambda *, prompt, generation: added.append((prompt, generation)))
    for generated in (5, 3, 6):
        state.detokenizer.generated = generated
        call.count(usage)
    assert added == [(7, 5), (0, 0), (0, 1)]


class WithoutDetokenizer(FakeProcessor):
    def add_request(self, request: Any, prompt: None, parent_req: Any, request_index: int, queue: None) -> None:
        super().add_request(request, prompt, parent_req, request_index, queue)
        del self.request_states[request.request_id].detokenizer


class OtherStates(FakeProcessor):
    def add_request(self, request: Any, prompt: None, parent_req: Any, request_index: int, queue: None) -> None:
        self.request_states["of all"] = request


LACKS = "AttributeError: 'types.SimpleNamespace' object has no attribute"


@pytest.mark.parametrize(
    ("engine", "error"),
    [
        (SimpleNamespace(), f"{LACKS} 'output_processor'"),
        (SimpleNamespace(output_processor=SimpleNamespace(request_states={})), f"{LACKS} 'add_request'"),
        (SimpleNamespace(output_processor=SimpleNamespace(add_request=print)), f"{LACKS} 'request_states'"),
        (
            SimpleNamespace(output_processor=WithoutDetokenizer()),
            "AttributeError: 'FakeState' object has no attribute 'detokenizer'",
        ),
        (SimpleNamespace(output_processor=OtherStates()), "KeyError: '1'"),
    ],
)
def test_an_unknown_engine_client_serves_without_counts_of_tokens(
    counts: Counts, lines: list[str], engine: Any, error: str
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        processor = getattr(engine, "output_processor", None)
        if isinstance(processor, FakeProcessor):
            added = SimpleNamespace(request_id="1", prompt=7, generates=True)
            processor.add_request(added, None, None, 0, None)
            processor.request_states.clear()
        await application(scope, receive, send)

    guard = ApiKeys(app)
    assert [answer(guard, key=f"Bearer {KEY}", **scope_of(engine)) for _ in range(2)] == [200, 200]
    assert counts.new() == {("requests", "team-a", "200"): 2}
    assert [line for line in lines if "client=" not in line] == [
        f"tokens are not counted by client, because this vLLM is unknown: {error}"
    ]


def test_a_server_without_an_engine_serves(counts: Counts, lines: list[str]) -> None:
    assert answer(ApiKeys(application), key=f"Bearer {KEY}", **scope_of(None)) == 200
    assert counts.new() == {("requests", "team-a", "200"): 1}
    assert len(lines) == 1


def test_requests_without_a_client_pass_through_the_engine_uncounted(counts: Counts) -> None:
    engine = FakeEngine()
    scope = scope_of(engine)
    serve(ApiKeys(app_of(engine)), Seen(), key=f"Bearer {KEY}", **scope)
    counts.new()
    # The server's own request, such as a warm-up.
    serve(app_of(engine), Seen(), **scope)
    assert counts.new() == {}
