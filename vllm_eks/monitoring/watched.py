"""The facts of a stack that its rules compare metrics with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from vllm_eks.monitoring.series import Scope
from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.specs.alerts import AlertsSpec


@dataclass(frozen=True, kw_only=True)
class WatchedModel:
    """One model, as the plan has it."""

    name: str
    namespace: str
    groups: int
    """Running groups, or 0 if the model is parked."""
    pods_per_group: int
    gpus_per_group: int
    gpus_per_node: int
    """Of its instance type, also if the model does not use all of them."""
    node_usd_per_hour: float | None
    """The list price of one of its nodes. None if unknown."""
    usd_per_hour: float | None
    """Of all its running nodes."""
    startup_seconds: int
    """The start budget of one group."""
    kv_cache_tokens: Range
    """Of one group."""
    tokens_per_second: Range | None
    """The estimated output of all groups when they are full, in tokens per second. None if unknown."""
    level: ServiceLevel = field(default_factory=ServiceLevel)
    block_end: datetime | None = None
    """The end of its Capacity Block, if it has one and the account tells."""


@dataclass(frozen=True, kw_only=True)
class WatchedStack:
    """A stack whose metrics Prometheus collects."""

    name: str
    models: Sequence[WatchedModel]
    alerts: AlertsSpec = field(default_factory=AlertsSpec)
    endpoint: bool = False
    """Whether a load balancer serves the models and is probed."""
    cluster: str | None = None
    """The label `cluster` of its exporters' series, if Prometheus has the series of several clusters."""

    @property
    def scope(self) -> Scope:
        """Which series are the stack's."""
        return self._scope_of(self.models)

    def scope_of(self, model: WatchedModel) -> Scope:
        """Return which series are one model's."""
        return self._scope_of([model])

    def _scope_of(self, models: Sequence[WatchedModel]) -> Scope:
        namespaces = "|".join(model.namespace for model in models)
        return Scope(stack=self.name, namespaces=namespaces, cluster=self.cluster)


def watched_model(
    name: str,
    nodes: GpuNodes,
    *,
    namespace: str,
    level: ServiceLevel,
    block_end: datetime | None = None,
) -> WatchedModel:
    """Return the facts of one model."""
    plan = nodes.plan
    speed = plan.throughput.tokens_per_second if plan.throughput else None
    few, many = plan.kv_cache_tokens_range
    return WatchedModel(
        name=name,
        namespace=namespace,
        groups=nodes.running_replicas,
        pods_per_group=plan.nodes_per_replica,
        gpus_per_group=plan.ranks,
        gpus_per_node=plan.instance.gpus,
        node_usd_per_hour=plan.instance.usd_per_hour,
        usd_per_hour=nodes.usd_per_hour,
        startup_seconds=plan.startup.budget_seconds,
        kv_cache_tokens=Range(few, plan.kv_cache_tokens, many),
        tokens_per_second=speed * nodes.running_replicas if speed else None,
        level=level,
        block_end=block_end,
    )


def watched_models(
    fleet: Mapping[str, GpuNodes],
    *,
    namespaces: Mapping[str, str],
    levels: Mapping[str, ServiceLevel],
    block_ends: Mapping[str, datetime],
) -> list[WatchedModel]:
    """Return the facts of all models of a stack, by their names in the stack file."""
    return [
        watched_model(name, nodes, namespace=namespaces[name], level=levels[name], block_end=block_ends.get(name))
        for name, nodes in fleet.items()
    ]


def with_levels(models: Sequence[WatchedModel], level: ServiceLevel) -> list[WatchedModel]:
    """Return the models with the limits of the stack instead of their own ones."""
    return [
        replace(
            model,
            level=ServiceLevel(
                ttft=level.ttft or model.level.ttft, itl=level.itl or model.level.itl, e2e=level.e2e or model.level.e2e
            ),
        )
        for model in models
    ]
