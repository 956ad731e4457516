"""Checks that security groups allow traffic between the stack's GPU nodes and the cluster's other nodes.

Pods have the addresses and security groups of their node. CoreDNS and the hook Job, which requests a model's first
token, run on the other nodes. Network ACLs and NodeLocal DNSCache are not checked.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.asking import Question, ask
from checks.site import STACK_TAG, Site
from vllm_eks.aws.session import Record, tags_of
from vllm_eks.check import Check

KEY = "cluster.existing"
CLUSTER_NAME_TAGS = ("eks:cluster-name", "aws:eks:cluster-name")
ALL_PROTOCOLS = "-1"
PROTOCOL_NUMBERS = {"tcp": "6", "udp": "17"}
SHUT, UNCLEAR, OPEN = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One type of traffic that a model needs."""

    protocol: str
    port: int
    purpose: str


DNS = (Flow(protocol="udp", port=53, purpose="CoreDNS"), Flow(protocol="tcp", port=53, purpose="CoreDNS"))
SERVING = (Flow(protocol="tcp", port=8000, purpose="the models' port"),)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One end of the traffic: nodes with the same security groups."""

    groups: frozenset[str]
    networks: tuple[ipaddress.IPv4Network, ...]
    """The networks of its pods' addresses."""

    @property
    def name(self) -> str:
        """The ids of the groups."""
        return " and ".join(sorted(self.groups))


def traffic_checks(cluster: str, own_groups: Sequence[str], vpc_id: str, site: Site) -> Iterator[Check]:
    """Yield the checks that GPU pods reach CoreDNS, and that the cluster's other pods reach the models.

    Args:
        cluster: The cluster's name.
        own_groups: Ids of the security groups of the stack's GPU nodes.
        vpc_id: The VPC of all nodes.
        site: The account and region.
    """
    question = Question(
        subject="security groups allow traffic between GPU nodes and the cluster's other nodes",
        actions="ec2:DescribeInstances, ec2:DescribeVpcs and ec2:DescribeSecurityGroupRules",
        command="aws ec2 describe-security-group-rules "
        f"--filters Name=group-id,Values={','.join(own_groups)} --region {site.region}",
    )
    found = ask(question, lambda: _look(cluster, own_groups, vpc_id, site))
    if isinstance(found, Check):
        yield found
        return
    ours, theirs, rules = found
    if not theirs:
        text = f"no other node of {cluster} was found (Fargate, or self-managed nodes without tags): {question.command}"
        yield Check(subject=question.subject, status="unknown", text=text)
        return
    shut = {side.groups: _flows(ours, side, rules, SHUT) for side in theirs}
    # CoreDNS and the Job run on any of the other nodes. If only some are blocked, they may run on the rest.
    status = "failed" if all(shut.values()) else "warning"
    for side in theirs:
        if shut[side.groups]:
            yield Check(subject=KEY, status=status, text=_shut(ours, side, shut[side.groups], site))
    if any(shut.values()):
        return
    if any(_flows(ours, side, rules, UNCLEAR) for side in theirs):
        text = f"some rules cover only part of the VPC, or use prefix lists: {question.command}"
        yield Check(subject=question.subject, status="unknown", text=text)
    else:
        names = ", ".join(sorted(side.name for side in theirs))
        yield Check(subject=question.subject, status="passed", text=f"between {ours.name} and {names}: 53 and 8000")


def _look(
    cluster: str, own_groups: Sequence[str], vpc_id: str, site: Site
) -> tuple[Side, list[Side], Sequence[Record]]:
    (vpc,) = site.api.pages("ec2", "describe_vpcs", "Vpcs", VpcIds=[vpc_id])
    listed = [vpc.get("CidrBlock"), *(one.get("CidrBlock") for one in vpc.get("CidrBlockAssociationSet", ()))]
    networks = tuple(ipaddress.IPv4Network(cidr) for cidr in dict.fromkeys(listed) if cidr)
    ours = Side(groups=frozenset(own_groups), networks=networks)
    sets = {frozenset(one["GroupId"] for one in node["SecurityGroups"]) for node in _other_nodes(cluster, site)}
    theirs = [Side(groups=groups, networks=ours.networks) for groups in sorted(sets, key=sorted) if groups]
    asked = sorted({*own_groups, *(group for groups in sets for group in groups)})
    rules = site.api.pages(
        "ec2", "describe_security_group_rules", "SecurityGroupRules", Filters=[{"Name": "group-id", "Values": asked}]
    )
    return ours, theirs, rules


