"""Free addresses of a private subnet for nodes, a control plane and a load balancer."""

from typing import Any

import pytest

from checks.subnet_addresses import AddressRequest, address_check
from tests.fakes.aws_account import STACK, Account
from vllm_eks.check import Check

pytestmark = pytest.mark.usefixtures("moto_account")

CLUSTER = {"ListClusters": {"clusters": [STACK]}}
BALANCER = {
    "DescribeLoadBalancers": {
        "LoadBalancers": [
            {"LoadBalancerArn": "arn", "Type": "application", "AvailabilityZones": [{"SubnetId": "subnet-1"}]}
        ]
    },
    "DescribeTags": {
        "TagDescriptions": [{"ResourceArn": "arn", "Tags": [{"Key": "vllm-eks/stack", "Value": STACK}]}],
    },
}
NO_BALANCER = {"DescribeLoadBalancers": {"LoadBalancers": []}}
NO_CLUSTER = {"ListClusters": {"clusters": []}}


def checked(free: int, answers: dict[str, Any], *node_types: str, subnet: str = "subnet-1") -> Check | None:
    needed = AddressRequest(node_types=node_types, has_control_plane=True, has_load_balancer=True)
    types = {"InstanceTypes": [{"NetworkInfo": {"Ipv4AddressesPerInterface": 15}}]}
    account = Account(answers={"DescribeInstanceTypes": types, "DescribeInstances": {"Reservations": []}, **answers})
    return address_check({"SubnetId": subnet, "AvailableIpAddressCount": free}, needed, "key", account.site)


def test_a_load_balancer_needs_eight_addresses_until_it_runs() -> None:
    assert checked(8, CLUSTER | NO_BALANCER) is None
    assert checked(7, CLUSTER | NO_BALANCER) == Check(
        subject="key",
        status="failed",
        text="subnet-1 has 7 free addresses, and the load balancer needs 8 or more: free some, or use a larger subnet",
    )
    assert checked(0, CLUSTER | BALANCER) is None
    assert checked(7, CLUSTER | BALANCER, subnet="subnet-2"), "it moves to other subnets"


def test_all_that_does_not_run_yet_is_counted_and_named() -> None:
    assert checked(34, NO_CLUSTER | NO_BALANCER, "g5.xlarge") is None
    check = checked(33, NO_CLUSTER | NO_BALANCER, "g5.xlarge")
    assert check
    assert check.text == (
        "subnet-1 has 33 free addresses, and 1 more GPU node, the control plane and the load balancer need 34 or more "
        "(the VPC CNI takes up to 30 per node): free some, or use a larger subnet"
    )
    two = checked(0, CLUSTER | BALANCER, "g5.xlarge", "g5.xlarge")
    assert two
    assert "and 2 more GPU nodes need 40 or more (" in two.text
