"""A fake of vLLM's engine client (v1/engine/async_llm.py, AsyncLLM), with the parts that engine_tokens.py uses.

Like the real one, in 0.21.0 and 0.32.0: a request has another ID inside, n answers are n requests below a parent, a
cancelled request is aborted by its internal ID, and an aborted request is forgotten before `abort` returns.
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


class FakeEngine:
    """Generates one token a step for each answer."""

    def __init__(self) -> None:
        self.output_processor = SimpleNamespace(request_states={}, parent_requests={})
        self.at: dict[int, Callable[[], object]] = {}
        """What happens after some tokens."""
        self.aborted: list[str] = []
        self.closed: list[str] = []

    async def generate(
        self, prompt: int, sampling_params: Any, request_id: str, **_: object
    ) -> AsyncGenerator[Any, None]:
        inside, params = f"{request_id}-internal", sampling_params
        states = self._states(request_id, inside, prompt, params.n)
        try:
            for done in range(1, params.tokens + 1):
                for state in states:
                    state.generated = done
                if done in self.at:
                    self.at[done]()
                await asyncio.sleep(0)
                if params.output_kind is not Kind.FINAL_ONLY or done == params.tokens:
                    new = 1 if params.output_kind is Kind.DELTA else done
                    answers = [SimpleNamespace(index=index, token_ids=[9] * new) for index in range(params.n)]
                    yield SimpleNamespace(
                        prompt_token_ids=[1] * prompt, outputs=answers, finished=done == params.tokens
                    )
        except (asyncio.CancelledError, GeneratorExit):
            await self.abort(inside, internal=True)
            raise
        finally:
            self.closed.append(request_id)

    async def encode(self, prompt: int, pooling_params: Any, request_id: str, **_: object) -> AsyncGenerator[Any, None]:
        yield SimpleNamespace(prompt_token_ids=[1] * prompt, outputs=SimpleNamespace(data="a tensor"), finished=True)

    async def abort(self, request_id: Any, internal: bool = False) -> None:
        parent = self.output_processor.parent_requests.pop(request_id, None)
        for name in parent.child_requests if parent else [request_id]:
            del self.output_processor.request_states[name]
        self.aborted.append(request_id)

    def _states(self, request_id: str, inside: str, prompt: int, n: int) -> list[Any]:
        names = [inside] if n == 1 else [f"{index}_{inside}" for index in range(n)]
        if n > 1:
            self.output_processor.parent_requests[inside] = SimpleNamespace(child_requests=set(names))
        states: list[Any] = []
        for index, name in enumerate(names):
            state = SimpleNamespace(external_req_id=request_id, request_index=index, prompt_len=prompt, generated=0)
            state.detokenizer = SimpleNamespace(num_output_tokens=lambda state=state: state.generated)
            self.output_processor.request_states[name] = state
            states.append(state)
        return states
