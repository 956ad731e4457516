from ipaddress import IPv4Network
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.network.subnets import ZONE_LETTERS, private_subnet_cidr, public_subnet_cidr

VPC = st.sampled_from(["10.0.0.0/16", "172.20.0.0/17", "192.168.64.0/20"])
ZONES = st.lists(st.sampled_from([f"eu-west-1{letter}" for letter in ZONE_LETTERS]), min_size=2, unique=True)


def test_the_ranges_are_a_sixteenth_in_the_lower_half_and_a_256th_in_the_upper() -> None:
    assert private_subnet_cidr("10.0.0.0/16", "us-west-2a") == "10.0.0.0/20"
    assert private_subnet_cidr("10.0.0.0/16", "us-west-2d") == "10.0.48.0/20"
    assert public_subnet_cidr("10.0.0.0/16", "us-west-2a") == "10.0.128.0/24"
    assert public_subnet_cidr("10.0.0.0/16", "us-west-2d") == "10.0.131.0/24"


@given(VPC, ZONES)
def test_subnets_do_not_overlap_and_are_all_in_the_vpc(vpc: str, zones: list[str]) -> None:
    subnets = [IPv4Network(make(vpc, zone)) for make in (private_subnet_cidr, public_subnet_cidr) for zone in zones]

    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))
    assert all(subnet.subnet_of(IPv4Network(vpc)) for subnet in subnets)
    assert all(subnet.prefixlen <= 28 for subnet in subnets)


@pytest.mark.parametrize("cidr_of", [private_subnet_cidr, public_subnet_cidr])
def test_a_zone_must_end_in_a_letter_with_room(cidr_of) -> None:
    with pytest.raises(ValueError, match="must end in a letter") as caught:
        cidr_of("10.0.0.0/16", "us-west-2z")

    assert str(caught.value) == "zone 'us-west-2z' must end in a letter from a to h, such as us-west-2a"


@pytest.mark.parametrize("cidr", ["10.0.0.0/15", "10.0.0.0/21"])
def test_a_vpc_range_must_leave_room_for_subnets_aws_takes(cidr: str) -> None:
    with pytest.raises(ValueError, match="must be between") as caught:
        private_subnet_cidr(cidr, "us-west-2a")

    assert str(caught.value) == f"network range {cidr} must be between a /16 and a /20"
