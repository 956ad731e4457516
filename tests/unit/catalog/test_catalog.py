"""`vllm-eks catalog refresh`: its queries, output and changes. aws_answers.py has AWS's answers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.aws_answers import TODAY, refresh, rows_of
from vllm_eks.catalog.catalog_file import catalogue_text, read_catalogue
from vllm_eks.errors import WrongQuestion

pytestmark = pytest.mark.emulated_aws


def test_a_refresh_prints_added_changed_and_kept_values(
    aws: None, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(file)
    assert capsys.readouterr().out.splitlines() == [
        "added p3dn.24xlarge: 8 x V100, 29.12 GiB usable each (estimate), 31.212 USD/h in us-east-1; unknown: "
        "gpu_memory_bandwidth_gbytes_per_second, gpudirect_rdma, gpu_interconnect, gpu_interconnect_gbytes_per_second",
        "changed g5.48xlarge: USD/h in us-east-1 16.288 -> 17.5",
        "changed p5e.48xlarge: zones in us-west-2 usw2-az3 -> none",
        "changed g6f.large: USD/h in us-east-1 0.202 -> none",
        "kept, not listed in us-west-2: p5e.48xlarge",
        "left out g5g.xlarge: the stack's nodes are x86_64",
        "1 added, 3 changed, 1 unchanged",
        f"prices in us-east-1: on demand, Linux, {TODAY}; none for p5e.48xlarge, g6f.large",
        f"wrote {file}",
    ]


def test_a_refresh_is_written_with_its_date_and_regions(aws: None, file: Path) -> None:
    before = rows_of(file)
    refresh(file, price_region="eu-west-1")
    head, after = read_catalogue(file)
    assert (head["prices"]["eu-west-1"], head["prices"]["us-east-1"]) == (TODAY, "2026-07-20")
    assert head["refreshed"] == {"us-west-2": TODAY}
    assert [row.type for row in after] == [*before, "p3dn.24xlarge"]
    found = rows_of(file)
    known = before["g5.48xlarge"].usd_per_hour_by_region
    assert found["g5.48xlarge"].usd_per_hour_by_region == {**known, "eu-west-1": 17.5}
    assert list(found["g5.48xlarge"].usd_per_hour_by_region) == ["eu-west-1", "us-east-1", "us-east-2", "us-west-2"]
    assert (found["p3dn.24xlarge"].network_gbps, found["p3dn.24xlarge"].nvme_gb) == (100, 1800)
    assert list(found["g5.xlarge"].zone_ids["us-west-2"]) == ["usw2-az1", "usw2-az2", "usw2-az3"]
    assert found["p5e.48xlarge"].zone_ids["us-east-2"] == before["p5e.48xlarge"].zone_ids["us-east-2"]


def test_a_second_refresh_with_the_same_answers_changes_no_byte(
    aws: None, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refresh(file)
    first = file.read_bytes()
    capsys.readouterr()
    refresh(file)
    assert file.read_bytes() == first
    assert capsys.readouterr().out.endswith(f"no changes: {file} is up to date\n")
    refresh(file, today="2026-12-01")
    assert file.read_bytes() == first.replace(TODAY.encode(), b"2026-12-01")
    refresh(file, regions=("us-east-1",), today="2026-12-02")
    assert read_catalogue(file)[0]["refreshed"] == {"us-east-1": "2026-12-02", "us-west-2": "2026-12-01"}


def test_measured_memory_is_never_overwritten(aws: None, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, rows = read_catalogue(file)
    odd = [replace(row, gpu_memory_gib=19.99, gpu_memory_source="measured") for row in rows]
    file.write_text(catalogue_text(head, odd))
    refresh(file)
    found = rows_of(file)
    assert {found[row.type].gpu_memory_gib for row in rows} == {19.99}
    assert {found[row.type].gpu_memory_source for row in rows} == {"measured"}
    assert (
        "check: g5.xlarge: EC2 states 22.35 GiB per GPU, and the catalogue has 19.99 GiB usable (measured): measure it"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        (
            {"failing": {"pricing": ("get_products", "AccessDeniedException")}},
            "these AWS credentials lack the permission pricing:GetProducts",
        ),
        (
            {"failing": {"pricing": ("get_products", "InternalErrorException")}},
            "pricing:GetProducts in us-east-1 failed with InternalErrorException: Text of AWS",
        ),
        ({"listed": [], "price_region": "us-west-1"}, "AWS lists no on-demand Linux prices for region 'us-west-1'"),
    ],
)
def test_without_prices_from_aws_the_old_ones_stay_and_the_rest_is_refreshed(
    aws: None, file: Path, capsys: pytest.CaptureFixture[str], answers: dict[str, Any], why: str
) -> None:
    head, _ = read_catalogue(file)
    refresh(file, **answers)
    found = rows_of(file)
    assert found["g5.48xlarge"].usd_per_hour_by_region["us-east-1"] == 16.288
    assert found["p3dn.24xlarge"].usd_per_hour_by_region == {}
    assert read_catalogue(file)[0]["prices"] == head["prices"]
    region = answers.get("price_region", "us-east-1")
    assert f"prices in {region}: unchanged, from {head['prices'][region]}: {why}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        (
            {"failing": {"ec2": ("describe_instance_types", "UnauthorizedOperation")}},
            "these AWS credentials lack the permission ec2:DescribeInstanceTypes in us-west-2: allow it in their "
            "IAM policy. The catalogue is unchanged.",
        ),
        (
            {"failing": {"ec2": ("describe_instance_types", "AuthFailure")}},
            "AWS rejected the credentials in us-west-2 (AuthFailure): they are wrong or expired, or the region is not "
            "enabled in the account. The catalogue is unchanged.",
        ),
        (
            {"listed": [], "price_region": "us-eest-1"},
            "AWS lists no on-demand Linux prices for region 'us-eest-1'; did you mean us-west-1 or us-east-1 or "
            "us-west-2? The catalogue is unchanged.",
        ),
        ({"regions": ("us west",)}, "'us west' is not a valid AWS region. The catalogue is unchanged."),
    ],
)
def test_a_call_that_fails_is_one_sentence_and_writes_nothing(
    aws: None, file: Path, answers: dict[str, Any], text: str
) -> None:
    before = file.read_bytes()
    with pytest.raises(WrongQuestion) as caught:
        refresh(file, **answers)
    assert str(caught.value) == text
    assert file.read_bytes() == before
