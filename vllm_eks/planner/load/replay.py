"""The replay: vLLM's scheduler with drawn requests, on the time that a model gives to each step.

Steps in which nothing but decoding happens are done together. Their time grows linearly with the context, so the first
and the last of them give the sum.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable

from vllm_eks.planner.load.arrivals import Arrivals
from vllm_eks.planner.load.meters import MOST_WAITING, Meters
from vllm_eks.planner.load.replayed import Replay, Request
from vllm_eks.planner.load.scheduler import Chunk, EngineSizes, Scheduler
from vllm_eks.planner.load.step_times import NO_STEPS, EqualSteps, StepSeconds, Trace


def replay(
    arrivals: Arrivals,
    sizes: EngineSizes,
    step_seconds: StepSeconds,
    *,
    measured: int,
    shared_prefix_tokens: int = 0,
    answer_seconds_of: Callable[[float], float] = lambda _: 0.0,
    trace: Trace | None = None,
) -> Replay:
    """Return what a number of requests see on one replica.

    Args:
        arrivals: The requests.
        sizes: The sizes of the engine.
        step_seconds: The time of a step.
        measured: Requests to measure, after the warm-up.
        shared_prefix_tokens: First tokens of each input that all requests share.
        answer_seconds_of: Time outside the engine that the first token waits for, by tokens of the prompt.
        trace: Called with the tokens of each step, for tests.

    Raises:
        ValueError: The KV cache does not hold a request.
    """
    scheduler = Scheduler(sizes, shared_prefix_tokens=shared_prefix_tokens)
    run = _Run(arrivals, scheduler, step_seconds, Meters(measured=measured), trace)
    while not run.meters.is_over(waiting=len(scheduler.waiting)) and run.advance():
        pass
    return run.meters.result(sizes.blocks, answer_seconds_of)


class _Run:
    """The state of a replay between two steps."""

    def __init__(
        self,
        arrivals: Arrivals,
        scheduler: Scheduler,
        step_seconds: StepSeconds,
        meters: Meters,
        trace: Trace | None,
    ) -> None:
        self.arrivals = arrivals
        self.scheduler = scheduler
        self.step_seconds = step_seconds
        self.meters = meters
        self.trace = trace
        self.now = 0.0
        """When the next step is scheduled."""
        self.end = 0.0
        """When the last scheduled step ends."""
        self.in_flight: deque[tuple[float, list[Request]]] = deque()
        """End of each scheduled step whose result is not processed, and the requests that finish in it."""
        self.finishes: list[tuple[int, int, Request]] = []
        """(decode step, number, request), some of them out of date."""

    def advance(self) -> bool:
        """Schedule the next steps. Return whether there were or may be any."""
        scheduler = self.scheduler
        while len(self.in_flight) >= scheduler.sizes.steps_in_flight:
            self._settle()
        self._arrive()
        if not (scheduler.decoding or scheduler.waiting or scheduler.in_work):
            return self._idle()
        equal = self._equal_steps()
        if equal.steps:
            self._decode(equal)
            return True
        chunks = scheduler.schedule()
        if not chunks and not scheduler.decoding:
            if not self.in_flight:
                tokens = scheduler.waiting[0].prompt_tokens
                raise ValueError(f"a request of {tokens:,} tokens does not fit {scheduler.pool.blocks:,} KV blocks")
            self._settle()
            return True
        self._step(chunks)
        return True

    def _settle(self) -> None:
        """Process the result of the oldest step."""
        self.now, finished = self.in_flight.popleft()
        for request in finished:
            self.scheduler.release(request)

    def _arrive(self) -> None:
        while self.arrivals.next_seconds <= self.now and len(self.scheduler.waiting) < MOST_WAITING:
            request = self.arrivals.take()
            self.scheduler.waiting.append(request)
            self.meters.arrived(request, running=len(self.scheduler.running))

    def _idle(self) -> bool:
        if self.in_flight:
            self._settle()
            return True
        self.now = max(self.now, self.arrivals.next_seconds)
        return not math.isinf(self.now)

    def _equal_steps(self) -> EqualSteps:
        """Return for how many steps nothing but decoding can happen, or no step when the next one is another."""
        scheduler = self.scheduler
        blocked = bool(scheduler.waiting)
        if scheduler.in_work or not scheduler.decoding or (blocked and not scheduler.waits):
            return NO_STEPS
        if blocked and any(finished for _, finished in self.in_flight):
            return NO_STEPS
        most = scheduler.steps_until_blocks_end(self._next_finish() - scheduler.decode_steps)
        if most < 1:
            return NO_STEPS
        equal = EqualSteps.of(self.step_seconds, scheduler.decoding, scheduler.context_tokens, most)
        if most == 1 or blocked:
            return equal
        until = self.arrivals.next_seconds - max(self.now, self.end)
        ahead = 1 if scheduler.sizes.steps_in_flight == 1 or until <= 0 else 2
        return equal.first(min(most, ahead + equal.before(until)))

    def _next_finish(self) -> int:
        while not self._is_due(self.finishes[0]):
            heapq.heappop(self.finishes)
        return self.finishes[0][0]

    def _is_due(self, entry: tuple[int, int, Request]) -> bool:
        step, _, request = entry
        return request.decoding and request.offset + step == request.prompt_tokens + request.output_tokens - 1

    def _decode(self, equal: EqualSteps) -> None:
        scheduler, steps, begin = self.scheduler, equal.steps, max(self.now, self.end)
        used, running = scheduler.pool.used, len(scheduler.running)
        if self.trace:
            self.trace(steps, {one.number: 1 for one in scheduler.running.values() if one.decoding})
        context = scheduler.context_tokens + scheduler.decoding * (steps + 1) / 2
        decoding = scheduler.decoding
        scheduler.decode_only(1)
        if steps > 1:
            # The results of steps in flight are known when the second step is scheduled.
            while self.in_flight:
                self._settle()
            used = scheduler.pool.used
            scheduler.decode_only(steps - 1)
        self.end = begin + steps * equal.mean_seconds
        self.meters.tokens(equal.mean_seconds, steps * decoding)
        self.meters.passed(
            begin,
            self.end,
            steps=steps,
            running=len(scheduler.running) + (running - len(scheduler.running)) / steps,
            decoding=decoding,
            context_tokens=context,
            used=(used + scheduler.pool.used) / 2,
            waits=scheduler.waits if scheduler.waiting else None,
        )
        if steps > 1 and scheduler.sizes.steps_in_flight > 1:
            self.in_flight.append((self.end - equal.last_seconds, []))
        self.in_flight.append((self.end, self._finished()))

    def _step(self, chunks: list[Chunk]) -> None:
        scheduler = self.scheduler
        for request in scheduler.preempted:
            if not request.finished:
                request.last_token = self.end
        prompts, contexts = 0, 0.0
        for chunk in chunks:
            prompts += chunk.tokens
            contexts += chunk.tokens * (chunk.computed_before + chunk.tokens / 2)
        seconds = self.step_seconds(
            decoding_requests=scheduler.decoding,
            decoding_context_tokens=scheduler.context_tokens,
            prompt_tokens=prompts,
            prompt_context_tokens=contexts,
            prompts=len(chunks),
        )
        begin = max(self.now, self.end)
        if self.trace:
            tokens = {one.number: 1 for one in scheduler.running.values() if one.decoding}
            self.trace(1, tokens | {chunk.request.number: chunk.tokens for chunk in chunks})
        self.end = begin + seconds
        self.meters.tokens(seconds, scheduler.decoding)
        self.meters.passed(
            begin,
            self.end,
            steps=1,
            running=len(scheduler.running),
            decoding=scheduler.decoding,
            context_tokens=scheduler.context_tokens,
            used=scheduler.pool.used,
            waits=scheduler.waits,
        )
        finished = self._finished()
        for chunk in chunks:
            self._chunk_done(chunk, begin, finished)
        self.in_flight.append((self.end, finished))

    def _finished(self) -> list[Request]:
        """Return the decoding requests that got their last token in the last step."""
        finished: list[Request] = []
        while self.finishes and self.finishes[0][0] <= self.scheduler.decode_steps:
            entry = heapq.heappop(self.finishes)
            if self._is_due(entry):
                self.scheduler.stop_decoding(entry[2])
                self._done(entry[2])
                finished.append(entry[2])
        return finished

    def _chunk_done(self, chunk: Chunk, begin: float, finished: list[Request]) -> None:
        request = chunk.request
        if request.first_scheduled < 0:
            request.first_scheduled = begin
        if not chunk.is_last:
            return
        request.written += 1
        if request.first_token < 0:
            request.first_token = self.end
            self.meters.first_tokens(1)
        else:
            self.meters.tokens(self.end - request.last_token, 1)
        if request.written == request.output_tokens:
            self._done(request)
            finished.append(request)
            return
        self.scheduler.start_decoding(request)
        due = self.scheduler.decode_steps + request.output_tokens - request.written
        heapq.heappush(self.finishes, (due, request.number, request))

    def _done(self, request: Request) -> None:
        request.last_token, request.finished = self.end, True
        self.meters.done(request)
        self.arrivals.finished(self.end)
