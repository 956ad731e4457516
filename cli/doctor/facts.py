"""What the doctor looks at, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cli.doctor.chart_files import EngineState

Object = Mapping[str, Any]
"""A Kubernetes object, as its API gives it."""


@dataclass(frozen=True, kw_only=True)
class EngineLooks:
    """Two looks at one leader's engine, some seconds apart."""

    before: EngineState
    after: EngineState
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
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
    engines: Mapping[str, EngineLooks] = field(default_factory=dict)
    """Ready leader -> its engine."""


@dataclass(frozen=True, kw_only=True)
class NodeGroupFacts:
    """What EKS has of one model's GPU nodes."""

    name: str
    model: str
    status: str
    issues: Sequence[tuple[str, str]] = ()
    """Code and message, as EKS gives them."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All of a stack."""

    models: Sequence[ModelFacts] = ()
    node_groups: Sequence[NodeGroupFacts] = ()
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
