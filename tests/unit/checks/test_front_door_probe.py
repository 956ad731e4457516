"""Whether the metrics' probe may connect to a load balancer in an existing network, and what to add if not."""

from typing import Any

import pytest

from checks.front_door_network import find_ranges
from tests.fakes.aws_account import Account
from tests.support.front_doors import spec

pytestmark = pytest.mark.usefixtures("moto_account")

VPCS = {
    "Vpcs": [{"CidrBlockAssociationSet": [{"CidrBlock": "10.9.0.0/16", "CidrBlockState": {"State": "associated"}}]}]
}
NAT_GATEWAYS = {"NatGateways": [{"NatGatewayAddresses": [{"PublicIp": "8.8.8.8"}, {"PrivateIp": "10.9.0.4"}]}]}


@pytest.mark.parametrize(
    ("changes", "answer", "status", "text"),
    [
        ({"source_ranges": ["203.0.113.0/24"]}, NAT_GATEWAYS, "warning", "add 8.8.8.8/32, the addresses of its NAT"),
        ({"source_ranges": ["203.0.113.0/24"]}, {"NatGateways": []}, "warning", "has no NAT gateway with a public"),
        ({"source_ranges": ["203.0.113.0/24"]}, "UnauthorizedOperation", "failed", "allow ec2:DescribeNatGateways"),
        ({"source_ranges": ["8.8.8.0/24"]}, NAT_GATEWAYS, None, ""),
        ({"source_ranges": ["0.0.0.0/0"]}, "UnauthorizedOperation", None, ""),
        ({"source_ranges": ["203.0.113.0/24"], "probed": False}, NAT_GATEWAYS, None, ""),
        ({"scheme": "internal", "source_ranges": ["10.9.0.0/20"]}, {}, "warning", "add 10.9.0.0/16, its ranges"),
        ({"scheme": "internal", "source_ranges": ["10.0.0.0/8"]}, {}, None, ""),
        ({"scheme": "internal", "source_ranges": []}, {}, None, ""),
    ],
)
def test_a_probe_in_an_existing_network_needs_its_sources(
    changes: dict[str, Any], answer: Any, status: str | None, text: str
) -> None:
    endpoint = spec(**{"scheme": "internetFacing", "probed": True, **changes})
    found = find_ranges(endpoint, "vpc-1", Account(answers={"DescribeVpcs": VPCS, "DescribeNatGateways": answer}).site)

    assert [one.status for one in found.checks] == ([status] if status else [])
    assert all(text in one.text for one in found.checks)
    asks = endpoint.probed and endpoint.internet_facing and not endpoint.lets_all_in
    assert found.nat_addresses == (["8.8.8.8/32"] if asks and answer is NAT_GATEWAYS else [])
