"""Pods of the prod stack's chart, run by a real vLLM on the CPU (../shared/vllm-lab), and the causes of their ends."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.chart_rendering import render_text, with_value
from vllm_eks.pods.causes import cause_of
from vllm_eks.pods.crashes import crash_text
from vllm_eks.pods.engine import state_of

ROOT = Path(__file__).parents[2]
LAB = ROOT.parent / "shared" / "vllm-lab"
BUILT = Path(os.environ.get("VLLM_LAB", Path.home() / ".cache" / "vllm-lab"))
VERSIONS = sorted(path.parent.name.removeprefix("serve-") for path in BUILT.glob("serve-*/.complete"))
CHOSEN = os.environ.get("VLLM_LAB_VERSIONS", "").split() or [*VERSIONS[:1], *VERSIONS[1:][-1:]]
"""The oldest and the newest available build."""

if not CHOSEN or not LAB.exists():
    pytest.skip("no vLLM has been built: ../shared/vllm-lab/setup.sh serve VERSION", allow_module_level=True)
if os.geteuid() != 0:
    pytest.skip("pods need root for their namespaces", allow_module_level=True)
sys.path.insert(0, str(LAB))
import pods  # noqa: E402  # pyright: ignore[reportMissingImports]

UNREADY_SECONDS = 60
START_SECONDS = 1800
"""Limit of a start that makes no progress. It takes minutes on a busy machine."""
LATE_SECONDS = 300
"""More time for a busy machine. It only bounds a failure."""
QUICK = {"OMP_NUM_THREADS": "1", "VLLM_WORKER_MULTIPROC_METHOD": "fork"}
"""Fewer threads, because they compete for the cores, and one import of torch per pod."""


def rendered_for(version: str) -> str:
    """Return the prod stack's rendered chart."""
    values = json.loads((ROOT / "tests" / "golden" / "prod.json").read_text())
    values["secrets"] = {"apiKey": "llama-api-key", "huggingFaceToken": None}
    return render_text(with_value(values, "vllmVersion", version), release="llama-4-scout")


def until(seconds: float, what: Any) -> float:
    """Wait until the function returns a true value, and return the seconds it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "not in time"
        time.sleep(0.2)
    return time.monotonic() - began


def asked(pod: Any, tokens: int, count: int = 1) -> tuple[list[threading.Thread], list[tuple[int, str]]]:
    """Send requests in the background. Return the threads and a list for their results."""
    answers: list[tuple[int, str]] = []
    threads = [threading.Thread(target=lambda: answers.append(pod.complete(tokens)), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def answered(pod: Any, threads: list[threading.Thread], still_seconds: float = 600) -> None:
    """Wait for the results as long as the engine makes progress, because the machine's speed says nothing about
    vLLM."""
    seen, moved_at = "", time.monotonic()
    for thread in threads:
        while thread.is_alive():
            thread.join(1)
            status, text = pod.request("/metrics")
            now = state_of(text).fingerprint
            if status == 200 and now != seen:
                seen, moved_at = now, time.monotonic()
            assert time.monotonic() - moved_at < still_seconds, "requests are left and the engine does nothing"


def running(pod: Any) -> bool:
    """Return whether a request is in the engine's batches."""
    return bool(state_of(pod.request("/metrics")[1]).running)


def well(pod: Any, probe: str = "readiness") -> bool:
    return pod.probe(probe).returncode == 0


@contextmanager
def broken(rendered: str, version: str, size: int = 2, **options: Any) -> Iterator[list[Any]]:
    """Start pods that end on their own. Each writes its termination message, and this creates the file as the kubelet
    does."""
    roles = ["leader", *["worker"] * (size - 1)]
    options["env"] = {**QUICK, **options.get("env", {})}
    with pods.prepared(size, rendered, roles=roles, keep=None, version=version, **options) as made:
        for pod in made:
            keep_message(pod)
            pod.start()
        yield made


def message(pod: Any) -> Path:
    return pod.folder / "volumes" / "tmp" / "message"


def keep_message(pod: Any) -> None:
    """Make a pod write its termination message to a file, which the kubelet would create."""
    supervisor = pod.command.index("/scripts/vllm_eks/pods/supervise.py")
    pod.command.insert(supervisor + 1, "--termination-log=/tmp/message")
    message(pod).touch()


def ended(pod: Any, within: float) -> tuple[int, str, str]:
    """Wait for a pod's end. Return its exit code, its message, and the cause that the hook Job and the doctor find in
    it.

    `within`: the designed limit in seconds. A busy machine has LATE_SECONDS more.
    """
    code, said = pod.wait(within + LATE_SECONDS), message(pod).read_text()
    state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "message": said}}
    status = {"containerStatuses": [{"name": "vllm", "state": state}]}
    crash = crash_text({"metadata": {"name": pod.name}, "status": status}, "")
    cause = cause_of(crash)
    assert said == "" or f"exit code {code}" in crash
    return code, said, cause.code if cause else ""
