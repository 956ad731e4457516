import re
from dataclasses import asdict

import pytest

from vllm_eks.json_fields import WrongField
from vllm_eks.planner.hardware.instance_files import instance_of
from vllm_eks.planner.hardware.instances import InstanceType, UnknownInstanceType, catalogue, find_instance
from vllm_eks.planner.hardware.other_types import SERVED, why_not_served


def test_the_catalogue_holds_every_type_and_each_row_has_the_right_types() -> None:
    assert len(catalogue()) == 58
    for row in catalogue().values():
        assert instance_of(asdict(row), where=row.type) == row


ROW = {"type": "x1", "gpu": "A10G", "gpus": 4, "gpu_memory_gib": 22, "compute_capability": "8.6"}


def test_a_row_of_the_catalogue_needs_only_the_fields_that_determine_memory() -> None:
    found = InstanceType.from_json(ROW, where="row")
    assert found == InstanceType(type="x1", gpu="A10G", gpus=4, gpu_memory_gib=22, compute_capability="8.6")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**ROW, "gpus": "4"}, "row: gpus '4' must be a whole number"),
        ({**ROW, "colour": "red"}, "row: colour is not a known key"),
        ({name: value for name, value in ROW.items() if name != "gpu"}, "row: gpu is missing"),
        ({**ROW, "zone_ids": {"us-west-2": "usw2-az1"}}, "row: zone_ids: us-west-2 'usw2-az1' must be a list"),
    ],
)
def test_a_row_of_another_form_names_the_field(row: object, message: str) -> None:
    with pytest.raises(WrongField) as caught:
        InstanceType.from_json(row, where="row")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "usable_gib"),
    [
        ("g4dn.xlarge", 14.56),
        ("g5.48xlarge", 21.98),
        ("g6.xlarge", 22.03),
        ("g6e.48xlarge", 44.31),
        ("p4d.24xlarge", 39.38),
        ("p4de.24xlarge", 79.10),
        ("p5.48xlarge", 79.10),
        ("p5en.48xlarge", 139.72),
        ("p6-b200.48xlarge", 178.35),
        ("g7e.24xlarge", 94.97),
    ],
)
def test_memory_is_the_driver_s_value_and_not_the_advertised_size(name: str, usable_gib: float) -> None:
    assert find_instance(name).gpu_memory_gib == usable_gib
    assert find_instance(name).gpu_memory_source == "measured"


def test_memory_that_is_in_no_log_is_called_an_estimate() -> None:
    estimates = {row.gpu for row in catalogue().values() if row.gpu_memory_source == "estimate"}
    assert estimates == {"L4 (1/8)", "L4 (1/4)", "L4 (1/2)", "RTX PRO 4500", "B300"}


def test_the_error_for_an_unknown_type_has_the_nearest_names() -> None:
    with pytest.raises(UnknownInstanceType) as caught:
        find_instance("g5.48xlrge")
    assert str(caught.value).startswith(
        "instance type 'g5.48xlrge' is not in the catalogue; did you mean g5.48xlarge or "
    )


@pytest.mark.parametrize(
    ("name", "lacks"),
    [
        ("inf2.48xlarge", "has AWS Neuron accelerators instead of NVIDIA GPUs"),
        ("trn1n.32xlarge", "has AWS Neuron accelerators instead of NVIDIA GPUs"),
        ("m5.large", "has no GPU"),
        ("m7i-flex.large", "has no GPU"),
        ("c8gd.4xlarge", "has no GPU"),
        ("u7i-12tb.224xlarge", "has no GPU"),
        ("g5g.xlarge", "has ARM processors, which the images and the node group do not support"),
        (
            "p6e-gb200.36xlarge",
            "has ARM processors, which the images and the node group do not support",
        ),
        ("g4ad.xlarge", "has AMD GPUs instead of NVIDIA GPUs"),
        ("p3.2xlarge", "has NVIDIA GPUs that are too old for vLLM's images"),
    ],
)
def test_a_type_that_cannot_serve_gets_a_reason_and_no_similar_name(name: str, lacks: str) -> None:
    with pytest.raises(UnknownInstanceType) as caught:
        find_instance(name)
    assert str(caught.value) == f"instance type {name!r} {lacks}: {SERVED}"
    assert caught.value.nearest == ()


def test_no_type_of_the_catalogue_counts_as_one_that_cannot_serve() -> None:
    assert [name for name in (*catalogue(), "g5.49xlarge", "p5x.large", "g9.large") if why_not_served(name)] == []


def test_the_zones_that_offer_a_type_are_listed_by_region() -> None:
    for row in catalogue().values():
        assert row.zone_ids, row.type
        for region, zones in row.zone_ids.items():
            assert re.fullmatch(r"[a-z]{2}-[a-z]+-\d", region)
            assert zones
            assert [zone for zone in zones if not re.fullmatch(r"[a-z]+\d-az\d", zone)] == []
            assert list(zones) == sorted(set(zones))
    assert find_instance("g5.48xlarge").zone_ids["us-west-2"] == ["usw2-az1", "usw2-az2", "usw2-az3"]
    assert "us-east-1" not in find_instance("p5e.48xlarge").zone_ids


def test_every_gpu_has_a_memory_bandwidth_and_a_share_of_one_has_its_share() -> None:
    bandwidth = {row.type: row.gpu_memory_bandwidth_gbytes_per_second for row in catalogue().values()}
    assert None not in bandwidth.values()
    whole = bandwidth["g6.xlarge"]
    assert whole == 300
    shares = [bandwidth[name] for name in ("g6f.xlarge", "g6f.2xlarge", "gr6f.4xlarge")]
    assert shares == [whole / 8, whole / 4, whole / 2]


def test_single_gpus_have_no_interconnect_and_others_have_one() -> None:
    for row in catalogue().values():
        assert (row.gpu_interconnect_gbytes_per_second is None) == (row.gpus == 1), row.type
    speed = {row.gpu_interconnect: row.gpu_interconnect_gbytes_per_second for row in catalogue().values()}
    assert [speed[f"NVLink{generation}+NVSwitch"] for generation in (3, 4, 5)] == [300, 450, 900]


def test_a_type_can_be_a_key_although_its_zones_are_a_mapping() -> None:
    assert len({row: row.type for row in catalogue().values()}) == len(catalogue())
