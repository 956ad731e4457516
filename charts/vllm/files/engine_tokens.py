"""Counts the tokens of requests where vLLM's API server talks to its engine, so that responses need no parsing.

All endpoints (chat, completions, responses, messages, embeddings) call the engine client's `generate` or `encode`. Its
outputs have the token IDs, whether a response is streamed or not, and whether the client asked for `usage` or not. The
protocol is vllm/engine/protocol.py, class EngineClient, the same in 0.21.0, 0.27.0 and 0.32.0.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Protocol, TypeVar

CHUNK_TOKENS = 100
"""Generated tokens are added to the metrics in steps, so that long streams are visible before they end."""


T = TypeVar("T")


class Usage(Protocol):
    """Where the tokens of a request are added."""

    def add(self, *, prompt: int = 0, generation: int = 0) -> None:
        """Add tokens."""


class Answer(Protocol):
    """One answer of a request (vllm.outputs.CompletionOutput)."""

    index: int
    token_ids: Sequence[int]


class Output(Protocol):
    """What `encode` yields (vllm.outputs.PoolingRequestOutput)."""

    prompt_token_ids: Sequence[int] | None


class Answers(Output, Protocol):
    """What `generate` yields (vllm.outputs.RequestOutput)."""

    outputs: Sequence[Answer]


class Engine(Protocol):
    """The part of vLLM's EngineClient that is used here."""

    generate: Callable[..., AsyncGenerator[Answers, None]]
    encode: Callable[..., AsyncGenerator[Output, None]]
    abort: Callable[..., Awaitable[None]]


CURRENT: ContextVar[Usage | None] = ContextVar("vllm_eks_usage", default=None)
"""The usage of the request that this task serves. A task that vLLM starts for a request inherits it."""


class Tally:
    """The tokens of one call of the engine."""

    __slots__ = ("_adds", "_generated", "_pending", "_prompt", "_usage")

    def __init__(self, usage: Usage, *, adds: bool) -> None:
        self._usage = usage
        self._adds = adds
        """Whether each output has only new tokens (RequestOutputKind.DELTA), or all tokens so far."""
        self._prompt = 0
        self._generated: dict[int, int] = {}
        self._pending = 0

    def see_prompt(self, output: Output) -> None:
        """Count the prompt of an output, once."""
        if not self._prompt:
            encoder: Sequence[int] = getattr(output, "encoder_prompt_token_ids", None) or ()
            self._count_prompt(len(output.prompt_token_ids or ()) + len(encoder))

    def see(self, output: Answers) -> None:
        """Count an output. This runs for each token of a stream."""
        if not self._prompt:
            self.see_prompt(output)
        generated = self._generated
        for answer in output.outputs:
            before, new = generated.get(answer.index, 0), len(answer.token_ids)
            if not self._adds:
                new -= before
            generated[answer.index] = before + new
            self._pending += new
        if self._pending >= CHUNK_TOKENS:
            self.flush()

    def reach(self, index: int, tokens: int, prompt: int) -> None:
        """Record that an answer has some tokens so far. The engine has processed the prompt if there are any."""
        if tokens and not self._prompt:
            self._count_prompt(prompt)
        self._pending += max(0, tokens - self._generated.get(index, 0))
        self._generated[index] = tokens

    def flush(self) -> None:
        """Add the generated tokens that are not added yet."""
        if self._pending:
            self._usage.add(generation=self._pending)
            self._pending = 0

    def _count_prompt(self, tokens: int) -> None:
        if tokens:
            self._prompt = tokens
            self._usage.add(prompt=tokens)


def count_tokens(engine: Engine) -> None:
    """Wrap the calls of an engine client (AsyncLLM).

    Raises:
        AttributeError: It is not an engine client that this module knows.
    """
    tallies: dict[str, Tally] = {}
    generate, encode, abort = engine.generate, engine.encode, engine.abort

    def counted_generate(
        prompt: object, sampling_params: object, request_id: str, *args: object, **keywords: object
    ) -> AsyncGenerator[Answers, None]:
        outputs = generate(prompt, sampling_params, request_id, *args, **keywords)
        if (usage := CURRENT.get()) is None:
            return outputs
        # RequestOutputKind: DELTA (streams), CUMULATIVE or FINAL_ONLY.
        kind = getattr(getattr(sampling_params, "output_kind", None), "name", "")
        tally = Tally(usage, adds=kind == "DELTA")
        return _pass_on(outputs, tally, tally.see, request_id, tallies)

    def counted_encode(
        prompt: object, pooling_params: object, request_id: str, *args: object, **keywords: object
    ) -> AsyncGenerator[Output, None]:
        outputs = encode(prompt, pooling_params, request_id, *args, **keywords)
        if (usage := CURRENT.get()) is None:
            return outputs
        tally = Tally(usage, adds=False)
        return _pass_on(outputs, tally, tally.see_prompt, request_id, tallies)

    async def counted_abort(request_id: str | Iterable[str], *args: object, **keywords: object) -> None:
        ids = [request_id] if isinstance(request_id, str) else list(request_id)
        for one in ids:
            # Not part of the protocol: if this changes, what an aborted request generated is not counted.
            with suppress(AttributeError, KeyError, TypeError):
                _count_aborted(engine, one, tallies)
        await abort(request_id if isinstance(request_id, str) else ids, *args, **keywords)

    engine.generate, engine.encode, engine.abort = counted_generate, counted_encode, counted_abort


async def _pass_on(
    outputs: AsyncGenerator[T, None],
    tally: Tally,
    see: Callable[[T], None],
    request_id: str,
    tallies: dict[str, Tally],
) -> AsyncGenerator[T, None]:
    tallies[request_id] = tally
    try:
        async for output in outputs:
            see(output)
            yield output
    finally:
        # Ends the engine's request when the caller gives up.
        await outputs.aclose()
        tallies.pop(request_id, None)
        tally.flush()


class State(Protocol):
    """A request in the engine client (vllm/v1/engine/output_processor.py, RequestState)."""

    external_req_id: str
    request_index: int
    prompt_len: int
    detokenizer: Detokenizer


class Detokenizer(Protocol):
    """Turns the tokens of a request into text."""

    def num_output_tokens(self) -> int:
        """Return the number of generated tokens so far."""
        ...


def _count_aborted(engine: Engine, request_id: str, tallies: Mapping[str, Tally]) -> None:
    """Count what a request generated that is about to be aborted. Without a stream, it has had no output."""
    for state in _states(engine, request_id):
        if tally := tallies.get(state.external_req_id):
            tally.reach(state.request_index, state.detokenizer.num_output_tokens(), state.prompt_len)


def _states(engine: Engine, request_id: str) -> Iterator[State]:
    """Yield the state of each answer of a request. With n > 1, each answer is a request of its own."""
    processor: object = getattr(engine, "output_processor", None)
    states: Mapping[str, State] = getattr(processor, "request_states", {})
    if request_id in states:
        yield states[request_id]
        return
    parents: Mapping[str, object] = getattr(processor, "parent_requests", {})
    children: Iterable[str] = getattr(parents[request_id], "child_requests", ())
    for child in children:
        yield states[child]
