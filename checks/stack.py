"""Every check of a stack, in the order people read them, and what the lookups on the way found."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from checks.account import offering_checks, system_type_checks, version_check, zone_checks
from checks.api import Api
from checks.existing_cluster import ClusterWish, FoundCluster, find_cluster
from checks.existing_network import FoundNetwork, NetworkWish, find_network
from checks.limits import cluster_limit_check, network_limit_checks, node_group_limit_checks
from checks.node_groups import FoundGroups, find_node_groups
from checks.parallel import checks_of, in_parallel
from checks.plans import capacity_warnings, fleet_warnings, plan_check, plan_warnings
from checks.quotas import vcpu_checks
from checks.release import release_checks
from checks.reservation_groups import reservation_group_checks
from checks.reservations import reservation_checks
from checks.site import Site
from checks.taken import admin_checks, boundary_check, log_group_check
from vllm_eks.check import OPEN_QUESTION, Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

SYSTEM_ZONES = 2
"""The system nodes are in the first two zones."""


@dataclass(frozen=True, kw_only=True)
class StackFacts:
    """What the checks need to know of a stack."""

    stack: str
    """`<project>-<stack>`: the name of its own cluster, and the value of its tag."""
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
    nat_gateways: int = 0
    """Of a new network; each has an address."""
    existing_cluster: str | None = None
    security_group_ids: Sequence[str] = ()
    """Those the GPU nodes get beside an existing cluster's own."""
    known_versions: Sequence[str] = ()
    """The Kubernetes versions that a stack file may name, oldest first."""
    node_release_version: str = ""
    """The AMI release of the nodes."""
    system_instance_type: str | None = None
    """Of a new cluster."""
    admins: Sequence[str] = ()
    permissions_boundary: str | None = None
    copies_weights: bool = False
    """Whether pods need AWS credentials for the weights."""
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


def run_checks(stack: StackFacts, account: Api) -> Findings:
    """Ask and answer everything there is to ask about a stack, so that all errors are reported at once."""
    site = Site(api=account, region=stack.region, stack=stack.stack)
    answers = in_parallel(_parts(stack, site))
    network, cluster = answers.pop(NETWORK, None), answers.pop(CLUSTER, None)
    groups = answers.pop(GROUPS)
    found = groups if isinstance(groups, FoundGroups) else FoundGroups(checks=tuple(checks_of(groups)))
    return Findings(
        checks=(
            *(plan_check(name, nodes) for name, nodes in stack.fleet.items()),
            *(warning for name, nodes in stack.fleet.items() for warning in plan_warnings(name, nodes)),
            *(warning for name, nodes in stack.fleet.items() for warning in capacity_warnings(name, nodes)),
            *fleet_warnings(stack.fleet),
            *release_checks(stack.fleet, stack.node_release_version),
            *_open_to_all(stack.public_access_cidrs),
            *(Check(subject=OPEN_QUESTION, status="unknown", text=question) for question in stack.open_questions),
            *_checks_of_lookup(network, has_ids=bool(stack.subnets)),
            *_checks_of_lookup(cluster),
            *(check for answer in answers.values() for check in checks_of(answer)),
            *found.checks,
            *node_group_limit_checks(
                stack.fleet,
                site,
                own_groups=found.own,
                other_groups=found.others,
                system_groups=0 if stack.existing_cluster else 1,
            ),
        ),
        vpc_id=stack.vpc_id,
        private_subnets=_subnets(stack, network),
        cluster=cluster.facts if isinstance(cluster, FoundCluster) else None,
    )


NETWORK, CLUSTER, GROUPS = "network.existing", "cluster.existing", "node groups"


