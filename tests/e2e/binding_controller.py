"""What the AWS Load Balancer Controller does with a TargetGroupBinding's finalizer, while its Deployment exists."""

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.endpoint.controller import NAMESPACE, SERVICE_ACCOUNT
from tests.e2e.engine_lab import begun

FINALIZER = "elbv2.k8s.aws/resources"
"""kubernetes-sigs/aws-load-balancer-controller, controllers/elbv2/targetgroupbinding_controller.go."""
PAUSE_SECONDS = 1
HOLD_SECONDS = 10
"""How long a deleted binding keeps its finalizer. The engine meanwhile begins each deletion that it may begin."""
DEPLOYMENT = SERVICE_ACCOUNT
"""The stand-in chart names its Deployment after the release, and the release has this name."""


@dataclass
class Seen:
    """What happened to bindings, by `namespace/name`."""

    bound: set[str] = field(default_factory=set[str])
    """They got the finalizer."""
    released: set[str] = field(default_factory=set[str])
    """They were deleted, and the controller was there to remove the finalizer."""
    stuck: set[str] = field(default_factory=set[str])
    """They were deleted after the controller. With the real one, `pulumi destroy` would wait for them in vain."""


@contextmanager
def binding_controller(lab: Any, stack: Any) -> Iterator[Seen]:
    """Act as the controller. Bindings that are stuck are released, so that no test hangs.

    It removes the finalizer some seconds after the deletion, as the real one first deregisters targets. An engine that
    may delete the controller's release at the same time has then begun to.
    """
    seen, stop = Seen(), threading.Event()
    thread = threading.Thread(target=_act, args=(lab, stack.events, seen, stop))
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
        # After a failed test bindings remain, and with their finalizer the next lab could not delete their namespace.
        for binding in _bindings(lab):
            _set_finalizers(lab, binding, [])


def _act(lab: Any, events: Path, seen: Seen, stop: threading.Event) -> None:
    deleted: dict[str, float] = {}
    while not stop.wait(PAUSE_SECONDS):
        for binding in _bindings(lab):
            meta = binding["metadata"]
            name, has = f"{meta['namespace']}/{meta['name']}", FINALIZER in meta.get("finalizers", [])
            if "deletionTimestamp" in meta:
                since = deleted.setdefault(name, time.monotonic())
                if has and time.monotonic() - since > HOLD_SECONDS:
                    (seen.released if _runs(lab, events) else seen.stuck).add(name)
                    _set_finalizers(lab, binding, [])
            elif not has and _runs(lab, events):
                seen.bound.add(name)
                _set_finalizers(lab, binding, [FINALIZER])


def _bindings(lab: Any) -> list[Any]:
    """Return the bindings. Before the controller's release there are no such objects, and kubectl fails."""
    listed = _kubectl(lab, "get", "targetgroupbindings", "--all-namespaces", "--output=json")
    return json.loads(listed.stdout)["items"] if listed.returncode == 0 else []


def _runs(lab: Any, events: Path) -> bool:
    """Return whether the controller runs, and the engine does not yet delete its release.

    Its Deployment alone would not tell: it outlives the beginning of that deletion by seconds.
    """
    if any(op == "delete" and name.endswith(f"-{DEPLOYMENT}") for op, name in begun(events)):
        return False
    found = _kubectl(lab, "get", "deployment", DEPLOYMENT, f"--namespace={NAMESPACE}", "--output=json")
    return found.returncode == 0 and "deletionTimestamp" not in json.loads(found.stdout)["metadata"]


def _set_finalizers(lab: Any, binding: Any, names: list[str]) -> None:
    meta, patch = binding["metadata"], json.dumps({"metadata": {"finalizers": names}})
    where = f"--namespace={meta['namespace']}"
    # A binding may be gone in the meantime.
    _kubectl(lab, "patch", "targetgroupbinding", meta["name"], where, "--type=merge", f"--patch={patch}")


def _kubectl(lab: Any, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["kubectl", *words], env=lab.env, capture_output=True, text=True, check=False)
