"""The bill by part: each sum redone by hand, and every price with its date and source."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from components.stack_outputs import total_usd_per_hour
from tests.support.plans import SCOUT, SCOUT_W4A16, planned
from vllm_eks.cli.views.cost import infrastructure, parked_lines, show_costs
from vllm_eks.cli.views.screen import console
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.hardware.prices import PRICES, instance_price_source, list_prices
from vllm_eks.planner.search.cost import (
    HOURS_PER_MONTH,
    Infrastructure,
    copy_nat_usd,
    cost_parts,
    known_usd,
    s3_usd_per_month,
    saved_usd_per_hour,
    start_gb,
    start_nat_usd,
    total_usd,
)
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.preview.recording import Recording

MADE = Infrastructure(
    control_planes=1, system_nodes=2, nat_gateways=4, public_addresses=4, root_volumes_gib=300, kms_keys=1
)


REGION = "us-west-2"
LISTED = "us-west-2, 2025-06, AWS Price List (QuinnyPig/aws-price-watcher@a6645eb)"


def nodes(model: str = SCOUT, *, price: float | None = 16.288, **how: Any) -> GpuNodes:
    plan = planned(model)
    return GpuNodes(
        plan=replace(plan, instance=replace(plan.instance, usd_per_hour=price)), zones=("us-west-2a",), **how
    )


def test_each_part_is_a_number_of_things_times_a_list_price() -> None:
    found = {part.part: part.usd_per_hour for part in cost_parts({"scout": nodes()}, MADE, REGION)}
    assert found == pytest.approx(
        {
            "GPU nodes of scout": 2 * 16.288,
            "control plane": 0.10,
            "system nodes": 2 * 0.1008,
            "NAT gateways": 4 * 0.045,
            "public addresses": 4 * 0.005,
            "root volumes": 300 * 0.08 / 730,
            "keys": 1 / 730,
        }
    )


def test_the_sum_and_the_month_follow() -> None:
    parts = cost_parts({"scout": nodes()}, MADE, REGION)
    assert total_usd(parts) == pytest.approx(sum(part.usd_per_hour or 0 for part in parts))
    assert parts[0].usd_per_month == pytest.approx(2 * 16.288 * 730)
    assert HOURS_PER_MONTH == 365 * 24 / 12


def test_one_unknown_price_makes_the_sum_unknown_not_smaller() -> None:
    parts = cost_parts({"scout": nodes(price=None), "other": nodes()}, MADE, REGION)
    assert parts[0].usd_per_hour is None
    assert parts[0].usd_per_month is None
    assert total_usd(parts) is None
    assert total_usd_per_hour([nodes(price=None), nodes()]) is None


def test_resources_that_are_not_created_are_not_on_the_bill() -> None:
    assert [part.part for part in cost_parts({"scout": nodes()}, Infrastructure(), REGION)] == ["GPU nodes of scout"]


def test_a_parked_model_costs_nothing_and_saves_its_nodes() -> None:
    (part,) = cost_parts({"scout": nodes(parked=True)}, Infrastructure(), REGION)
    assert (part.what, part.usd_per_hour) == ("parked: no nodes run", 0)
    assert saved_usd_per_hour(nodes(parked=True)) == 32.576
    assert saved_usd_per_hour(nodes()) == 0
    assert saved_usd_per_hour(nodes(parked=True, price=None)) is None


def test_what_parking_saves_is_one_line_and_the_models_without_a_price_are_another() -> None:
    parked, unknown = nodes(parked=True), nodes(parked=True, price=None)
    assert list(parked_lines({"a": parked, "b": nodes()})) == [
        "a is parked, which saves $32.58 an hour ($23,780 a month)"
    ]
    assert list(parked_lines({"a": parked, "b": unknown, "c": parked, "d": unknown})) == [
        "a, c are parked, which saves $65.15 an hour ($47,561 a month)",
        "b, d are parked, which saves the price of their nodes (g5.48xlarge), unknown here",
    ]


def test_a_spot_price_is_called_an_upper_bound() -> None:
    (part,) = cost_parts({"scout": nodes(capacity_type="spot")}, Infrastructure(), REGION)
    assert part.price_of.endswith(", on demand: spot is lower and varies")


def test_every_node_downloads_the_weights_at_a_start() -> None:
    one = planned(SCOUT_W4A16).model.weights_bytes
    assert start_gb(nodes(SCOUT_W4A16).plan) == pytest.approx(one * 1.05 / 1e9)
    two = planned(SCOUT).model.weights_bytes
    assert start_gb(nodes().plan) == pytest.approx(2 * two * 1.05 / 1e9)
    assert start_nat_usd(nodes().plan, REGION) == pytest.approx(start_gb(nodes().plan) * 0.045)


def test_every_price_has_a_date_and_a_source() -> None:
    listed = json.loads(PRICES.read_text())["prices"]
    for name, row in listed.items():
        regions = [region for one in row["lists"] for region in one["usd_by_region"]]
        assert len(regions) == len(set(regions)), f"{name} has two prices of a region"
        for region in regions:
            price = list_prices(region)[name]
            assert price.usd > 0, name
            assert re.fullmatch("202[2-6](-[01][0-9])?(-[0-3][0-9])?", price.date), name
            assert price.source, name
            assert price.region == region
    assert listed.keys() == list_prices("us-east-1").keys()
    # No source has the price of data through a NAT gateway by region.
    assert listed.keys() - list_prices("eu-central-1").keys() == {"nat_gateway_hour", "nat_gateway_gb"}
    assert list_prices("cn-north-1") == {}


@pytest.mark.parametrize(
    ("region", "gpu", "nat"),
    [
        (
            "eu-central-1",
            "unknown in eu-central-1 (16.29 in us-east-1)",
            "unknown in eu-central-1 (0.045 in us-east-1)",
        ),
        ("cn-north-1", "unknown in cn-north-1: AWS China has its own prices", None),
        ("us-gov-west-1", "unknown in us-gov-west-1: AWS GovCloud has its own prices", None),
    ],
)
def test_the_price_of_another_region_is_never_used_for_the_stack(region: str, gpu: str, nat: str | None) -> None:
    plan = replace(planned(SCOUT), instance=find_instance("g5.48xlarge", region))
    found = {part.part: part for part in cost_parts({"m": GpuNodes(plan=plan, zones=(f"{region}a",))}, MADE, region)}
    assert (found["GPU nodes of m"].usd_per_hour, found["GPU nodes of m"].price_of) == (None, gpu)
    assert (found["NAT gateways"].usd_per_hour, found["NAT gateways"].price_of) == (None, nat or gpu)
    # The AWS Price List has GovCloud too, but not China.
    assert found["public addresses"].usd_per_hour == (None if region == "cn-north-1" else pytest.approx(0.02))
    assert (total_usd(list(found.values())), copy_nat_usd(plan, region)) == (None, None)
    known = [part for part in found.values() if part.usd_per_hour is not None]
    assert known_usd(list(found.values())) == pytest.approx(sum(part.usd_per_hour or 0 for part in known))


def test_an_instance_file_has_its_own_price() -> None:
    given = replace(find_instance("g5.48xlarge"), price_region=None, usd_per_hour=3.0)
    assert instance_price_source(given) == "from the instance file"
    assert instance_price_source(replace(given, usd_per_hour=None)) == "not in the instance file"


def test_the_program_s_registrations_are_counted(recorded_stack: Callable[[str], Recording]) -> None:
    assert infrastructure(recorded_stack("prod")) == Infrastructure(
        control_planes=1,
        system_nodes=2,
        nat_gateways=1,
        public_addresses=1,
        root_volumes_gib=2 * 50 + 2 * 100,
        kms_keys=1,
    )


def test_the_volume_of_prometheus_has_its_own_line() -> None:
    found = {part.part: part for part in cost_parts({}, Infrastructure(prometheus_volume_gib=50), REGION)}
    assert list(found) == ["Prometheus volume"]
    assert found["Prometheus volume"].usd_per_month == pytest.approx(50 * 0.08)


def test_the_bill_is_printed_with_its_sum_and_its_omissions(
    recorded_stack: Callable[[str], Recording], capsys: pytest.CaptureFixture[str]
) -> None:
    show_costs(recorded_stack("prod"), console())
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "USD/h USD/month part what price of"
    assert lines[1] == "32.58 23,780 GPU nodes of llama-4-scout 2 x g5.48xlarge us-west-2, on demand, Linux, 2026"
    assert lines[8] == "32.96 24,062 total us-west-2 730 h a month"
    assert lines[9:] == [
        "weights of llama-4-scout from the Hub, each start on new nodes: 456 GB, $20.53 for NAT ($0.045 a GB, "
        "us-west-2, 2026, cloudpipelines.pages.dev/guides/aws-nat-gateway-pricing-2026), nodes that have them download "
        "nothing; 1,597 s to the first token",
        f"weights of llama-4-scout from S3: $9.78 for NAT once, $5.00 a month ($0.023 a GB, {LISTED}), free at each "
        "start; 433 s",
        "USD for each part price of",
        f"0.5 GB that CloudWatch receives logs {LISTED}",
        f"0.03 GB stored, a month logs {LISTED}",
        "0.045 GB NAT gateways us-west-2, 2026, cloudpipelines.pages.dev/guides/aws-nat-gateway-pricing-2026",
        f"0.09 GB to the internet traffic {LISTED}",
        "not in the total: what is billed by usage, and traffic between zones. The S3 endpoint is free.",
    ]


def test_a_bucket_costs_its_storage_and_nat_data_once() -> None:
    gb = nodes().plan.model.weights_bytes / 1e9
    assert s3_usd_per_month(nodes().plan, REGION) == pytest.approx(gb * 0.023)
    assert copy_nat_usd(nodes().plan, REGION) == pytest.approx(gb * 0.045)


def test_system_nodes_of_another_type_have_an_unknown_price_and_not_that_of_the_default() -> None:
    made = Infrastructure(system_nodes=2, system_instance_type="c7i.2xlarge")
    (part,) = cost_parts({}, made, REGION)
    assert (part.what, part.usd_per_hour, part.price_of) == ("2 x c7i.2xlarge", None, "unknown in us-west-2")
