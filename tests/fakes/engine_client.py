"""A fake of vLLM's engine client (v1/engine/async_llm.py, AsyncLLM), with the parts that engine_tokens.py uses.

Like the real one, in 0.21.0, 0.27.0, 0.32.0 and 0.33.0: a request has another ID inside, n answers are n requests below
a parent, a cancelled request is aborted by its internal ID, and the output processor forgets a request that ends.
tests/e2e/test_real_vllm_clients.py has the real one.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from enum import Enum
from types import SimpleNamespace
from typing import Any


class Kind(Enum):
    """vllm.sampling_params.RequestOutputKind."""

    CUMULATIVE = 0
    DELTA = 1
    FINAL_ONLY = 2


class FakeTokens:
    """vLLM's IncrementalDetokenizer."""

    def __init__(self) -> None:
        self.generated = self.reads = 0

    def num_output_tokens(self) -> int:
        self.reads += 1
        return self.generated


class FakeState:
    """vLLM's RequestState."""

    def __init__(self, request: Any, parent_req: Any) -> None:
        self.request_id, self.parent_req, self.prompt_len = request.request_id, parent_req, request.prompt
        self.is_prefilling = True
        self.detokenizer = FakeTokens() if request.generates else None


class FakeProcessor:
    """vLLM's OutputProcessor."""

    def __init__(self) -> None:
        self.request_states: dict[str, Any] = {}
        self.seen: list[Any] = []

    def add_request(self, request: Any, prompt: None, parent_req: Any, request_index: int, queue: None) -> None:
        """Add a request, or the next part of its streamed prompt. An empty part is the last one."""
        if state := self.request_states.get(request.request_id):
            state.prompt_len += request.prompt
            if not request.prompt:
                del self.request_states[request.request_id]
            return
        self.request_states[request.request_id] = state = FakeState(request, parent_req)
        self.seen.append(state)


class FakeEngine:
    """Generates one token a step for each answer."""

    def __init__(self) -> None:
        self.output_processor = FakeProcessor()
        self.at: dict[int, Callable[[], object]] = {}
        """What happens after some tokens. 0: before the engine has processed the prompt."""
        self.aborted: list[str] = []
        self.closed: list[str] = []

    async def generate(
        self, prompt: int, sampling_params: Any, request_id: str, **_: object
    ) -> AsyncGenerator[Any, None]:
        params, inside = sampling_params, f"{request_id}-internal"
        states = self.add(prompt, inside, params.n)
        try:
            for done in range(params.tokens + 1):
                for state in states:
                    state.is_prefilling, state.detokenizer.generated = done == 0, done
                if done in self.at:
                    self.at[done]()
                await asyncio.sleep(0)
                if done and (params.output_kind is not Kind.FINAL_ONLY or done == params.tokens):
                    yield SimpleNamespace(finished=done == params.tokens)
            self.end(states)
        except (asyncio.CancelledError, GeneratorExit):
            self.aborted.append(inside)
            self.end(states)
            raise
        finally:
            self.closed.append(request_id)

    async def encode(self, prompt: int, pooling_params: Any, request_id: str, **_: object) -> AsyncGenerator[Any, None]:
        (state,) = states = self.add(prompt, f"{request_id}-internal", 1, generates=False)
        state.is_prefilling = False
        self.end(states)
        yield SimpleNamespace(outputs=SimpleNamespace(data="a tensor"), finished=True)

    def add(self, prompt: int, inside: str, n: int, *, generates: bool = True) -> list[Any]:
        """Add the requests of n answers, and return their states."""
        parent = SimpleNamespace() if n > 1 else None
        names = [f"{index}_{inside}" for index in range(n)] if parent else [inside]
        for index, name in enumerate(names):
            request = SimpleNamespace(request_id=name, prompt=prompt, generates=generates)
            self.output_processor.add_request(request, None, parent, index, None)
        return [self.output_processor.request_states[name] for name in names]

    def end(self, states: list[Any]) -> None:
        for state in states:
            del self.output_processor.request_states[state.request_id]
