"""vLLM's V1 scheduler: which requests get how many tokens in the next step.

Follows v1/core/sched/scheduler.py of 0.27.0 for text requests: running requests first, in the order of their admission;
then waiting ones, first come first served, while the token budget, max_num_seqs and the KV cache have room, and only if
the whole prompt fits (scheduler_reserve_full_isl). A prompt may be split over steps (chunked prefill). A request that
finds no block preempts the last admitted one, which starts again with those of its blocks that are still cached.
"""

from collections import deque
from dataclasses import dataclass

from vllm_eks.planner.load.kv_blocks import NOBODY, BlockPool
from vllm_eks.planner.load.replayed import Request, Waits


@dataclass(frozen=True, kw_only=True)
class EngineSizes:
    """The sizes of one replica's engine."""

    max_num_seqs: int
    max_num_batched_tokens: int
    blocks: int
    """KV-cache blocks for requests."""
    block_tokens: int = 16
    prefix_caching: bool = True
    steps_in_flight: int = 2
    """Steps that are scheduled ahead of their results: 2 with async scheduling, the default since 0.14, else 1."""


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """Prompt tokens of one request in a step."""

    request: Request
    tokens: int
    computed_before: int
    is_last: bool


class Scheduler:
    """The queues of one replica. All decoding requests are in each step, so only their number and sums are kept."""

    def __init__(self, sizes: EngineSizes, *, shared_prefix_tokens: int = 0) -> None:
        self.sizes = sizes
        self.pool = BlockPool(sizes.blocks)
        self.waiting: deque[Request] = deque()
        self.running: dict[int, Request] = {}
        """In the order of admission. A prompt in work is always the last one, because it used up a token budget."""
        self.decode_steps = 0
        self.decoding = 0
        self.context_tokens = 0
        """Tokens in the KV cache of all decoding requests."""
        self.in_work: Request | None = None
        self.waits: Waits | None = None
        """What the first waiting request waits for, since the last step that asked."""
        self.preempted: list[Request] = []
        """Requests that the last step preempted."""
        self._shared_blocks = shared_prefix_tokens // sizes.block_tokens if sizes.prefix_caching else 0
        self._due = [0] * sizes.block_tokens
        """How many decoding requests need a new block in a decode step, by the step modulo the block size."""
        self._due_requests: list[dict[int, Request]] = [{} for _ in self._due]
        """These requests, in the order of admission, which is the order in which they begin to decode."""

    def schedule(self) -> list[Chunk]:
        """Assign the tokens of one step, and return the prompts in it. Each decoding request gets one token."""
        self.preempted.clear()
        self._blocks_for_decoding()
        budget = self.sizes.max_num_batched_tokens - self.decoding
        self.context_tokens += self.decoding
        self.decode_steps += 1
        chunks: list[Chunk] = []
        if self.in_work:
            self._continue(self.in_work, budget, chunks)
            budget -= sum(chunk.tokens for chunk in chunks)
        self.waits = None
        if not self.preempted:
            self._admit(budget, chunks)
        return chunks

    def steps_until_blocks_end(self, most: int) -> int:
        """Return for how many steps, up to `most`, the decoding requests find blocks."""
        free, size = self.pool.free, self.sizes.block_tokens
        rounds = free // self.decoding if self.decoding else most
        if rounds * size >= most:
            return most
        free -= rounds * self.decoding
        steps = rounds * size
        while steps < most:
            free -= self._due[(self.decode_steps + steps) % size]
            if free < 0:
                return steps
            steps += 1
        return most

    def decode_only(self, steps: int) -> None:
        """Do steps in which nothing happens but decoding. The blocks must suffice."""
        size = self.sizes.block_tokens
        rounds, rest = divmod(steps, size)
        self.pool.take(
            rounds * self.decoding + sum(self._due[(self.decode_steps + step) % size] for step in range(rest))
        )
        self.decode_steps += steps
        self.context_tokens += steps * self.decoding

    def start_decoding(self, request: Request) -> None:
        """Count a request whose prompt is done among the decoding ones."""
        if self.in_work is request:
            self.in_work = None
        request.decoding = True
        request.offset = request.computed - self.decode_steps
        self.decoding += 1
        self.context_tokens += request.computed
        due = -request.offset % self.sizes.block_tokens
        self._due[due] += 1
        self._due_requests[due][request.number] = request

    def stop_decoding(self, request: Request) -> None:
        """Remove a request from the decoding ones. It keeps its blocks until `release`."""
        request.computed = request.offset + self.decode_steps
        request.written = request.computed - request.prompt_tokens + 1
        request.blocks = -(-request.computed // self.sizes.block_tokens)
        request.decoding = False
        self.decoding -= 1
        self.context_tokens -= request.computed
        due = -request.offset % self.sizes.block_tokens
        self._due[due] -= 1
        del self._due_requests[due][request.number]

    def release(self, request: Request) -> None:
        """Free the blocks of a finished request, if it was not preempted before its last token was known."""
        self.waits = None
        if self.running.pop(request.number, None) is None:
            return
        self._free(request, NOBODY, request.computed)

    def _free(self, request: Request, owner: int, known_tokens: int) -> None:
        full = known_tokens // self.sizes.block_tokens if self.sizes.prefix_caching else 0
        own = request.blocks - request.shared_blocks
        cached = max(0, min(own, full - request.shared_blocks))
        self.pool.give_unfilled(own - cached)
        self.pool.give(owner, cached)
        if request.shared_blocks:
            self.pool.leave_shared(request.shared_blocks)

    def _blocks_for_decoding(self) -> None:
        """Take the blocks that the decoding requests need in this step, and preempt requests while there are none."""
        due = self.decode_steps % self.sizes.block_tokens
        if self._due[due] <= self.pool.free:
            self.pool.take(self._due[due])
            return
        needed = 0
        for request in list(self._due_requests[due].values()):
            # It may have been preempted for one before it.
            if not request.decoding:
                continue
            while self.pool.free == needed:
                self.pool.take(needed)
                needed = 0
                last = next(reversed(self.running.values()))
                self._preempt(last)
                if last is request:
                    return
            needed += 1
        self.pool.take(needed)

    def _preempt(self, request: Request) -> None:
        # The last token of a step in flight is not known yet, so it fills no block.
        known = request.computed
        if request.decoding:
            self.stop_decoding(request)
            known = max(known, request.computed - (self.sizes.steps_in_flight - 1))
        self.preempted.append(request)
        del self.running[request.number]
        if self.in_work is request:
            self.in_work = None
        self._free(request, request.number, known)
        if request.finished:
            return
        request.preemptions += 1
        request.computed = request.blocks = request.shared_blocks = 0
        self.waiting.appendleft(request)

    def _continue(self, request: Request, budget: int, chunks: list[Chunk]) -> None:
        """Schedule the next part of the prompt in work, or preempt it if it finds no blocks."""
        tokens = min(request.prompt_tokens + request.written - request.computed, budget)
        if not tokens:
            return
        needed = -(-(request.computed + tokens) // self.sizes.block_tokens) - request.blocks
        if needed > self.pool.free:
            self._preempt(request)
            return
        self.pool.take(needed)
        self._add_chunk(request, tokens, needed, chunks)

    def _admit(self, budget: int, chunks: list[Chunk]) -> None:
        size = self.sizes.block_tokens
        while self.waiting and budget > 0:
            if len(self.running) >= self.sizes.max_num_seqs:
                self.waits = "seqs"
                return
            request = self.waiting[0]
            total = request.prompt_tokens + request.written
            shared, own = self._hits(request, total)
            found = shared + own
            from_queue = own + (max(0, shared - self.pool.shared_held) if shared else 0)
            if -(-total // size) - found + from_queue > self.pool.free:
                self.waits = "kv"
                return
            self.waiting.popleft()
            self.running[request.number] = request
            if request.preemptions:
                self.pool.take_back(request.number, own)
                self.pool.forget(request.number)
            if shared:
                self.pool.hold_shared(shared)
            request.computed, request.blocks, request.shared_blocks = found * size, found, shared
            tokens = min(total - request.computed, budget)
            needed = -(-(request.computed + tokens) // size) - found
            self.pool.take(needed)
            self._add_chunk(request, tokens, needed, chunks)
            budget -= tokens

    def _hits(self, request: Request, total: int) -> tuple[int, int]:
        """Return the cached blocks of the shared prefix and of a preempted request itself. One token is computed."""
        if not (self._shared_blocks or request.preemptions) or not self.sizes.prefix_caching:
            return 0, 0
        most = (total - 1) // self.sizes.block_tokens
        prefix = min(self._shared_blocks, request.prompt_tokens // self.sizes.block_tokens)
        shared = min(prefix, self.pool.shared_cached, most)
        own = self.pool.cached_of(request.number) if request.preemptions and shared == prefix else 0
        return shared, min(own, most - shared)

    def _add_chunk(self, request: Request, tokens: int, new_blocks: int, chunks: list[Chunk]) -> None:
        before = request.computed
        request.computed += tokens
        request.blocks += new_blocks
        if self._shared_blocks:
            self._share(request)
        is_last = request.computed == request.prompt_tokens + request.written
        self.in_work = None if is_last else request
        chunks.append(Chunk(request=request, tokens=tokens, computed_before=before, is_last=is_last))

    def _share(self, request: Request) -> None:
        """Let the next requests find the blocks of the shared prefix that this one computes."""
        size = self.sizes.block_tokens
        shared = min(self._shared_blocks, request.prompt_tokens // size, request.computed // size)
        if shared > self.pool.shared_cached:
            self.pool.extend_shared(request.shared_blocks, shared)
            request.shared_blocks = shared
