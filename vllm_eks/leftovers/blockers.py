"""Finds resources of others in the stack's VPC, because EC2 does not delete a VPC, subnet or group that is in use.

EC2 does not say what uses it. The usual cause is GuardDuty's runtime monitoring, which creates an endpoint and a
security group without the stack's tag (terraform-provider-aws #46747).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from vllm_eks.aws.account import Account
from vllm_eks.aws.session import Record, tags_of
from vllm_eks.json_values import is_object

GUARDDUTY = "GuardDuty's runtime monitoring, which creates it again as long as the VPC has instances"
GUARDDUTY_SERVICE = ".guardduty-data"
GUARDDUTY_GROUP = "GuardDutyManagedSecurityGroup-"


@dataclass(frozen=True, kw_only=True)
class Blocker:
    """A resource that blocks the deletion of a VPC and is not the stack's."""

    vpc: str
    kind: str
    id: str
    made_by: str
    """The owner, as far as AWS shows it."""
    removal: tuple[tuple[str, ...], ...] = ()
    """The `aws` commands that remove it. Empty when its owner must decide."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How to list one kind of resource in a VPC."""

    name: str
    operation: str
    key: str
    id_key: str
    filter: str = "vpc-id"


KINDS = (
    Kind(name="VPC endpoint", operation="describe_vpc_endpoints", key="VpcEndpoints", id_key="VpcEndpointId"),
    Kind(
        name="network interface",
        operation="describe_network_interfaces",
        key="NetworkInterfaces",
        id_key="NetworkInterfaceId",
    ),
    Kind(name="security group", operation="describe_security_groups", key="SecurityGroups", id_key="GroupId"),
    Kind(name="subnet", operation="describe_subnets", key="Subnets", id_key="SubnetId"),
    Kind(name="route table", operation="describe_route_tables", key="RouteTables", id_key="RouteTableId"),
    Kind(name="network ACL", operation="describe_network_acls", key="NetworkAcls", id_key="NetworkAclId"),
    Kind(
        name="VPN gateway",
        operation="describe_vpn_gateways",
        key="VpnGateways",
        id_key="VpnGatewayId",
        filter="attachment.vpc-id",
    ),
    Kind(
        name="transit gateway attachment",
        operation="describe_transit_gateway_vpc_attachments",
        key="TransitGatewayVpcAttachments",
        id_key="TransitGatewayAttachmentId",
    ),
    *(
        Kind(
            name="VPC peering connection",
            operation="describe_vpc_peering_connections",
            key="VpcPeeringConnections",
            id_key="VpcPeeringConnectionId",
            filter=f"{side}-vpc-info.vpc-id",
        )
        for side in ("requester", "accepter")
    ),
)
"""Load balancers and functions appear as their network interfaces."""

GONE = {"deleted", "deleting", "rejected", "expired", "failed"}


def blockers(account: Account, kind: Kind, vpcs: set[str], own: set[str]) -> Iterator[Blocker]:
    """Yield the resources of a kind in the stack's VPCs that are not the stack's.

    Args:
        account: The account.
        kind: The kind of resource.
        vpcs: Ids of the stack's own VPCs that are left.
        own: Ids of the stack's resources.

    Raises:
        PermissionDeniedError: The credentials lack the permission.
        WrongQuestion: AWS did not answer.
    """
    for vpc in sorted(vpcs):
        filters = [{"Name": kind.filter, "Values": [vpc]}]
        for record in account.pages("ec2", kind.operation, kind.key, Filters=filters):
            id_ = record[kind.id_key]
            if id_ not in own and not _goes_with_its_vpc(record) and not _goes_with_ours(record, own):
                yield Blocker(
                    vpc=vpc, kind=kind.name, id=id_, made_by=_made_by(record), removal=_removal(kind, record, id_)
                )


def _goes_with_its_vpc(record: Record) -> bool:
    """Return whether EC2 created it with the VPC, or it is already deleted."""
    is_main = any(association.get("Main") for association in record.get("Associations", ()))
    state: object = record.get("State") or record.get("Status") or ""
    code = state.get("Code", "") if is_object(state) else state
    return bool(record.get("GroupName") == "default" or is_main or record.get("IsDefault") or code in GONE)


def _goes_with_ours(record: Record, own: set[str]) -> bool:
    """Return whether it is the interface of one of the stack's resources, and is deleted with it."""
    description = record.get("Description", "") if "NetworkInterfaceId" in record else ""
    instance = record.get("Attachment", {}).get("InstanceId", "")
    return instance in own or any(id_ in description for id_ in own if "-" in id_)


def _made_by(record: Record) -> str:
    if record.get("ServiceName", "").endswith(GUARDDUTY_SERVICE):
        return GUARDDUTY
    if record.get("GroupName", "").startswith(GUARDDUTY_GROUP):
        return GUARDDUTY
    tags = tags_of(record.get("Tags") or record.get("TagSet"))
    named = tags.get("vllm-eks/stack") or tags.get("Name") or record.get("GroupName", "")
    description = record.get("Description") or record.get("ServiceName") or ""
    instance = record.get("Attachment", {}).get("InstanceId", "")
    parts = [named, description, f"attached to {instance}" if instance else ""]
    return "; ".join(part for part in parts if part) or "AWS does not show the owner"


def _removal(kind: Kind, record: Record, id_: str) -> tuple[tuple[str, ...], ...]:
    if _made_by(record) != GUARDDUTY:
        return ()
    if kind.name == "VPC endpoint":
        return (("ec2", "delete-vpc-endpoints", "--vpc-endpoint-ids", id_),)
    return (("ec2", "delete-security-group", "--group-id", id_),)
