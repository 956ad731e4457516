"""The pool of KV-cache blocks of vLLM's V1 engine: what is free, and what prefix caching still finds in it.

Follows v1/core/block_pool.py and kv_cache_manager.py of 0.27.0. Blocks are counted, not numbered: the queue of free
blocks is a list of runs. A request frees its blocks last one first, those that are not full at the front of the queue
and the others at its end. New blocks are taken from the front, and a block keeps its content until it is taken.
"""

from collections import Counter, deque

NOBODY = -1
"""The owner of free blocks that no later request can use."""
SHARED = -2
"""The owner of the blocks of the shared prefix."""


class BlockPool:
    """Blocks of one replica with one group of layers."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        """All blocks that requests can have, without the null block."""
        self.free = blocks
        self._queue: deque[list[int]] = deque([[NOBODY, blocks]])
        """Runs of free blocks as [owner, blocks], the first to be taken in front."""
        self.shared_cached = 0
        """Blocks of the shared prefix whose content is in the cache."""
        self._holders: Counter[int] = Counter()
        """Running requests by how many blocks of the shared prefix each holds, from the first one."""

    @property
    def used(self) -> int:
        """Blocks that running requests hold."""
        return self.blocks - self.free

    def take(self, count: int) -> None:
        """Take free blocks for new tokens. What they cached is lost."""
        self.free -= count
        while count:
            run = self._queue[0]
            taken = min(count, run[1])
            run[1] -= taken
            count -= taken
            if run[0] == SHARED:
                self.shared_cached -= taken
            if not run[1]:
                self._queue.popleft()

    def give_unfilled(self, count: int) -> None:
        """Free blocks that are not full, or not cached. They are taken before all others."""
        self.free += count
        if count and self._queue and self._queue[0][0] == NOBODY:
            self._queue[0][1] += count
        elif count:
            self._queue.appendleft([NOBODY, count])

    def give(self, owner: int, count: int) -> None:
        """Free full blocks that a request held alone. `owner` finds them again if it resumes."""
        if not count:
            return
        self.free += count
        if self._queue and self._queue[-1][0] == owner and owner == NOBODY:
            self._queue[-1][1] += count
        else:
            self._queue.append([owner, count])

    def cached_of(self, owner: int) -> int:
        """Return the blocks of a preempted request whose content is still there."""
        return sum(run[1] for run in self._queue if run[0] == owner)

    @property
    def shared_held(self) -> int:
        """Blocks of the shared prefix that running requests hold. The other cached ones count as free."""
        return max(self._holders, default=0)

    def forget(self, owner: int) -> None:
        """Note that no later request finds the blocks of an owner."""
        for run in self._queue:
            if run[0] == owner:
                run[0] = NOBODY

    def hold_shared(self, count: int) -> None:
        """Add a holder of the first blocks of the shared prefix, which are in the cache."""
        self.take_back(SHARED, max(0, count - self.shared_held))
        self._holders[count] += 1

    def extend_shared(self, held: int, count: int) -> None:
        """Add new blocks of a holder, which it has taken, to the shared prefix."""
        if held:
            self._drop(held)
        self._holders[count] += 1
        self.shared_cached = count

    def leave_shared(self, count: int) -> None:
        """Remove a holder. The blocks that no other one holds are free, with their content."""
        self._drop(count)
        self.give(SHARED, max(0, count - self.shared_held))

    def _drop(self, count: int) -> None:
        self._holders[count] -= 1
        if not self._holders[count]:
            del self._holders[count]

    def take_back(self, owner: int, count: int) -> None:
        """Take free blocks of an owner with their content, those that were freed last."""
        self.free -= count
        for run in reversed(self._queue):
            if run[0] == owner and count:
                taken = min(count, run[1])
                run[1] -= taken
                count -= taken
        self._queue = deque(run for run in self._queue if run[1])
