"""Checks the free addresses of a private subnet of an existing VPC."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from checks.asking import Question, ask
from checks.front_door import own_load_balancers
from checks.site import Site, clusters, own_instances
from vllm_eks.aws.session import Record
from vllm_eks.check import Check

CONTROL_PLANE_ADDRESSES = 16
"""EKS requires 6 free addresses in each subnet of a control plane and recommends 16 (EKS user guide)."""
MIN_PER_NODE = 10
"""Our estimate of the minimum for the last GPU node of a subnet and its pods."""
INTERFACES_PER_NODE = 2
"""VPC CNI, eni-and-ip-target: the node's first interface and one in reserve, both with all their addresses."""
USUAL_ADDRESSES = 50
"""Addresses per interface of a large GPU type, for when EC2 does not answer."""
LOAD_BALANCER_ADDRESSES = 8
"""Application Load Balancers, subnets: at least eight free addresses in each."""


@dataclass(frozen=True, kw_only=True)
class AddressRequest:
    """What the stack runs in a subnet."""

    node_types: Sequence[str]
    """The instance type of each GPU node."""
    has_control_plane: bool
    has_load_balancer: bool


def address_check(found: Record, requested: AddressRequest, key: str, site: Site) -> Check | None:
    """Return a check when a subnet has too few free addresses for what does not run yet, or None."""
    free, id_ = found["AvailableIpAddressCount"], found["SubnetId"]
    question = Question(
        subject=f"{id_} has addresses for the nodes",
        actions="ec2:DescribeInstances and eks:ListClusters",
        command=f"aws ec2 describe-instances --filters Name=subnet-id,Values={id_} --region {site.region}",
    )
    running = ask(question, lambda: Counter(one.type for one in own_instances(site) if one.subnet_id == id_))
    has_cluster = ask(question, lambda: site.stack in clusters(site))
    unknown = next((one for one in (running, has_cluster) if isinstance(one, Check)), None)
    # Running nodes already have their addresses.
    here = running if isinstance(running, Counter) else Counter[str]()
    missing = list((Counter(requested.node_types) - here).elements())
    control_plane = CONTROL_PLANE_ADDRESSES if requested.has_control_plane and has_cluster is not True else 0
    balancer = LOAD_BALANCER_ADDRESSES if requested.has_load_balancer and not has_load_balancer(id_, site) else 0
    taken = sorted(_addresses_taken(one, site) for one in missing)
    # Each node takes as many addresses as it can. The last node needs only the minimum.
    needed = control_plane + balancer + sum(taken[1:]) + (MIN_PER_NODE if missing else 0)
    if free >= needed:
        return None
    users = [f"{len(missing)} more GPU {'node' if len(missing) == 1 else 'nodes'}"] if missing else []
    users += ["the control plane"] if control_plane else []
    users += ["the load balancer"] if balancer else []
    needs = "needs" if len(users) == 1 and len(missing) < 2 else "need"
    cni = f" (the VPC CNI takes up to {max(taken)} per node)" if missing else ""
    text = (
        f"{id_} has {free} free addresses, and {_listed(users)} {needs} {needed} or more{cni}: free some, or use a "
        "larger subnet"
    )
    if unknown:
        return Check(
            subject=question.subject, status="unknown", text=f"{text}; running nodes are unknown: {unknown.text}"
        )
    return Check(subject=key, status="failed", text=text)


def has_load_balancer(subnet: str, site: Site) -> bool:
    """Return whether the stack's load balancer runs in a subnet, and so has its addresses there already."""
    question = Question(
        subject="the load balancer has its addresses",
        actions="elasticloadbalancing:DescribeLoadBalancers and elasticloadbalancing:DescribeTags",
        command=f"aws elbv2 describe-load-balancers --region {site.region}",
    )
    found = ask(question, lambda: own_load_balancers(site)[1])
    return not isinstance(found, Check) and any(
        zone["SubnetId"] == subnet for one in found for zone in one.get("AvailabilityZones", ())
    )


def _listed(users: Sequence[str]) -> str:
    """Return names as in a sentence."""
    return f"{', '.join(users[:-1])} and {users[-1]}" if len(users) > 1 else users[0]


def _addresses_taken(instance_type: str, site: Site) -> int:
    """Return the number of addresses that the CNI takes for a node of an instance type."""
    try:
        found = site.api.pages("ec2", "describe_instance_types", "InstanceTypes", InstanceTypes=[instance_type])
        per_interface = found[0]["NetworkInfo"]["Ipv4AddressesPerInterface"]
    except Exception:  # no permission, or no answer
        per_interface = USUAL_ADDRESSES
    return INTERFACES_PER_NODE * per_interface
