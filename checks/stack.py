"""Every check of a stack, in the order people read them, and what the lookups on the way found."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from checks.account import offering_checks, quota_checks, version_check, zone_checks
from checks.existing_cluster import FoundCluster, find_cluster
from checks.existing_network import FoundNetwork, NetworkWish, find_network
from checks.plans import capacity_warnings, plan_check
from checks.reservations import reservation_checks
from checks.result import Check
from planner.gpu_nodes import GpuNodes


@dataclass(frozen=True, kw_only=True)
class StackFacts:
    """What the checks need to know of a stack."""

    fleet: Mapping[str, GpuNodes]
    """The GPU nodes of each model, by its name in the stack file."""
    region: str
    kubernetes_version: str
    zones: Sequence[str]
    """Of the network."""
    vpc_id: str | None = None
    """Of an existing network; None: a new one."""
    subnets: Mapping[str, str] = field(default_factory=dict)
    """Zone -> private subnet of an existing network; where empty, `subnet_tags` find them."""
    subnet_tags: Mapping[str, str] = field(default_factory=dict)
    existing_cluster: str | None = None
    public_access_cidrs: Sequence[str] = ()
    """Who may reach the API server of a new cluster from outside."""
    open_questions: Sequence[str] = ()
    """What the stack file leaves open for an offline preview."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The checks, and what was found of what exists already."""

    checks: Sequence[Check]
    vpc_id: str | None = None
    private_subnets: Mapping[str, str] | None = None
    """Zone -> subnet id of an existing network."""
    cluster: Mapping[str, str] | None = None
    """Endpoint, certificate authority and security group of an existing cluster."""


def run_checks(stack: StackFacts) -> Findings:
    """Ask and answer everything there is to ask about a stack, so that every fault is told at once."""
    network, cluster = _network(stack), _cluster(stack)
    return Findings(
        checks=(
            *(plan_check(name, nodes) for name, nodes in stack.fleet.items()),
            *(warning for name, nodes in stack.fleet.items() for warning in capacity_warnings(name, nodes)),
            *_open_to_all(stack.public_access_cidrs),
            *(Check(subject="stack file", status="unknown", text=question) for question in stack.open_questions),
            *(network.checks if network else zone_checks(stack.zones, stack.region)),
            *(cluster.checks if cluster else (version_check(stack.kubernetes_version, stack.region),)),
            *offering_checks(stack.fleet, stack.region),
            *reservation_checks(stack.fleet, stack.region),
            *quota_checks(stack.fleet, stack.region),
        ),
        vpc_id=stack.vpc_id,
        private_subnets=network.private_subnets if network else None,
        cluster=cluster.facts if cluster else None,
    )


def _open_to_all(public_access_cidrs: Sequence[str]) -> Iterator[Check]:
    if "0.0.0.0/0" in public_access_cidrs:
        yield Check(
            subject="cluster.publicAccessCidrs",
            status="warning",
            text="0.0.0.0/0 lets everybody knock at the Kubernetes API: write the addresses your callers come from",
        )


def _network(stack: StackFacts) -> FoundNetwork | None:
    if stack.vpc_id is None:
        return None
    wish = NetworkWish(vpc_id=stack.vpc_id, zones=stack.zones, subnets=stack.subnets, subnet_tags=stack.subnet_tags)
    nodes_by_zone: Counter[str] = Counter()
    for nodes in stack.fleet.values():
        for zone in nodes.zones:
            nodes_by_zone[zone] += nodes.per_zone
    return find_network(wish, nodes_by_zone, stack.region)


def _cluster(stack: StackFacts) -> FoundCluster | None:
    if stack.existing_cluster is None:
        return None
    return find_cluster(
        stack.existing_cluster,
        kubernetes_version=stack.kubernetes_version,
        vpc_id=stack.vpc_id or "",
        region=stack.region,
    )
