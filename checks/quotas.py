"""Whether the account's quotas hold what the stack needs beside what runs already."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from checks.asking import Question, ask, error_code, why_unknown
from checks.site import Instance, Site, instances_of_types, own_instances
from vllm_eks.aws.session import Record
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import CAPACITY_BLOCK, SPOT, GpuNodes

NOT_SET_YET = "NoSuchResourceException"
"""What Service Quotas answers for a quota that nobody ever changed: its default counts."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """One quota of a service, counted in `unit`."""

    service: str
    code: str
    name: str
    unit: str
    """Such as vCPUs."""

    def asked_by(self, region: str) -> str:
        """Return the command that shows the limit."""
        return f"aws service-quotas get-service-quota {self._options} --region {region}"

    def raised_by(self, wanted: int, region: str) -> str:
        """Return the command that asks AWS for a higher limit."""
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
    """The types that count against it, as EC2 filters them."""
    is_spot: bool


def _vcpus(code: str, name: str, *patterns: str, is_spot: bool = False) -> VcpuQuota:
    quota = Quota(service="ec2", code=code, name=name, unit="vCPUs")
    return VcpuQuota(quota=quota, patterns=patterns, is_spot=is_spot)


# Codes and names: SkyPilot's catalogue of quotas, and printed lists of the service in public repositories (2026).
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
"""The beginning of a type -> its spot quota. Sources disagree on P6: its quota is not known."""


def vcpu_checks(fleet: Mapping[str, GpuNodes], site: Site) -> Iterator[Check]:
    """Yield whether each vCPU quota has room for the nodes that the stack does not run yet."""
    needed, unknown_types = _vcpus_by_quota(fleet)
    for _, (quota, vcpus) in sorted(needed.items()):
        yield _vcpu_check(quota, vcpus, site)
    for instance_type in sorted(unknown_types):
        yield Check(
            subject=f"spot quota of {instance_type}",
            status="unknown",
            text="which quota counts it is not known here: aws service-quotas list-service-quotas --service-code ec2 "
            f"--query \"Quotas[?contains(QuotaName, 'Spot')].[QuotaName,Value]\" --region {site.region}",
        )


def _vcpus_by_quota(fleet: Mapping[str, GpuNodes]) -> tuple[dict[str, tuple[VcpuQuota, int]], set[str]]:
    counted: Counter[str] = Counter()
    quotas: dict[str, VcpuQuota] = {}
    unknown: set[str] = set()
    for nodes in fleet.values():
        instance = nodes.plan.instance
        # A Capacity Block is paid for already and counts against no quota.
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
        everybody = instances_of_types(site, list(vcpu.patterns))
        types = {one.type for one in everybody}
        own = [one for one in own_instances(site) if one.type in types]
        return in_use(everybody), in_use(own)

    return room_check(vcpu.quota, needed, question, use, site)


def room_check(quota: Quota, needed: int, question: Question, use: Callable[[], tuple[int, int]], site: Site) -> Check:
    """Return whether a quota has room for what the stack needs.

    Args:
        quota: Whose limit is asked.
        needed: What the whole stack comes to.
        question: How usage is asked; its subject is the check's.
        use: Counts what exists, and how much of it is this stack's own.
        site: Who is asked.
    """
    asked = Question(
        subject=question.subject, actions="servicequotas:GetServiceQuota", command=quota.asked_by(site.region)
    )
    limit = ask(asked, lambda: limit_of(quota, site))
    if isinstance(limit, Check):
        return limit
    more = f"ask for more: {quota.raised_by(needed, site.region)}"
    subject = f"quota {quota.name} ({quota.code})"
    if limit < needed:
        text = f"its limit is {limit} {quota.unit} and the stack needs {needed}; {more}"
        return Check(subject=subject, status="failed", text=text)
    try:
        everything, own = use()
    except Exception as error:  # boto3's kinds are not known here
        text = f"its limit is {limit}; what of it is in use is not known: {why_unknown(error, question)}"
        return Check(subject=question.subject, status="unknown", text=text)
    others, missing = everything - own, max(needed - own, 0)
    # A full quota is no harm where nothing more is started.
    if missing and missing > limit - everything:
        text = (
            f"its limit is {limit} {quota.unit}, of which {others} are in use by others, and the stack needs {needed}; "
            f"free some, or ask for more: {quota.raised_by(needed + others, site.region)}"
        )
        return Check(subject=subject, status="failed", text=text)
    beside = f", {others} in use by others" if others else ""
    return Check(subject=question.subject, status="passed", text=f"its limit is {limit}{beside}")


def limit_of(quota: Quota, site: Site) -> int:
    """Return the account's limit, or the default where it was never changed; raises what boto3 raises."""

    def asked(operation: str) -> Record:
        return site.api.answer("service-quotas", operation, ServiceCode=quota.service, QuotaCode=quota.code)

    try:
        answer = asked("get_service_quota")
    except Exception as error:
        if error_code(error) != NOT_SET_YET:
            raise
        answer = asked("get_aws_default_service_quota")
    return int(answer["Quota"]["Value"])
