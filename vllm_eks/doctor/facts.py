"""What the doctor looks at, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vllm_eks.pods.engine import EngineState

Object = Mapping[str, Any]
"""A Kubernetes object, as its API gives it."""


@dataclass(frozen=True, kw_only=True)
class EngineLooks:
    """Two looks at one leader's engine, some seconds apart."""

    before: EngineState
    after: EngineState
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """What the cluster has of one model."""

    name: str
    namespace: str
    group: Object | None
    """Its LeaderWorkerSet; None: there is none."""
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    jobs: Sequence[Object] = ()
    logs: Mapping[str, str] = field(default_factory=dict)
    """Pod -> the end of the log of what crashed or is not ready."""
    job_logs: Mapping[str, str] = field(default_factory=dict)
    """Job -> the end of its last pod's log."""
    job_pods: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    """Job -> its last pod."""
    releases: Sequence[Object] = ()
    """Helm's records of the namespace's releases that never came to an end, without what they hold."""
    engines: Mapping[str, EngineLooks] = field(default_factory=dict)
    """Ready leader -> its engine."""


@dataclass(frozen=True, kw_only=True)
class NodeGroupFacts:
    """What EKS has of one model's GPU nodes."""

    name: str
    model: str
    status: str
    cluster: str = ""
    issues: Sequence[tuple[str, str]] = ()
    """Code and message, as EKS gives them."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All of a stack."""

    models: Sequence[ServedModel] = ()
    node_groups: Sequence[NodeGroupFacts] = ()
    nodes: Sequence[Object] = ()
    """The GPU nodes of all models, as Kubernetes has them."""
    now: float = 0.0
    """Seconds since 1970 when all of this was asked."""
    unknown: Sequence[tuple[str, str]] = ()
    """What could not be asked, and why."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing the doctor says."""

    subject: str
    severity: str
    """`ok`, `problem` or `unknown`."""
    title: str
    evidence: str = ""
    remedy: str = ""
    code: str = ""
