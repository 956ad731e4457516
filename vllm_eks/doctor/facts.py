"""The doctor's input and output, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vllm_eks.pods.engine import EngineState

Object = Mapping[str, Any]
"""A Kubernetes object from the API."""


@dataclass(frozen=True, kw_only=True)
class EngineLooks:
    """Two states of a leader's engine, some seconds apart."""

    before: EngineState
    after: EngineState
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """The cluster's objects of one model."""

    name: str
    namespace: str
    group: Object | None
    """Its LeaderWorkerSet, or None when there is none."""
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    jobs: Sequence[Object] = ()
    logs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Pod that crashed or is not ready -> the end of its log."""
    job_logs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Job -> the end of its last pod's log."""
    job_pods: Mapping[str, Sequence[Object]] = field(default_factory=dict[str, Sequence[Object]])
    """Job -> its last pod."""
    releases: Sequence[Object] = ()
    """Metadata of Helm's records of unfinished releases in the namespace."""
    engines: Mapping[str, EngineLooks] = field(default_factory=dict[str, EngineLooks])
    """Ready leader -> its engine."""


@dataclass(frozen=True, kw_only=True)
class NodeGroupFacts:
    """An EKS node group of a model."""

    name: str
    model: str
    status: str
    cluster: str = ""
    issues: Sequence[tuple[str, str]] = ()
    """Code and message from EKS."""


@dataclass(frozen=True, kw_only=True)
class LostPod:
    """A pod of a model that is gone, or that was recreated."""

    model: str
    namespace: str
    name: str
    group: int
    index: int
    """0 is the leader."""
    recreated_at: float | None = None
    """When the pod with its name was created, in seconds since 1970, or None when there is none."""


@dataclass(frozen=True, kw_only=True)
class KeptLog:
    """The last lines of a lost pod, from CloudWatch."""

    pod: LostPod
    text: str


@dataclass(frozen=True, kw_only=True)
class ExistingPrometheusFacts:
    """What the cluster has of an existing Prometheus."""

    missing_kinds: Sequence[str]
    """Kinds of its operator that the API server does not know."""
    namespace: str
    has_prometheus: bool
    """Whether a pod of a Prometheus is in its namespace."""
    own_namespace_is_taken: bool
    """Whether the namespace for metrics exists, and no stack has created it."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All facts about a stack."""

    models: Sequence[ServedModel] = ()
    node_groups: Sequence[NodeGroupFacts] = ()
    nodes: Sequence[Object] = ()
    """The Kubernetes nodes of all models."""
    kept_logs: Sequence[KeptLog] = ()
    """Of all models."""
    existing_prometheus: ExistingPrometheusFacts | None = None
    """None if the stack does not use one."""
    now: float = 0.0
    """Time of the facts in seconds since 1970."""
    unknown: Sequence[tuple[str, str]] = ()
    """Subjects that could not be read, with the reasons."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One finding of the doctor."""

    subject: str
    severity: str
    """`ok`, `problem` or `unknown`."""
    title: str
    evidence: str = ""
    remedy: str = ""
    code: str = ""
