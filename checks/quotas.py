"""Checks that the account's quotas allow the stack in addition to running resources."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from checks.asking import Question, ask, error_code, why_unknown
from checks.site import Instance, Site, instances_of_types, own_instances
from vllm_eks.aws.session import Record
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import CAPACITY_BLOCK, SPOT, GpuNodes

NOT_SET_YET = "NoSuchResourceException"
"""Error of Service Quotas for a quota that was never changed, so that its default applies."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One quota of a service, counted in `unit`."""

    service: str
    code: str
    name: str
    unit: str
    """Such as vCPUs."""

    def show_command(self, region: str) -> str:
        """Return the command that shows the limit."""
        return f"aws service-quotas get-service-quota {self._options} --region {region}"

    def increase_command(self, wanted: int, region: str) -> str:
        """Return the command that requests a higher limit."""
        command = "aws service-quotas request-service-quota-increase"
        return f"{command} {self._options} --desired-value {wanted} --region {region}"

    @property
    def _options(self) -> str:
        return f"--service-code {self.service} --quota-code {self.code}"


@dataclass(frozen=True, kw_only=True)
class VcpuQuota:
    """A quota on the vCPUs of running instances of some types, on demand or spot."""

    quota: Quota
    patterns: tuple[str, ...]
    """EC2 filters for the types that count against it."""
    is_spot: bool


def _vcpus(code: str, name: str, *patterns: str, is_spot: bool = False) -> VcpuQuota:
    quota = Quota(service="ec2", code=code, name=name, unit="vCPUs")
    return VcpuQuota(quota=quota, patterns=patterns, is_spot=is_spot)


# Sources of codes and names: SkyPilot's quota catalogue, and printed quota lists in public repositories (2026).
ON_DEMAND = {
    "L-DB2E81BA": _vcpus("L-DB2E81BA", "Running On-Demand G and VT instances", "g*", "vt*"),
    "L-417A185B": _vcpus("L-417A185B", "Running On-Demand P instances", "p*"),
}
SPOT_BY_FAMILY = {
    "g": _vcpus("L-3819A6DF", "All G and VT Spot Instance Requests", "g*", "vt*", is_spot=True),
    "p4": _vcpus(
        "L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests", "p2.*", "p3.*", "p3dn.*", "p4*", is_spot=True
    ),
    "p5": _vcpus("L-C4BD4855", "All P5 Spot Instance Requests", "p5*", is_spot=True),
}
"""Prefix of a type -> its spot quota. Sources disagree on P6, so its quota is unknown."""


def vcpu_checks(fleet: Mapping[str, GpuNodes], site: Site) -> Iterator[Check]:
    """Yield the checks that each vCPU quota allows the nodes that the stack does not run yet."""
    needed, unknown_types = _vcpus_by_quota(fleet)
    for _, (quota, vcpus) in sorted(needed.items()):
        yield _vcpu_check(quota, vcpus, site)
    for instance_type in sorted(unknown_types):
        yield Check(
            subject=f"spot quota of {instance_type}",
            status="unknown",
            text="its quota is unknown to vllm-eks: aws service-quotas list-service-quotas --service-code ec2 "
            f"--query \"Quotas[?contains(QuotaName, 'Spot')].[QuotaName,Value]\" --region {site.region}",
        )


def _vcpus_by_quota(fleet: Mapping[str, GpuNodes]) -> tuple[dict[str, tuple[VcpuQuota, int]], set[str]]:
    counted: Counter[str] = Counter()
    quotas: dict[str, VcpuQuota] = {}
    unknown: set[str] = set()
    for nodes in fleet.values():
        instance = nodes.plan.instance
        # A Capacity Block is prepaid and counts against no quota.
        if not nodes.total or not instance.vcpus or nodes.capacity_type == CAPACITY_BLOCK:
            continue
        if nodes.capacity_type == SPOT:
            quota = next((one for start, one in SPOT_BY_FAMILY.items() if instance.type.startswith(start)), None)
        else:
            quota = ON_DEMAND.get(instance.quota_code or "")
        if quota:
            quotas[quota.quota.code] = quota
            counted[quota.quota.code] += nodes.total * instance.vcpus
        elif nodes.capacity_type == SPOT:
            unknown.add(instance.type)
    return {code: (quota, counted[code]) for code, quota in quotas.items()}, unknown


def _vcpu_check(vcpu: VcpuQuota, needed: int, site: Site) -> Check:
    question = Question(
        subject=f"quota {vcpu.quota.name} holds {needed} vCPUs",
        actions="ec2:DescribeInstances",
        command=f"aws ec2 describe-instances --filters Name=instance-type,Values={','.join(vcpu.patterns)} "
        f"Name=instance-state-name,Values=pending,running --region {site.region}",
    )

    def in_use(instances: list[Instance]) -> int:
        spot = [one for one in instances if (one.lifecycle == "spot") == vcpu.is_spot]
        return sum(one.vcpus for one in spot if one.lifecycle != "capacity-block")

    def use() -> tuple[int, int]:
        all_instances = instances_of_types(site, list(vcpu.patterns))
        types = {one.type for one in all_instances}
        own = [one for one in own_instances(site) if one.type in types]
        return in_use(all_instances), in_use(own)

    return quota_check(vcpu.quota, needed, question, use, site)


def quota_check(quota: Quota, needed: int, question: Question, use: Callable[[], tuple[int, int]], site: Site) -> Check:
    """Return the check that a quota allows the whole stack.

    Args:
        quota: The quota.
        needed: The total that the stack needs.
        question: How to find the usage. Its subject becomes the check's.
        use: Returns the current usage, and the part of it that is the stack's own.
        site: The account and region.
    """
    asked = Question(
        subject=question.subject, actions="servicequotas:GetServiceQuota", command=quota.show_command(site.region)
    )
    limit = ask(asked, lambda: limit_of(quota, site))
    if isinstance(limit, Check):
        return limit
    more = f"request an increase: {quota.increase_command(needed, site.region)}"
    subject = f"quota {quota.name} ({quota.code})"
    if limit < needed:
        text = f"its limit is {limit} {quota.unit} and the stack needs {needed}; {more}"
        return Check(subject=subject, status="failed", text=text)
    try:
        everything, own = use()
    except Exception as error:  # boto3's error types are not imported here
        text = f"its limit is {limit}; the usage is unknown: {why_unknown(error, question)}"
        return Check(subject=question.subject, status="unknown", text=text)
    others, missing = everything - own, max(needed - own, 0)
    # A full quota is fine when the stack starts nothing more.
    if missing and missing > limit - everything:
        text = (
            f"its limit is {limit} {quota.unit}, others use {others}, and the stack needs {needed}; free some, or "
            f"request an increase: {quota.increase_command(needed + others, site.region)}"
        )
        return Check(subject=subject, status="failed", text=text)
    beside = f", others use {others}" if others else ""
    return Check(subject=question.subject, status="passed", text=f"its limit is {limit}{beside}")


def limit_of(quota: Quota, site: Site) -> int:
    """Return the account's limit, or the default if it was never changed. Raises boto3's errors."""

    def asked(operation: str) -> Record:
        return site.api.answer("service-quotas", operation, ServiceCode=quota.service, QuotaCode=quota.code)

    try:
        answer = asked("get_service_quota")
    except Exception as error:
        if error_code(error) != NOT_SET_YET:
            raise
        answer = asked("get_aws_default_service_quota")
    return int(answer["Quota"]["Value"])
