"""A pod with a real vLLM in its own memory cgroup, with a limit that the kernel enforces (cgroup v1)."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.real_pods import QUICK, keep_message, pods

MEMORY = Path("/sys/fs/cgroup/memory")


class Limit:
    """The memory cgroup of one pod."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def take(self, pid: int) -> None:
        (self.folder / "cgroup.procs").write_text(str(pid))

    def set(self, mebibytes: int) -> None:
        (self.folder / "memory.limit_in_bytes").write_text(str(mebibytes << 20))

    def overflow(self) -> None:
        """Use more memory than is left, with a process that is smaller than the engine."""
        used = int((self.folder / "memory.usage_in_bytes").read_text()) >> 20
        self.set(used + 64)
        take = f"echo $$ > {self.folder}/cgroup.procs; exec python3 -c 'b = bytearray(400 << 20)'"
        subprocess.run(["sh", "-c", take], check=False)


@contextmanager
def limited(rendered: str, version: str, mebibytes: int | None) -> Iterator[tuple[Any, Limit]]:
    """Start only the leader, with a limit from the start if one is given."""
    if not os.access(MEMORY / "cgroup.procs", os.W_OK):
        pytest.skip("no memory controller of cgroup v1 to write to")
    cgroup = Path(tempfile.mkdtemp(prefix="vllm-eks-", dir=MEMORY))
    # Inside, the pod has its own cgroup at the path of a container, because the lab gives pods a new /sys.
    seen = Path(tempfile.mkdtemp())
    (seen / "memory").mkdir()
    subprocess.run(["mount", "--bind", str(cgroup), str(seen / "memory")], check=True)
    try:
        with pods.prepared(1, rendered, roles=["leader"], keep=None, version=version, env=QUICK) as (pod,):
            keep_message(pod)
            pod.spec["lab"] |= {str(seen): str(MEMORY.parent), str(seen / "memory"): str(MEMORY)}
            limit = Limit(cgroup)
            if mebibytes:
                limit.set(mebibytes)
            pod.start()
            limit.take(pod.process.pid)
            for pid in pods.descendants([pod.process.pid]):
                limit.take(pid)
            yield pod, limit
    finally:
        subprocess.run(["umount", str(seen / "memory")], check=True)
        (seen / "memory").rmdir()
        seen.rmdir()
        cgroup.rmdir()
