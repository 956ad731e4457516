"""How many processes of this container the kernel killed for host memory, by the container's own cgroup.

Who is killed says nothing, and an engine that was killed for memory looks like one that was killed by hand. The kernel
counts its kills: `oom_kill` in `memory.events` (cgroup v2) or `memory.oom_control` (v1), for the container's limit as
for a node that is full. Where the kubelet lets it kill the whole container at once, nobody is left to count, and the
container's reason is OOMKilled. Standard library only.
"""

from __future__ import annotations

import re
from pathlib import Path

EVENTS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))
"""Inside a container these are the container's own."""
COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def memory_kills() -> int:
    """Return the kernel's count so far; 0 where it does not tell."""
    for path in EVENTS:
        try:
            if found := COUNT.search(path.read_text()):
                return int(found[1])
        except OSError:
            continue
    return 0


def killed_since(before: int) -> str:
    """Say that the kernel killed since `before` was counted; an empty string where it did not."""
    count = memory_kills() - before
    what = "a process" if count == 1 else f"{count} processes"
    return f"the kernel killed {what} of this container for host memory" if count > 0 else ""