def _other_nodes(cluster: str, site: Site) -> Iterator[Record]:
    filters = [
        {"Name": "tag-key", "Values": [f"kubernetes.io/cluster/{cluster}", *CLUSTER_NAME_TAGS]},
        {"Name": "instance-state-name", "Values": ["running"]},
    ]
    for reservation in site.api.pages("ec2", "describe_instances", "Reservations", Filters=filters):
        for node in reservation["Instances"]:
            tags = tags_of(node.get("Tags"))
            is_of_cluster = f"kubernetes.io/cluster/{cluster}" in tags or any(
                tags.get(key) == cluster for key in CLUSTER_NAME_TAGS
            )
            if is_of_cluster and tags.get(STACK_TAG) != site.stack:
                yield node


def _flows(ours: Side, theirs: Side, rules: Sequence[Record], wanted: int) -> list[tuple[Flow, bool]]:
    """Return the flows with the given state, each with whether it comes from the GPU nodes."""
    outward = [(flow, True) for flow in DNS if _state(flow, ours, theirs, rules) == wanted]
    inward = [(flow, False) for flow in SERVING if _state(flow, theirs, ours, rules) == wanted]
    return outward + inward


def _state(flow: Flow, source: Side, target: Side, rules: Sequence[Record]) -> int:
    """Return the state of traffic that leaves one side and enters the other."""
    leaves = [_rule(rule, flow, target) for rule in rules if rule["IsEgress"] and rule["GroupId"] in source.groups]
    enters = [_rule(rule, flow, source) for rule in rules if not rule["IsEgress"] and rule["GroupId"] in target.groups]
    return min(max(leaves, default=SHUT), max(enters, default=SHUT))


def _rule(rule: Record, flow: Flow, other: Side) -> int:
    """Return the state of a flow to or from the other side by one rule."""
    protocol = rule["IpProtocol"]
    if protocol != ALL_PROTOCOLS:
        if protocol not in (flow.protocol, PROTOCOL_NUMBERS[flow.protocol]):
            return SHUT
        if not rule.get("FromPort", -1) <= flow.port <= rule.get("ToPort", -1):
            return SHUT
    if "ReferencedGroupInfo" in rule:
        return OPEN if rule["ReferencedGroupInfo"].get("GroupId") in other.groups else SHUT
    if "PrefixListId" in rule:
        return UNCLEAR
    if "CidrIpv4" not in rule:
        return SHUT
    network = ipaddress.IPv4Network(rule["CidrIpv4"], strict=False)
    if all(one.subnet_of(network) for one in other.networks):
        return OPEN
    return UNCLEAR if any(one.overlaps(network) for one in other.networks) else SHUT


def _shut(ours: Side, theirs: Side, missing: Sequence[tuple[Flow, bool]], site: Site) -> str:
    lines = [
        f"{'from' if outward else 'to'} {ours.name} {'to' if outward else 'from'} {theirs.name}, "
        f"{flow.protocol} {flow.port} ({flow.purpose})"
        for flow, outward in missing
    ]
    return (
        f"security groups block traffic {'; '.join(lines)}: add {theirs.name} to {KEY}.securityGroupIds if its rules "
        "allow traffic within the group, or add rules: aws ec2 "
        f"authorize-security-group-ingress --group-id <target> --source-group <source> --protocol "
        f"{missing[0][0].protocol} --port {missing[0][0].port} --region {site.region}"
    )
