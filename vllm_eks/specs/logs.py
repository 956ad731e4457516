"""Names of the models' logs in CloudWatch, shared by the program, `doctor` and `leftovers`."""

from collections.abc import Sequence
from dataclasses import dataclass

STREAM_PREFIX = "pods/"


@dataclass(frozen=True, kw_only=True)
class LogsSpec:
    """The logs of the models' pods in CloudWatch."""

    retention_days: int
    models: Sequence[str]
    keep: bool = False
    """Whether the logs are kept when the stack is destroyed."""


def log_group_of(stack: str) -> str:
    """Return the log group of a stack's pods. `stack` is `<project>-<stack>`.

    >>> log_group_of("vllm-eks-dev")
    '/aws/eks/vllm-eks-dev/models'
    """
    return f"/aws/eks/{stack}/models"


def stream_of(namespace: str, pod: str, container: str) -> str:
    """Return the log stream of a container. A pod that LeaderWorkerSet creates again has the same stream.

    >>> stream_of("vllm-scout", "scout-0-1", "vllm")
    'pods/vllm-scout/scout-0-1/vllm'
    """
    return f"{STREAM_PREFIX}{namespace}/{pod}/{container}"
