"""Which endpoints a pod of the cluster can probe. Alerts about the others would be false."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from config.checked_stack import check_stack
from tests.support.monitoring import FRONT_DOOR
from tests.support.stack_config import model, write_stack
from vllm_eks.specs.network import FoundVpc, NetworkSpec
from vllm_eks.stack_files.read import read_stack_file

NETWORK = NetworkSpec(zones=["us-west-2a", "us-west-2b"])
NAT = ["8.8.4.4/32", "8.8.8.8/32"]
EXISTING = FoundVpc(vpc_id="vpc-1", private_subnets={}, ranges=["10.0.0.0/16", "100.64.0.0/16"])
CERTIFICATE = "arn:aws:acm:us-west-2:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("scheme", "ranges", "new_vpc", "existing_vpc"),
    [
        ("internal", (), True, True),
        ("internal", ("10.0.0.0/16",), True, False),
        ("internal", ("10.0.0.0/16", "100.64.0.0/16"), True, True),
        ("internal", ("10.0.0.0/20",), False, False),
        ("internal", ("192.168.0.0/16", "0.0.0.0/0"), True, True),
        ("internetFacing", ("0.0.0.0/0",), True, True),
        ("internetFacing", ("203.0.113.0/24",), True, False),
        ("internetFacing", ("8.8.8.8/32",), True, False),
        ("internetFacing", ("8.8.8.8/32", "8.8.4.0/24"), True, True),
    ],
)
def test_a_pod_may_connect(scheme: Any, ranges: tuple[str, ...], new_vpc: bool, existing_vpc: bool) -> None:
    endpoint = replace(FRONT_DOOR, scheme=scheme, source_ranges=ranges)
    existing = replace(EXISTING, nat_addresses=NAT)
    assert (endpoint.lets_pods_in(NETWORK, None), endpoint.lets_pods_in(NETWORK, existing)) == (new_vpc, existing_vpc)
    assert endpoint.lets_pods_in(NETWORK, EXISTING) is (existing_vpc and ranges != ("8.8.8.8/32", "8.8.4.0/24"))


@pytest.mark.parametrize(("ranges", "is_probed"), [(["10.0.0.0/20"], False), (["10.0.0.0/8"], True)])
def test_a_closed_endpoint_gets_a_warning_instead_of_a_probe(folder: Path, ranges: list[str], is_probed: bool) -> None:
    endpoint = {
        "scheme": "internal",
        "domain": "models.example.com",
        "certificateArn": CERTIFICATE,
        "sourceRanges": ranges,
    }
    write_stack(folder, {"qwen": model()}, endpoint=endpoint, observability={"prometheus": "install"})
    checked = check_stack(read_stack_file(folder, "test"))
    assert bool(checked.settings.probed_endpoint(None)) is is_probed
    assert [one for one in checked.warnings if "sourceRanges" in one] == (
        []
        if is_probed
        else [
            "vllm-eks:endpoint.sourceRanges: admits no pod of the cluster, so no metric shows the end of the "
            "certificate, and no alert fires if the endpoint does not answer: add 10.0.0.0/16, the range of the VPC"
        ]
    )


def test_a_limit_above_vllm_s_histogram_gets_a_warning_instead_of_an_alert(folder: Path) -> None:
    traffic = {"input": 1000, "output": 100, "requestsPerSecond": 1, "itl": "2min@p90", "e2e": "2min@p90"}
    write_stack(folder, {"qwen": model(traffic=traffic)}, observability={"prometheus": "install"})
    assert [one for one in check_stack(read_stack_file(folder, "test")).warnings if "traffic" in one] == [
        "vllm-eks:models.qwen.traffic.itl: 120s@p90 is above 40s, the largest time that an alert can tell from "
        "vLLM's histogram"
    ]


def test_ranges_of_examples_get_a_warning(folder: Path) -> None:
    endpoint = {"scheme": "internal", "domain": "models.example.com", "sourceRanges": ["10.0.0.0/8", "203.0.113.0/25"]}
    write_stack(folder, {"qwen": model()}, endpoint=endpoint)
    assert [one for one in check_stack(read_stack_file(folder, "test")).warnings if "sourceRanges" in one] == [
        "vllm-eks:endpoint.sourceRanges[1]: '203.0.113.0/25' is a range for documentation (RFC 5737), so no client is "
        "in it: replace it with the addresses of your clients"
    ]
