"""Lists a stack's EC2 resources: network, volumes, instances, launch templates and placement groups."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vllm_eks.aws.account import Account
from vllm_eks.aws.session import Record, tags_of
from vllm_eks.json_values import is_object
from vllm_eks.leftovers.found import Found
from vllm_eks.leftovers.owner import Owner
from vllm_eks.leftovers.prices import (
    ADDRESS,
    ENDPOINT,
    NAT_GATEWAY,
    Cost,
    cost,
    instance_cost,
    volume_cost,
)

CLAIM_TAG, CLAIM_NAMESPACE_TAG = "kubernetes.io/created-for/pvc/name", "kubernetes.io/created-for/pvc/namespace"
"""Tags of the EBS driver on the volume of a claim (the page on tags of kubernetes-sigs/aws-ebs-csi-driver)."""

GONE = {"deleted", "terminated"}
"""States of deleted resources, which EC2 still lists for an hour."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """How to list one kind of EC2 resource, and how to read the response."""

    kind: str
    operation: str
    key: str
    id_key: str
    remove: tuple[str, str]
    """The command, and its option for the id."""
    cost: Callable[[Record], Cost | None] | None = None
    """None when the kind is free."""


def _endpoint_cost(record: Record) -> Cost | None:
    # A gateway endpoint is free. The others cost a price per zone.
    return cost(ENDPOINT, len(record.get("SubnetIds", ()))) if record.get("VpcEndpointType") != "Gateway" else None


NETWORK = Listing(kind="VPC", operation="describe_vpcs", key="Vpcs", id_key="VpcId", remove=("delete-vpc", "--vpc-id"))
INSTANCES = Listing(
    kind="instance",
    operation="describe_instances",
    key="Reservations",
    id_key="InstanceId",
    remove=("terminate-instances", "--instance-ids"),
    cost=lambda one: instance_cost(one["InstanceType"]),
)
INTERFACES = Listing(
    kind="network interface",
    operation="describe_network_interfaces",
    key="NetworkInterfaces",
    id_key="NetworkInterfaceId",
    remove=("delete-network-interface", "--network-interface-id"),
)
LISTINGS = (
    Listing(
        kind="NAT gateway",
        operation="describe_nat_gateways",
        key="NatGateways",
        id_key="NatGatewayId",
        remove=("delete-nat-gateway", "--nat-gateway-id"),
        cost=lambda _: cost(NAT_GATEWAY),
    ),
    Listing(
        kind="address",
        operation="describe_addresses",
        key="Addresses",
        id_key="AllocationId",
        remove=("release-address", "--allocation-id"),
        cost=lambda _: cost(ADDRESS),
    ),
    Listing(
        kind="VPC endpoint",
        operation="describe_vpc_endpoints",
        key="VpcEndpoints",
        id_key="VpcEndpointId",
        remove=("delete-vpc-endpoints", "--vpc-endpoint-ids"),
        cost=_endpoint_cost,
    ),
    Listing(
        kind="volume",
        operation="describe_volumes",
        key="Volumes",
        id_key="VolumeId",
        remove=("delete-volume", "--volume-id"),
        cost=lambda one: volume_cost(one["VolumeType"], one["Size"]),
    ),
    Listing(
        kind="security group",
        operation="describe_security_groups",
        key="SecurityGroups",
        id_key="GroupId",
        remove=("delete-security-group", "--group-id"),
    ),
    Listing(
        kind="launch template",
        operation="describe_launch_templates",
        key="LaunchTemplates",
        id_key="LaunchTemplateId",
        remove=("delete-launch-template", "--launch-template-id"),
    ),
    Listing(
        kind="placement group",
        operation="describe_placement_groups",
        key="PlacementGroups",
        id_key="GroupName",
        remove=("delete-placement-group", "--group-name"),
    ),
    Listing(
        kind="subnet",
        operation="describe_subnets",
        key="Subnets",
        id_key="SubnetId",
        remove=("delete-subnet", "--subnet-id"),
    ),
    Listing(
        kind="route table",
        operation="describe_route_tables",
        key="RouteTables",
        id_key="RouteTableId",
        remove=("delete-route-table", "--route-table-id"),
    ),
    Listing(
        kind="internet gateway",
        operation="describe_internet_gateways",
        key="InternetGateways",
        id_key="InternetGatewayId",
        remove=("delete-internet-gateway", "--internet-gateway-id"),
    ),
)


def listed(account: Account, owner: Owner, listing: Listing) -> Iterator[Found]:
    """Yield the stack's resources of a kind that is identified by tags alone."""
    for record in account.pages("ec2", listing.operation, listing.key):
        if _goes_with_its_vpc(record) or _is_of_an_existing_vpc(record, owner):
            continue
        if why := owner.why(tags_of(record.get("Tags"))):
            yield from _found(listing, record, why)


