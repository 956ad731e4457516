"""EC2's records as rows of the catalogue, without session or network."""

from dataclasses import replace
from typing import Any

import pytest

from vllm_eks.catalog.catalog_file import catalogue_text, read_catalogue
from vllm_eks.catalog.catalog_merge import AwsAnswers, Merged, merge
from vllm_eks.catalog.catalog_rows import USABLE_MEMORY_SHARE, gpu_name, not_known, stated_gib
from vllm_eks.planner.hardware.instances import CATALOGUE, InstanceType, catalogue, find_instance


def merged_with(record: dict[str, Any], rows: list[InstanceType]) -> Merged:
    """The catalogue's rows merged with one of EC2's records, without zones and prices."""
    return merge(rows, AwsAnswers(types={record["InstanceType"]: record}, zone_ids={}, prices_usd_per_hour=None))


def record(type_: str, **gpu: Any) -> dict[str, Any]:
    """A record of DescribeInstanceTypes, by default for two GPUs with 24 GiB each."""
    given = {"Name": "A10G", "Manufacturer": "NVIDIA", "Count": 2, "MemoryInfo": {"SizeInMiB": 22888}, **gpu}
    return {
        "InstanceType": type_,
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        "VCpuInfo": {"DefaultVCpus": 48},
        "MemoryInfo": {"SizeInMiB": 196608},
        "NetworkInfo": {"MaximumNetworkCards": 1, "NetworkCards": [{"BaselineBandwidthInGbps": 40.0}]},
        "GpuInfo": {"Gpus": [given]},
    }


def test_the_catalogue_file_has_the_format_that_the_command_writes() -> None:
    assert catalogue_text(*read_catalogue(CATALOGUE)) == CATALOGUE.read_text()


def test_the_catalogue_agrees_with_moto_s_copy_of_ec2_s_answers() -> None:
    """A refresh reads every record as when the catalogue was created: only missing types are new."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    gpus = {name: one for name, one in INSTANCE_TYPES.items() if one.get("GpuInfo", {}).get("Gpus")}
    nvidia = {name: one for name, one in gpus.items() if one["GpuInfo"]["Gpus"][0]["Manufacturer"] == "NVIDIA"}
    rows = list(catalogue().values())
    found = merge(rows, AwsAnswers(types=nvidia, zone_ids={}, prices_usd_per_hour=None))
    assert found.changed == {}
    assert found.remarks == found.kept == []
    assert {row.type: gpu_name(nvidia[row.type]) for row in rows} == {row.type: row.gpu for row in rows}
    measured = [row for row in rows if row.gpu_memory_source == "measured"]
    assert min(row.gpu_memory_gib / stated_gib(nvidia[row.type]) for row in measured) == USABLE_MEMORY_SHARE


def test_a_new_type_of_a_measured_gpu_has_its_memory_and_bandwidths() -> None:
    (row,) = merged_with(record("g5.new"), list(catalogue().values())).added
    twin = find_instance("g5.12xlarge")
    assert (row.gpu_memory_gib, row.gpu_memory_source) == (21.98, "measured")
    same = (
        "compute_capability",
        "gpu_memory_bandwidth_gbytes_per_second",
        "gpu_interconnect",
        "gpu_interconnect_gbytes_per_second",
        "quota_code",
        "quota_name",
    )
    assert {name: getattr(row, name) for name in same} == {name: getattr(twin, name) for name in same}
    assert not_known(row) == ["gpudirect_rdma"]


@pytest.mark.parametrize(("size_mib", "usable_gib"), [(40960, 39.38), (81920, 79.10), (65536, 58.24)])
def test_gpus_with_the_same_name_are_distinguished_by_memory(size_mib: int, usable_gib: float) -> None:
    (row,) = merged_with(
        record("p4.new", Name="A100", MemoryInfo={"SizeInMiB": size_mib}), list(catalogue().values())
    ).added
    assert row.gpu_memory_gib == usable_gib
    assert row.gpu_memory_source == ("estimate" if size_mib == 65536 else "measured")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Name": "M60"}, "vLLM does not run on M60 (compute capability 5.2)"),
        (
            {"Name": "Z9"},
            "EC2 does not state the compute capability of its GPU, Z9: describe the type in an --instance-file",
        ),
    ],
)
def test_a_type_that_cannot_be_planned_is_left_out_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    found = merged_with(record("x9.large", **changes), list(catalogue().values()))
    assert (found.added, found.left_out) == ([], {reason: ["x9.large"]})


@pytest.mark.parametrize(
    ("network", "gbps"),
    [
        ({"NetworkCards": [{"BaselineBandwidthInGbps": 2.5}], "NetworkPerformance": "Up to 10 Gigabit"}, 2.5),
        ({"NetworkCards": [{"BaselineBandwidthInGbps": 400.0}] * 4, "NetworkPerformance": "400 Gigabit"}, 400),
        ({"NetworkCards": [{"BaselineBandwidthInGbps": 100.0}] * 4, "NetworkPerformance": "4x 100 Gigabit"}, 400),
        ({"NetworkCards": [{}], "NetworkPerformance": "High"}, 50),
    ],
)
def test_network_speed_is_the_sustained_speed_of_the_type(network: dict[str, Any], gbps: float) -> None:
    old = replace(find_instance("g5.24xlarge"), network_gbps=50)
    (row,) = merged_with({**record("g5.24xlarge"), "NetworkInfo": network}, [old]).rows
    assert row.network_gbps == gbps
