"""All checks of a stack, in display order, with the results of their lookups."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from checks.account import offering_checks, system_type_checks, version_check, zone_checks
from checks.api import Api, is_offline
from checks.existing_cluster import ClusterRequest, FoundCluster, find_cluster
from checks.existing_network import FoundNetwork, NetworkRequest, find_network
from checks.front_door_network import FoundRanges
from checks.front_door_parts import RANGES, front_door_parts
from checks.limits import cluster_limit_check, network_limit_checks, node_group_limit_checks
from checks.monitoring import room_check, workspace_check
from checks.node_groups import FoundGroups, find_node_groups
from checks.parallel import in_parallel
from checks.plans import capacity_warnings, fleet_warnings, plan_check, plan_warnings
from checks.quotas import vcpu_checks
from checks.release import release_checks
from checks.reservation_groups import reservation_group_checks
from checks.reservations import FoundReservations, find_reservations
from checks.site import Site
from checks.taken import admin_checks, boundary_check, log_group_check
from vllm_eks.check import NOT_QUERIED, OPEN_QUESTION, Check
from vllm_eks.pins.eks import SUPPORTED_KUBERNETES_VERSIONS
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.specs.cluster import ClusterSpec, ExistingClusterSpec, FoundControlPlane
from vllm_eks.specs.endpoint import UNKNOWN_RANGE, EndpointSpec
from vllm_eks.specs.logs import log_group_of
from vllm_eks.specs.network import ExistingVpcSpec, FoundVpc, NetworkSpec
from vllm_eks.specs.observability import InstalledPrometheus, ManagedPrometheus, PrometheusSpec
from vllm_eks.specs.stack import StackSpec

Answer: TypeAlias = (
    FoundNetwork | FoundRanges | FoundCluster | FoundGroups | FoundReservations | Check | Sequence[Check] | None
)
"""Of one of the parts that run in parallel."""


@dataclass(frozen=True, kw_only=True)
class StackFacts:
    """The properties of a stack that the checks need."""

    spec: StackSpec
    fleet: Mapping[str, GpuNodes]
    """The GPU nodes of each model, by its name in the stack file."""
    network: NetworkSpec
    cluster: ClusterSpec
    prometheus: PrometheusSpec | None = None
    """What collects metrics, or None."""
    copies_weights: bool = False
    """Whether pods need AWS credentials for the weights."""
    logs: bool = False
    """Whether the stack creates a log group for the models' pods."""
    endpoint: EndpointSpec | None = None
    """The load balancer, or None."""
    open_questions: Sequence[str] = ()
    """Questions that the stack file leaves open for an offline preview."""


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The checks, and the existing resources that they looked up."""

    checks: Sequence[Check]
    vpc: FoundVpc | None = None
    """Set for an existing network."""
    control_plane: FoundControlPlane | None = None
    """Set for an existing cluster."""
    block_ends: Mapping[str, datetime] = field(default_factory=dict[str, datetime])
    """When the Capacity Block of each model ends, if it has one and the account tells."""
    offline: bool = False
    """Whether this is an offline preview, which contacts nothing."""


def run_checks(stack: StackFacts, account: Api) -> Findings:
    """Run all checks of a stack, so that all errors are reported at once."""
    site = Site(api=account, region=stack.spec.region, stack=stack.spec.name)
    answers = in_parallel(_parts(stack, site))
    existing_vpc = stack.network.existing
    network, cluster = answers.pop(NETWORK, None), answers.pop(CLUSTER, None)
    groups, reservations = answers.pop(GROUPS), answers.get(RESERVATIONS)
    ranges = answers.pop(RANGES, None)
    found = groups if isinstance(groups, FoundGroups) else FoundGroups(checks=tuple(_checks_of(groups)))
    return Findings(
        checks=(
            *(plan_check(name, nodes) for name, nodes in stack.fleet.items()),
            *(warning for name, nodes in stack.fleet.items() for warning in plan_warnings(name, nodes)),
            *(warning for name, nodes in stack.fleet.items() for warning in capacity_warnings(name, nodes)),
            *fleet_warnings(stack.fleet),
            *release_checks(stack.fleet, stack.cluster.node_release_version),
            *_open_to_all(stack.cluster.public_access_cidrs),
            *(Check(subject=OPEN_QUESTION, status="unknown", text=question) for question in stack.open_questions),
            *_checks_of_lookup(network, has_ids=bool(existing_vpc and existing_vpc.subnets)),
            *_checks_of(ranges),
            *_ranges_are_known(stack.endpoint, network),
            *_checks_of_lookup(cluster),
            *(check for answer in answers.values() for check in _checks_of(answer)),
            *found.checks,
            *node_group_limit_checks(
                stack.fleet,
                site,
                own_groups=found.own,
                other_groups=found.others,
                system_groups=0 if stack.cluster.existing else 1,
            ),
        ),
        vpc=_found_vpc(existing_vpc, network, ranges) if existing_vpc else None,
        control_plane=cluster.control_plane if isinstance(cluster, FoundCluster) else None,
        block_ends=reservations.block_ends if isinstance(reservations, FoundReservations) else {},
        offline=is_offline(account),
    )


NETWORK, CLUSTER, GROUPS = "network.existing", "cluster.existing", "node groups"
RESERVATIONS = "capacity reservations"


def _parts(stack: StackFacts, site: Site) -> dict[str, Callable[[], Answer]]:
    """Return the checks to run in parallel, each with a name to report if it fails."""
    fleet, existing_cluster, existing_vpc = stack.fleet, stack.cluster.existing, stack.network.existing
    parts: dict[str, Callable[[], Answer]] = {}
    if existing_vpc is not None:
        requested = _network_request(stack, existing_vpc)
        parts[NETWORK] = lambda: find_network(requested, site)
    else:
        parts["network.zones"] = lambda: list(zone_checks(stack.network.zones, site))
    if existing_cluster is not None:
        cluster_request = _cluster_request(stack, existing_cluster)
        parts[CLUSTER] = lambda: find_cluster(cluster_request, site)
    else:
        parts |= _of_a_new_cluster(stack, site)
    parts["instance types"] = lambda: list(offering_checks(fleet, site))
    parts[RESERVATIONS] = lambda: find_reservations(fleet, site)
    parts["reservation groups"] = lambda: list(reservation_group_checks(_reservation_groups(fleet), fleet, site))
    parts["vCPU quotas"] = lambda: list(vcpu_checks(fleet, site))
    if existing_vpc is None:
        parts["network quotas"] = lambda: list(network_limit_checks(stack.network.nat_gateway_count, site))
    if boundary := stack.spec.iam.permissions_boundary:
        parts["permissions boundary"] = lambda: boundary_check(boundary, site)
    if isinstance(stack.prometheus, ManagedPrometheus):
        managed = stack.prometheus
        parts["Prometheus workspace"] = lambda: workspace_check(managed, site)
    if stack.endpoint:
        vpc_id = existing_vpc.vpc_id if existing_vpc else None
        parts |= front_door_parts(stack.endpoint, vpc_id, existing_cluster.name if existing_cluster else None, site)
    parts[GROUPS] = lambda: find_node_groups(existing_cluster.name if existing_cluster else stack.spec.name, site)
    return parts


def _of_a_new_cluster(stack: StackFacts, site: Site) -> dict[str, Callable[[], Answer]]:
    cluster, network = stack.cluster, stack.network
    parts: dict[str, Callable[[], Answer]] = {
        "cluster.kubernetesVersion": lambda: version_check(cluster.kubernetes_version, site),
        "log groups": lambda: list(_log_group_checks(stack, site)),
        "cluster.admins": lambda: list(admin_checks(cluster.admins, site)),
        "cluster quota": lambda: cluster_limit_check(site),
        "system nodes": lambda: list(system_type_checks(cluster.system_instance_type, network.system_zones, site)),
    }
    if isinstance(stack.prometheus, InstalledPrometheus | ManagedPrometheus):
        parts["room for Prometheus"] = lambda: room_check(cluster.system_instance_type, site)
    return parts


def _log_group_checks(stack: StackFacts, site: Site) -> Iterator[Check]:
    names = [f"/aws/eks/{stack.spec.name}/cluster", *([log_group_of(stack.spec.name)] if stack.logs else [])]
    found = (log_group_check(site, name, new_network=stack.network.existing is None) for name in names)
    yield from (check for check in found if check)


def _reservation_groups(fleet: Mapping[str, GpuNodes]) -> dict[str, str]:
    arns = {name: nodes.capacity_reservation_group_arn for name, nodes in fleet.items()}
    return {name: arn for name, arn in arns.items() if arn}


def _open_to_all(public_access_cidrs: Sequence[str]) -> Iterator[Check]:
    if "0.0.0.0/0" in public_access_cidrs:
        yield Check(
            subject="cluster.publicAccessCidrs",
            status="warning",
            text="0.0.0.0/0 exposes the Kubernetes API to the internet: set the addresses of your callers",
        )


def _network_request(stack: StackFacts, vpc: ExistingVpcSpec) -> NetworkRequest:
    types_by_zone: dict[str, list[str]] = {}
    for nodes in stack.fleet.values():
        for zone in nodes.zones:
            types_by_zone.setdefault(zone, []).extend([nodes.plan.instance.type] * nodes.per_zone)
    return NetworkRequest(
        vpc=vpc,
        zones=stack.network.zones,
        nodes=types_by_zone,
        has_control_plane=stack.cluster.existing is None,
        has_load_balancer=stack.endpoint is not None and not stack.endpoint.internet_facing,
    )


def _cluster_request(stack: StackFacts, cluster: ExistingClusterSpec) -> ClusterRequest:
    return ClusterRequest(
        cluster=cluster,
        kubernetes_version=stack.cluster.kubernetes_version,
        known_versions=SUPPORTED_KUBERNETES_VERSIONS,
        vpc_id=stack.network.existing.vpc_id if stack.network.existing else "",
        copies_weights=stack.copies_weights or bool(stack.endpoint and stack.endpoint.installs_controller),
    )


def _checks_of_lookup(found: Answer, *, has_ids: bool = False) -> Sequence[Check]:
    if isinstance(found, Check):
        # The stack cannot continue without the result of the lookup.
        return (found if has_ids else Check(subject=found.subject, status="failed", text=found.text),)
    return _checks_of(found)


def _checks_of(answer: Answer) -> Sequence[Check]:
    if isinstance(answer, FoundNetwork | FoundRanges | FoundCluster | FoundGroups | FoundReservations):
        return answer.checks
    return (answer,) if isinstance(answer, Check) else answer or ()


def _ranges_are_known(endpoint: EndpointSpec | None, network: Answer) -> Iterator[Check]:
    """Yield an error if an internal load balancer's subnets are unknown, without which no NetworkPolicy lets it in."""
    if endpoint is None or endpoint.internet_facing or not isinstance(network, FoundNetwork):
        return
    offline = any(check.text.startswith(NOT_QUERIED) for check in network.checks)
    missing = [subnet for subnet in network.private_subnets.values() if subnet not in network.ranges]
    if missing and not offline:
        text = f"the address ranges of {', '.join(missing)} are unknown, and NetworkPolicies need them: allow "
        yield Check(subject="endpoint.scheme", status="failed", text=f"{text}ec2:DescribeSubnets")


def _found_vpc(vpc: ExistingVpcSpec, network: Answer, ranges: Answer) -> FoundVpc:
    subnets = network.private_subnets if isinstance(network, FoundNetwork) else vpc.subnets
    if not isinstance(ranges, FoundRanges):
        return FoundVpc(vpc_id=vpc.vpc_id, private_subnets=subnets)
    private = dict.fromkeys(subnets.values(), UNKNOWN_RANGE)
    if isinstance(network, FoundNetwork):
        private |= network.ranges
    return FoundVpc(
        vpc_id=vpc.vpc_id,
        private_subnets=subnets,
        ranges=ranges.vpc,
        nat_addresses=ranges.nat_addresses,
        subnet_ranges={**private, **ranges.public_subnets},
    )
