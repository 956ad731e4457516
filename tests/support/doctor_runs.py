"""Runs the doctor with stubs of the Kubernetes API and an account."""

from collections.abc import Callable
from typing import Any

from vllm_eks.errors import WrongQuestion

STACK = """\
config:
  aws:region: us-west-2
  vllm-eks:network:
    zones: [us-west-2a, us-west-2b]
  vllm-eks:cluster:
    publicAccessCidrs: [203.0.113.0/24]
  vllm-eks:models:
    scout:
      model: Qwen/Qwen3-8B
      instanceType: g5.48xlarge
      zone: us-west-2a
"""
CRASH = {
    "terminated": {"reason": "Error", "exitCode": 1, "message": "RuntimeError: Engine core initialization failed."}
}


class StubAccount:
    """An account whose EKS has one node group of the model."""

    issues: list[dict[str, str]]
    status = ""
    fault: WrongQuestion | None = None

    def __init__(self, *issues: dict[str, str], fault: WrongQuestion | None = None) -> None:
        self.issues, self.fault = list(issues), fault

    def names(self, *_: str, **__: str) -> list[str]:
        if self.fault:
            raise self.fault
        return ["nodes"]

    def answer(self, *_: str, **__: str) -> dict[str, Any]:
        labels, status = {"vllm-eks/model": "scout"}, self.status or ("CREATING" if self.issues else "ACTIVE")
        group = {"nodegroupName": "nodes", "status": status, "labels": labels, "health": {"issues": self.issues}}
        return {"nodegroup": group}


Doctor = Callable[..., tuple[int, list[dict[str, str]]]]


def problem(findings: list[dict[str, str]]) -> dict[str, str]:
    """Return the only finding that is not ok."""
    (found,) = [one for one in findings if one["severity"] != "ok"]
    return found
