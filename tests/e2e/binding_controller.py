"""What the AWS Load Balancer Controller does with a TargetGroupBinding's finalizer, while its Deployment exists."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from components.endpoint.controller import NAMESPACE, SERVICE_ACCOUNT

FINALIZER = "elbv2.k8s.aws/resources"
"""kubernetes-sigs/aws-load-balancer-controller, controllers/elbv2/targetgroupbinding_controller.go."""
PAUSE_SECONDS = 1
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
def binding_controller(lab: Any) -> Iterator[Seen]:
    """Act as the controller. Bindings that are stuck are released, so that no test hangs.

    Takes a second look at a deleted binding before it removes the finalizer, as the real one first deregisters targets.
    A destroy that deletes the controller at the same time has then deleted it.
    """
    seen, stop = Seen(), threading.Event()
    thread = threading.Thread(target=_act, args=(lab, seen, stop))
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def _act(lab: Any, seen: Seen, stop: threading.Event) -> None:
    deleted: set[str] = set()
    while not stop.wait(PAUSE_SECONDS):
        for binding in _bindings(lab):
            meta = binding["metadata"]
            name, has = f"{meta['namespace']}/{meta['name']}", FINALIZER in meta.get("finalizers", [])
            if "deletionTimestamp" in meta:
                if has and name in deleted:
                    (seen.released if _runs(lab) else seen.stuck).add(name)
                    _set_finalizers(lab, binding, [])
                deleted.add(name)
            elif not has and _runs(lab):
                seen.bound.add(name)
                _set_finalizers(lab, binding, [FINALIZER])


def _bindings(lab: Any) -> list[Any]:
    """Return the bindings. Before the controller's release there are no such objects, and kubectl fails."""
    listed = _kubectl(lab, "get", "targetgroupbindings", "--all-namespaces", "--output=json")
    return json.loads(listed.stdout)["items"] if listed.returncode == 0 else []


def _runs(lab: Any) -> bool:
    found = _kubectl(lab, "get", "deployment", DEPLOYMENT, f"--namespace={NAMESPACE}", "--output=json")
    return found.returncode == 0 and "deletionTimestamp" not in json.loads(found.stdout)["metadata"]


def _set_finalizers(lab: Any, binding: Any, names: list[str]) -> None:
    meta, patch = binding["metadata"], json.dumps({"metadata": {"finalizers": names}})
    where = f"--namespace={meta['namespace']}"
    # A binding may be gone in the meantime.
    _kubectl(lab, "patch", "targetgroupbinding", meta["name"], where, "--type=merge", f"--patch={patch}")


def _kubectl(lab: Any, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["kubectl", *words], env=lab.env, capture_output=True, text=True, check=False)
