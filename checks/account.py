"""Checks of zones, of instance types in them, and of the Kubernetes version."""

from collections.abc import Iterator, Mapping, Sequence

from checks.asking import Question, ask
from checks.site import Site
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

REFUSED_ZONE_IDS = ("use1-az3", "usw1-az2", "cac1-az3")
"""Zones that cannot have subnets of a control plane (EKS user guide, network requirements)."""


def zone_checks(zones: Sequence[str], site: Site) -> Iterator[Check]:
    """Yield the check that the account has each zone of a new network, and that EKS supports it.

    Zone letters differ between accounts, and zone ids do not.
    """
    region = site.region
    question = Question(
        subject=f"the account has {', '.join(sorted(zones))}, and EKS supports them",
        actions="ec2:DescribeAvailabilityZones",
        command=f"aws ec2 describe-availability-zones --region {region}",
    )
    answer = ask(question, lambda: site.api.pages("ec2", "describe_availability_zones", "AvailabilityZones"))
    if isinstance(answer, Check):
        yield answer
        return
    ids = {zone["ZoneName"]: zone["ZoneId"] for zone in answer}
    # Local Zones, which have longer names, cannot have a control plane.
    usable = [zone for zone, zone_id in ids.items() if zone_id not in REFUSED_ZONE_IDS and len(zone) == len(region) + 1]
    errors: list[str] = []
    for zone in zones:
        if zone not in ids:
            errors.append(f"{zone} is not a zone of this account")
        elif ids[zone] in REFUSED_ZONE_IDS:
            errors.append(f"{zone} is {ids[zone]} in this account, and EKS does not support that zone")
    if errors:
        text = f"{'; '.join(errors)}: choose from {', '.join(sorted(usable))}"
        yield Check(subject="network.zones", status="failed", text=text)
    else:
        listed = ", ".join(f"{zone} is {ids[zone]}" for zone in sorted(zones))
        yield Check(subject=question.subject, status="passed", text=listed)


def offering_checks(fleet: Mapping[str, GpuNodes], site: Site) -> Iterator[Check]:
    """Yield the checks that each instance type is offered in the zones of its models."""
    needed: dict[str, dict[str, list[str]]] = {}
    for name, nodes in fleet.items():
        for zone in nodes.zones:
            needed.setdefault(nodes.plan.instance.type, {}).setdefault(zone, []).append(f"models.{name}")
    for instance_type, zones in sorted(needed.items()):
        yield from _offering(instance_type, zones, site)


def system_type_checks(instance_type: str, zones: Sequence[str], site: Site) -> Iterator[Check]:
    """Yield the checks that the system nodes' type is offered in their zones."""
    key = "cluster.systemInstanceType"
    for check in _offering(instance_type, {zone: [key] for zone in zones}, site):
        if check.status == "failed":
            text = f"{check.text}: set {key} to an x86_64 type with at least 2 vCPUs and 8 GiB that they offer"
            yield Check(subject=key, status="failed", text=text)
        else:
            yield check


def _offering(instance_type: str, zones: Mapping[str, Sequence[str]], site: Site) -> Iterator[Check]:
    question = Question(
        subject=f"{instance_type} is offered in {' and '.join(sorted(zones))}",
        actions="ec2:DescribeInstanceTypeOfferings",
        command="aws ec2 describe-instance-type-offerings --location-type availability-zone "
        f"--filters Name=instance-type,Values={instance_type} --region {site.region}",
    )
    answer = ask(
        question,
        lambda: site.api.pages(
            "ec2",
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=[{"Name": "instance-type", "Values": [instance_type]}],
        ),
    )
    if isinstance(answer, Check):
        yield answer
        return
    offered = sorted(one["Location"] for one in answer)
    missing = [zone for zone in sorted(zones) if zone not in offered]
    if not missing:
        yield Check(subject=question.subject, status="passed", text=f"it is offered in {', '.join(offered)}")
    for zone in missing:
        instead = f"of this account's zones, {', '.join(offered)} do" if offered else f"no zone of {site.region} does"
        text = f"{zone} does not offer {instance_type}; {instead}"
        yield Check(subject=" and ".join(zones[zone]), status="failed", text=text)


def version_check(kubernetes_version: str, site: Site, *, is_existing: bool = False) -> Check:
    """Return the check that the Kubernetes version is in standard support.

    Args:
        kubernetes_version: The cluster's version, such as 1.36.
        site: The account and region.
        is_existing: Whether the cluster exists already, so that the stack does not choose its version.
    """
    question = Question(
        subject=f"Kubernetes {kubernetes_version} is in standard support",
        actions="eks:DescribeClusterVersions",
        command=f"aws eks describe-cluster-versions --cluster-versions {kubernetes_version} --region {site.region}",
    )
    answer = ask(
        question,
        lambda: site.api.pages(
            "eks", "describe_cluster_versions", "clusterVersions", clusterVersions=[kubernetes_version]
        ),
    )
    if isinstance(answer, Check):
        return answer
    found = [one for one in answer if one["clusterVersion"] == kubernetes_version]
    if not found:
        return Check(
            subject=question.subject, status="unknown", text=f"EKS does not list this version: {question.command}"
        )
    ends = found[0].get("endOfStandardSupportDate")
    if found[0].get("versionStatus") == "STANDARD_SUPPORT":
        text = f"until {ends:%Y-%m-%d}" if ends else "confirmed by EKS"
        return Check(subject=question.subject, status="passed", text=text)
    ended = f" ended on {ends:%Y-%m-%d}" if ends else " is over"
    text = f"standard support of {kubernetes_version}{ended}, after which EKS "
    if is_existing:
        text += "costs more, or upgrades the control plane automatically: upgrade the cluster"
        return Check(subject="cluster.existing", status="warning", text=text)
    # Clusters of a stack have the upgrade policy STANDARD.
    text += "upgrades the control plane automatically: set a newer version"
    return Check(subject="cluster.kubernetesVersion", status="failed", text=text)
