"""Counts the tokens of a client's requests by the counts that vLLM's API server keeps of each request itself.

All endpoints (chat, completions, responses, messages, embeddings) add their requests to the engine client's output
processor, whose state of a request has the number of its tokens so far, whether a response is streamed or not. It is
read when the client's request ends, and meanwhile every few seconds. Therefore the cost of a request does not depend on
the number of its tokens. The names are those of vllm/v1/engine/output_processor.py, class OutputProcessor and class
RequestState, the same in 0.21.0, 0.27.0, 0.32.0 and 0.33.0.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Protocol

COUNT_SECONDS = 5.0
"""How often the tokens of running requests are added, so that long streams are visible before they end. Prometheus
scrapes less often."""

_log = logging.getLogger("vllm.vllm_eks_keys")


class Usage(Protocol):
    """Where the tokens of a client's request are added."""

    def add(self, *, prompt: int = 0, generation: int = 0) -> None:
        """Add tokens."""


class Detokenizer(Protocol):
    """Turns the tokens of a request into text (vllm/v1/engine/detokenizer.py, IncrementalDetokenizer)."""

    def num_output_tokens(self) -> int:
        """Return the number of generated tokens so far."""
        ...


class State(Protocol):
    """A request in the engine (RequestState). With n > 1, each answer is a request of its own below one parent."""

    request_id: str
    parent_req: object | None
    prompt_len: int
    is_prefilling: bool
    detokenizer: Detokenizer | None
    """None for requests without generation, such as embeddings."""


class Added(Protocol):
    """What the output processor gets (vllm.v1.engine.EngineCoreRequest)."""

    request_id: str


class Processor(Protocol):
    """The part of vLLM's OutputProcessor that is used here."""

    add_request: Callable[..., None]
    request_states: Mapping[str, State]


class Engine(Protocol):
    """The part of vLLM's engine client (AsyncLLM) that is used here."""

    output_processor: Processor


class Call:
    """The tokens of one prompt: one request in the engine, or one for each of its answers."""

    __slots__ = ("_generation", "_prompt", "states")

    def __init__(self) -> None:
        self.states: list[State] = []
        self._prompt = self._generation = 0

    def count(self, usage: Usage) -> None:
        """Add the tokens that are new. A prompt counts when the engine has processed it."""
        prompt, generation = self._prompt, 0
        for state in self.states:
            generated = _generated(state)
            generation += generated
            if generated or not state.is_prefilling:
                prompt = max(prompt, state.prompt_len)
        generation = max(generation, self._generation)  # A counter cannot go down.
        usage.add(prompt=prompt - self._prompt, generation=generation - self._generation)
        self._prompt, self._generation = prompt, generation


class Tally:
    """The calls of the engine for one request of a client. There are several for several prompts and in beam search."""

    __slots__ = ("_usage", "calls")

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self.calls: dict[int, Call] = {}

    def follow(self, state: State) -> None:
        """Count a request of the engine from now on."""
        _generated(state)  # Fails now, and not at the end, if the state is not the one that this module knows.
        _ = state.prompt_len, state.is_prefilling
        call = self.calls.setdefault(id(state.parent_req or state), Call())
        # A prompt that a client streams is added in parts, with the same state.
        if state not in call.states:
            call.states.append(state)

    def count(self, live: Mapping[str, State]) -> None:
        """Add the tokens that are new, and forget the calls whose requests have ended."""
        for key, call in [*self.calls.items()]:
            call.count(self._usage)
            if not any(live.get(state.request_id) is state for state in call.states):
                del self.calls[key]


CURRENT: ContextVar[Tally | None] = ContextVar("vllm_eks_tally", default=None)
"""The tally of the request that this task serves. A task that vLLM starts for a request inherits it."""


class EngineTokens:
    """Counts the tokens of the requests that an engine client (AsyncLLM) gets.

    Raises:
        AttributeError: It is not an engine client that this module knows.
    """

    def __init__(self, engine: Engine) -> None:
        self._processor = engine.output_processor
        self._add = self._processor.add_request
        _ = self._processor.request_states
        self._running: set[Tally] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._processor.add_request = self._add_request

    def count(self, tally: Tally) -> None:
        """Add the tokens of a client's request. What it has left running in the engine is counted later."""
        tally.count(self._processor.request_states)
        if not tally.calls:
            self._running.discard(tally)

    def _add_request(self, request: Added, *args: object, **keywords: object) -> None:
        tally = CURRENT.get()
        if tally is None:
            self._add(request, *args, **keywords)
            return
        # The last part of a streamed prompt can end its request.
        before = self._processor.request_states.get(request.request_id)
        self._add(request, *args, **keywords)
        try:
            tally.follow(before or self._processor.request_states[request.request_id])
        except (AttributeError, LookupError, TypeError) as error:
            self._processor.add_request = self._add
            warn_unknown(error)
            return
        self._running.add(tally)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(COUNT_SECONDS, self._count_running)

    def _count_running(self) -> None:
        for tally in [*self._running]:
            self.count(tally)
        self._timer = None
        if self._running:
            self._timer = asyncio.get_running_loop().call_later(COUNT_SECONDS, self._count_running)


def warn_unknown(error: Exception) -> None:
    """Log that tokens are not counted. Requests are still served."""
    _log.warning("tokens are not counted by client, because this vLLM is unknown: %s: %s", type(error).__name__, error)


def _generated(state: State) -> int:
    return state.detokenizer.num_output_tokens() if state.detokenizer else 0
