"""The stack's account and region, and its instances that already run, which a second `pulumi up` does not start."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checks.api import Api
from vllm_eks.aws.session import Record

STACK_TAG = "vllm-eks/stack"
"""The tag on all of the stack's resources, including launched instances. `config.load` sets it."""

ALIVE = ("pending", "running")
"""Instance states that count against quotas."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The account, region and name of a stack."""

    api: Api
    region: str
    stack: str
    """`<project>-<stack>`: the value of the stack's tag, and the name of its own cluster."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """An instance that counts against quotas."""

    type: str
    subnet_id: str
    vcpus: int
    lifecycle: str
    """`spot`, `capacity-block`, or empty for on demand."""
    reservation_id: str


def own_instances(site: Site) -> list[Instance]:
    """Return the stack's own nodes. Raises boto3's errors."""
    return _instances(site, {"Name": f"tag:{STACK_TAG}", "Values": [site.stack]})


def instances_of_types(site: Site, patterns: list[str]) -> list[Instance]:
    """Return the account's instances whose types match patterns such as `g5.*`. Raises boto3's errors."""
    return _instances(site, {"Name": "instance-type", "Values": patterns})


def _instances(site: Site, by: Mapping[str, Any]) -> list[Instance]:
    alive = {"Name": "instance-state-name", "Values": list(ALIVE)}
    reservations = site.api.pages("ec2", "describe_instances", "Reservations", Filters=[by, alive])
    return [_instance(record) for reservation in reservations for record in reservation["Instances"]]


def _instance(record: Record) -> Instance:
    cpu = record.get("CpuOptions", {})
    return Instance(
        type=record["InstanceType"],
        subnet_id=record.get("SubnetId", ""),
        vcpus=cpu.get("CoreCount", 0) * cpu.get("ThreadsPerCore", 1),
        lifecycle=record.get("InstanceLifecycle", ""),
        reservation_id=record.get("CapacityReservationId", ""),
    )


def clusters(site: Site) -> list[str]:
    """Return the names of the account's clusters in the region. Raises boto3's errors."""
    return site.api.pages("eks", "list_clusters", "clusters")
