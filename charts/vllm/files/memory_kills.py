"""Counts the processes of this container that the kernel killed for host memory, from the container's cgroup.

A killed process logs nothing, so an engine killed for memory looks like one killed by hand. The kernel counts its kills
in `oom_kill` of `memory.events` (cgroup v2) or `memory.oom_control` (v1), both for the container's limit and for a full
node. If the kernel kills the whole container at once, the container's reason is OOMKilled instead. Standard library
only.
"""

from __future__ import annotations

import re
from pathlib import Path

EVENTS = (Path("/sys/fs/cgroup/memory.events"), Path("/sys/fs/cgroup/memory/memory.oom_control"))
"""Inside a container these paths are the container's own cgroup."""
COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def memory_kills() -> int:
    """Return the kernel's count so far, or 0 when it is unknown."""
    for path in EVENTS:
        try:
            if found := COUNT.search(path.read_text()):
                return int(found[1])
        except OSError:
            continue
    return 0


def killed_since(before: int) -> str:
    """Return a message about kills since the count `before`, or an empty string."""
    count = memory_kills() - before
    what = "a process" if count == 1 else f"{count} processes"
    return f"the kernel killed {what} of this container for host memory" if count > 0 else ""