def instances(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the stack's instances."""
    for reservation in account.pages("ec2", INSTANCES.operation, INSTANCES.key):
        for record in reservation["Instances"]:
            if why := owner.why(tags_of(record.get("Tags"))):
                yield from _found(INSTANCES, record, why)


def interfaces(account: Account, owner: Owner, *, vpcs: set[str], own_instances: set[str]) -> Iterator[Found]:
    """Yield the stack's network interfaces. `vpcs` and `own_instances` are the stack's own."""
    for record in account.pages("ec2", INTERFACES.operation, INTERFACES.key):
        why = owner.why_interface(
            tags_of(record.get("TagSet")),
            record.get("Description", ""),
            record.get("VpcId", ""),
            vpcs=vpcs,
            instances=own_instances,
        )
        if why:
            yield from _found(INTERFACES, record, why)


def _found(listing: Listing, record: Record, why: str) -> Iterator[Found]:
    state = _state(record)
    if state in GONE:
        return
    yield Found(
        kind=listing.kind,
        id=record[listing.id_key],
        why=why,
        removal=_removal(listing, record),
        cost=listing.cost(record) if listing.cost else None,
        # A gateway endpoint is free, although its kind has a price.
        is_free=listing.cost is None or record.get("VpcEndpointType") == "Gateway",
        remark=_remark(record, state),
    )


def _removal(listing: Listing, record: Record) -> tuple[tuple[str, ...], ...]:
    command, option = listing.remove
    id_ = record[listing.id_key]
    # An internet gateway cannot be deleted while it is attached.
    detached = tuple(
        ("ec2", "detach-internet-gateway", option, id_, "--vpc-id", attachment["VpcId"])
        for attachment in record.get("Attachments", ())
        if "VpcId" in attachment
    )
    return (*detached, ("ec2", command, option, id_))


def _state(record: Record) -> str:
    state: object = record.get("State") or record.get("Status") or ""
    return str(state["Name"] if is_object(state) else state).lower()


def _remark(record: Record, state: str) -> str:
    """Return what blocks the removal, or the state if it is relevant."""
    instance = record.get("Attachment", {}).get("InstanceId")
    if instance:
        return f"attached to {instance}"
    tags = tags_of(record.get("Tags"))
    if CLAIM_TAG in tags:
        return f"of the claim {tags.get(CLAIM_NAMESPACE_TAG, '?')}/{tags[CLAIM_TAG]}"
    if "VpcEndpointType" in record:
        return f"{record['VpcEndpointType']} endpoint"
    return state if state in ("in-use", "deleting", "shutting-down", "failed") else ""


def _goes_with_its_vpc(record: Record) -> bool:
    """Return whether it is a VPC's default security group or main route table, which cannot be deleted."""
    is_main = any(association.get("Main") for association in record.get("Associations", ()))
    return record.get("GroupName") == "default" or is_main


def _is_of_an_existing_vpc(record: Record, owner: Owner) -> bool:
    """Return whether it is an existing VPC, or its subnet or route table, where the stack creates none."""
    return "GroupId" not in record and record.get("VpcId", "") == (owner.existing_vpc or "-")
