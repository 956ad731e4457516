"""What the account must offer and allow, asked through the stack's own provider before anything is made."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pulumi_aws as aws

from checks.asking import Question, ask
from checks.result import Check
from planner.gpu_nodes import CAPACITY_BLOCK, SPOT, GpuNodes

REFUSED_ZONE_IDS = ("use1-az3", "usw1-az2", "cac1-az3")
"""EKS user guide, network requirements: zones that take no subnet of a control plane."""

SPOT_QUOTAS = {"L-DB2E81BA": ("L-3819A6DF", "All G and VT Spot Instance Requests")}
"""On-demand quota -> the spot quota of the same types. Those of P types have no sourced name, so are not asked."""


def zone_checks(zones: Sequence[str], region: str) -> Iterator[Check]:
    """Yield whether the account has every zone of a new network, and whether EKS takes it.

    Zone letters differ by account; ids do not.
    """
    question = Question(
        subject=f"the account has {', '.join(sorted(zones))}, and EKS takes each",
        actions="ec2:DescribeAvailabilityZones",
        command=f"aws ec2 describe-availability-zones --region {region}",
    )
    answer = ask(question, aws.get_availability_zones)
    if isinstance(answer, Check):
        yield answer
        return
    ids = dict(zip(answer.names, answer.zone_ids, strict=True))
    # Local Zones, whose names are longer, take no control plane.
    good = [zone for zone, zone_id in ids.items() if zone_id not in REFUSED_ZONE_IDS and len(zone) == len(region) + 1]
    faults = []
    for zone in zones:
        if zone not in ids:
            faults.append(f"{zone} is not a zone of this account")
        elif ids[zone] in REFUSED_ZONE_IDS:
            faults.append(f"{zone} is {ids[zone]} in this account, and EKS refuses that zone")
    if faults:
        text = f"{'; '.join(faults)}: write some of {', '.join(sorted(good))}"
        yield Check(subject="network.zones", status="failed", text=text)
    else:
        listed = ", ".join(f"{zone} is {ids[zone]}" for zone in sorted(zones))
        yield Check(subject=question.subject, status="passed", text=listed)


def offering_checks(fleet: Mapping[str, GpuNodes], region: str) -> Iterator[Check]:
    """Yield whether each instance type is offered in the zones of its models."""
    wanted: dict[str, dict[str, list[str]]] = {}
    for name, nodes in fleet.items():
        for zone in nodes.zones:
            wanted.setdefault(nodes.plan.instance.type, {}).setdefault(zone, []).append(name)
    for instance_type, zones in sorted(wanted.items()):
        yield from _offering(instance_type, zones, region)


def _offering(instance_type: str, zones: Mapping[str, Sequence[str]], region: str) -> Iterator[Check]:
    question = Question(
        subject=f"{instance_type} is offered in {' and '.join(sorted(zones))}",
        actions="ec2:DescribeInstanceTypeOfferings",
        command="aws ec2 describe-instance-type-offerings --location-type availability-zone "
        f"--filters Name=instance-type,Values={instance_type} --region {region}",
    )
    answer = ask(
        question,
        lambda: aws.ec2.get_instance_type_offerings(
            location_type="availability-zone", filters=[{"name": "instance-type", "values": [instance_type]}]
        ),
    )
    if isinstance(answer, Check):
        yield answer
        return
    offered = sorted(answer.locations)
    missing = [zone for zone in sorted(zones) if zone not in offered]
    if not missing:
        yield Check(subject=question.subject, status="passed", text=f"it is offered in {', '.join(offered)}")
    for zone in missing:
        instead = f"of this account's zones, {', '.join(offered)} do" if offered else f"no zone of {region} does"
        key = " and ".join(f"models.{name}" for name in zones[zone])
        yield Check(subject=key, status="failed", text=f"{zone} does not offer {instance_type}; {instead}")


def quota_checks(fleet: Mapping[str, GpuNodes], region: str) -> Iterator[Check]:
    """Yield whether each vCPU quota's limit is at least what all nodes of the stack need.

    The limit is compared, not what is left of it: nodes of this stack that run already are part of both.
    """
    for (code, name), vcpus in sorted(_vcpus_by_quota(fleet).items()):
        question = Question(
            subject=f"quota {name} holds {vcpus} vCPUs",
            actions="servicequotas:GetServiceQuota",
            command=f"aws service-quotas get-service-quota --service-code ec2 --quota-code {code} --region {region}",
        )
        ec2_quota = partial(aws.servicequotas.get_service_quota, service_code="ec2", quota_code=code)
        answer = ask(question, ec2_quota)
        if isinstance(answer, Check):
            yield answer
        elif answer.value >= vcpus:
            yield Check(subject=question.subject, status="passed", text=f"its limit is {answer.value:.0f}")
        else:
            yield Check(
                subject=f"quota {name} ({code})",
                status="failed",
                text=f"its limit is {answer.value:.0f} vCPUs and the stack's nodes need {vcpus}; ask for more: aws "
                f"service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} "
                f"--desired-value {vcpus} --region {region}",
            )


def _vcpus_by_quota(fleet: Mapping[str, GpuNodes]) -> Counter[tuple[str, str]]:
    needed: Counter[tuple[str, str]] = Counter()
    for nodes in fleet.values():
        instance = nodes.plan.instance
        quota = (instance.quota_code or "", instance.quota_name or "")
        if nodes.capacity_type == SPOT:
            quota = SPOT_QUOTAS.get(quota[0], ("", ""))
        # A Capacity Block is paid for already and counts against no quota.
        if all(quota) and instance.vcpus and nodes.total and nodes.capacity_type != CAPACITY_BLOCK:
            needed[quota] += nodes.total * instance.vcpus
    return needed


def version_check(kubernetes_version: str, region: str) -> Check:
    """Return whether EKS still has the Kubernetes version in standard support."""
    question = Question(
        subject=f"Kubernetes {kubernetes_version} is in standard support",
        actions="eks:DescribeClusterVersions",
        command=f"aws eks describe-cluster-versions --cluster-versions {kubernetes_version} --region {region}",
    )
    answer = ask(question, lambda: aws.eks.get_cluster_versions(cluster_versions_onlies=[kubernetes_version]))
    if isinstance(answer, Check):
        return answer
    found = [one for one in answer.cluster_versions if one.cluster_version == kubernetes_version]
    if not found:
        return Check(subject=question.subject, status="unknown", text=f"EKS lists no such version: {question.command}")
    ends = (found[0].end_of_standard_support_date or "")[:10]
    if found[0].version_status == "STANDARD_SUPPORT":
        return Check(subject=question.subject, status="passed", text=f"until {ends}" if ends else "EKS says so")
    ended = f" ended on {ends}" if ends else " is over"
    return Check(
        subject="cluster.kubernetesVersion",
        status="failed",
        text=f"standard support of {kubernetes_version}{ended}, after which EKS costs more: write a newer version",
    )
