"""Where the checks ask, and what of the stack runs there already: a second `pulumi up` needs that no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from checks.api import Api
from vllm_eks.aws.session import Record

STACK_TAG = "vllm-eks/stack"
"""On all that the stack makes, launched instances too; `config.load` writes it."""

ALIVE = ("pending", "running")
"""States of an instance in which EC2 counts it against quotas."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """One stack's place in an account."""

    api: Api
    region: str
    stack: str
    """`<project>-<stack>`: the value of the stack's tag, and the name of its own cluster."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One instance that EC2 counts."""

    type: str
    subnet_id: str
    vcpus: int
    lifecycle: str
    """`spot`, `capacity-block`, or empty: on demand."""
    reservation_id: str


def own_instances(site: Site) -> list[Instance]:
    """Return the stack's own nodes; raises what boto3 raises."""
    return _instances(site, {"Name": f"tag:{STACK_TAG}", "Values": [site.stack]})


def instances_of_types(site: Site, patterns: list[str]) -> list[Instance]:
    """Return all instances of the account whose type is of a pattern such as `g5.*`; raises what boto3 raises."""
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
    """Return the names of the account's clusters in the region; raises what boto3 raises."""
    return site.api.pages("eks", "list_clusters", "clusters")