def _parts(stack: StackFacts, site: Site) -> dict[str, Callable[[], Any]]:
    """Return what is asked at once, by a name for the part that fails."""
    fleet = stack.fleet
    parts: dict[str, Callable[[], Any]] = {}
    if stack.vpc_id is not None:
        wish = _network_wish(stack)
        parts[NETWORK] = lambda: find_network(wish, site)
    else:
        parts["network.zones"] = lambda: list(zone_checks(stack.zones, site))
    if stack.existing_cluster is not None:
        cluster_wish = _cluster_wish(stack, stack.existing_cluster)
        parts[CLUSTER] = lambda: find_cluster(cluster_wish, site)
    else:
        parts |= _of_a_new_cluster(stack, site)
    parts["instance types"] = lambda: list(offering_checks(fleet, site))
    parts["capacity reservations"] = lambda: list(reservation_checks(fleet, site))
    parts["reservation groups"] = lambda: list(reservation_group_checks(_reservation_groups(fleet), fleet, site))
    parts["vCPU quotas"] = lambda: list(vcpu_checks(fleet, site))
    if stack.vpc_id is None:
        parts["network quotas"] = lambda: list(network_limit_checks(stack.nat_gateways, site))
    if stack.permissions_boundary:
        boundary = stack.permissions_boundary
        parts["permissions boundary"] = lambda: boundary_check(boundary, site)
    parts[GROUPS] = lambda: find_node_groups(stack.existing_cluster or stack.stack, site)
    return parts


def _of_a_new_cluster(stack: StackFacts, site: Site) -> dict[str, Callable[[], Any]]:
    parts: dict[str, Callable[[], Any]] = {
        "cluster.kubernetesVersion": lambda: version_check(stack.kubernetes_version, site),
        "log group": lambda: log_group_check(site, new_network=stack.vpc_id is None),
        "cluster.admins": lambda: list(admin_checks(stack.admins, site)),
        "cluster quota": lambda: cluster_limit_check(site),
    }
    if stack.system_instance_type:
        type_, zones = stack.system_instance_type, sorted(stack.zones)[:SYSTEM_ZONES]
        parts["system nodes"] = lambda: list(system_type_checks(type_, zones, site))
    return parts


def _reservation_groups(fleet: Mapping[str, GpuNodes]) -> dict[str, str]:
    arns = {name: nodes.capacity_reservation_group_arn for name, nodes in fleet.items()}
    return {name: arn for name, arn in arns.items() if arn}


def _open_to_all(public_access_cidrs: Sequence[str]) -> Iterator[Check]:
    if "0.0.0.0/0" in public_access_cidrs:
        yield Check(
            subject="cluster.publicAccessCidrs",
            status="warning",
            text="0.0.0.0/0 exposes the Kubernetes API to the internet: write the addresses your callers come from",
        )


def _network_wish(stack: StackFacts) -> NetworkWish:
    types_by_zone: dict[str, list[str]] = {}
    for nodes in stack.fleet.values():
        for zone in nodes.zones:
            types_by_zone.setdefault(zone, []).extend([nodes.plan.instance.type] * nodes.per_zone)
    return NetworkWish(
        vpc_id=stack.vpc_id or "",
        zones=stack.zones,
        subnets=stack.subnets,
        subnet_tags=stack.subnet_tags,
        nodes=types_by_zone,
        has_control_plane=stack.existing_cluster is None,
    )


def _cluster_wish(stack: StackFacts, name: str) -> ClusterWish:
    return ClusterWish(
        name=name,
        kubernetes_version=stack.kubernetes_version,
        known_versions=stack.known_versions,
        vpc_id=stack.vpc_id or "",
        security_group_ids=stack.security_group_ids,
        copies_weights=stack.copies_weights,
    )


def _checks_of_lookup(found: FoundNetwork | FoundCluster | Check | None, *, has_ids: bool = False) -> Sequence[Check]:
    if isinstance(found, Check):
        # Nothing can be built on a lookup without a result.
        return (found if has_ids else Check(subject=found.subject, status="failed", text=found.text),)
    return found.checks if found else ()


def _subnets(stack: StackFacts, network: FoundNetwork | Check | None) -> Mapping[str, str] | None:
    if isinstance(network, FoundNetwork):
        return network.private_subnets
    return None if network is None else dict(stack.subnets)
