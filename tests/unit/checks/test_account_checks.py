"""Checks of the account: each failure with its exact text, and unknown without an answer."""

from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from checks.account import offering_checks, system_type_checks, version_check, zone_checks
from checks.quotas import vcpu_checks
from tests.fakes.aws_account import Account, refused
from tests.support.plans import QWEN_8B, SCOUT, planned
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

pytestmark = pytest.mark.usefixtures("moto_account")

ALL_ZONES = [f"us-west-2{letter}" for letter in "abcd"]


def nodes(model: str = SCOUT, instance: str = "g5.48xlarge", *, zones: str = "a", replicas: int = 1, **how: Any):
    plan = planned(model, instance, replicas=replicas, zones=len(zones))
    return GpuNodes(plan=plan, zones=tuple(f"us-west-2{letter}" for letter in zones), **how)


def check_zones(account: Account, zones: list[str]) -> list[Check]:
    return list(zone_checks(zones, account.site))


def offered(account: Account, **fleet: GpuNodes) -> list[Check]:
    return list(offering_checks(fleet, account.site))


def within_quota(account: Account, **fleet: GpuNodes) -> list[Check]:
    return list(vcpu_checks(fleet, account.site))


# --- zones


def test_zones_of_the_account_pass_with_their_ids() -> None:
    (check,) = check_zones(Account(), ALL_ZONES)
    assert check == Check(
        subject="the account has us-west-2a, us-west-2b, us-west-2c, us-west-2d, and EKS supports them",
        status="passed",
        text="us-west-2a is usw2-az2, us-west-2b is usw2-az1, us-west-2c is usw2-az3, us-west-2d is usw2-az4",
    )


def test_a_zone_that_eks_refuses_is_reported_by_its_letter() -> None:
    # In moto's account use1-az3 is us-east-1e.
    account = Account(region="us-east-1")
    (check,) = check_zones(account, ["us-east-1a", "us-east-1e"])
    assert check == Check(
        subject="network.zones",
        status="failed",
        text="us-east-1e is use1-az3 in this account, and EKS does not support that zone: choose from us-east-1a, "
        "us-east-1b, us-east-1c, us-east-1d, us-east-1f",
    )


def test_a_zone_that_the_account_lacks_is_reported() -> None:
    (check,) = check_zones(Account(), ["us-west-2a", "us-west-2f"])
    assert (check.subject, check.status) == ("network.zones", "failed")
    assert check.text == (
        "us-west-2f is not a zone of this account: choose from us-west-2a, us-west-2b, us-west-2c, us-west-2d"
    )


def test_a_local_zone_is_not_suggested() -> None:
    ids = {"us-west-2a": "usw2-az1", "us-west-2b": "usw2-az2", "us-west-2-lax-1a": "usw2-lax1-az1"}
    zones = [{"ZoneName": name, "ZoneId": id_} for name, id_ in ids.items()]
    account = Account(answers={"DescribeAvailabilityZones": {"AvailabilityZones": zones}})
    (check,) = check_zones(account, ["us-west-2a", "us-west-2d"])
    assert check.text == "us-west-2d is not a zone of this account: choose from us-west-2a, us-west-2b"


# --- offerings: moto has them as they were in 2026-08


def test_a_type_offered_in_the_zone_passes() -> None:
    (check,) = offered(Account(), scout=nodes())
    assert check == Check(
        subject="g5.48xlarge is offered in us-west-2a",
        status="passed",
        text="it is offered in us-west-2a, us-west-2b, us-west-2c",
    )


def test_a_type_not_offered_in_the_zone_is_refused_with_the_zones_that_offer_it() -> None:
    (check,) = offered(Account(), scout=nodes(zones="d"))
    assert check == Check(
        subject="models.scout",
        status="failed",
        text="us-west-2d does not offer g5.48xlarge; of this account's zones, us-west-2a, us-west-2b, us-west-2c do",
    )


def test_of_several_zones_the_one_without_the_type_is_named() -> None:
    (check,) = offered(Account(), scout=nodes(zones="ad", replicas=2))
    assert (check.status, check.text.split(";")[0]) == ("failed", "us-west-2d does not offer g5.48xlarge")


def test_a_type_that_the_region_lacks_is_reported() -> None:
    account = Account(answers={"DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": []}})
    (check,) = offered(account, scout=nodes())
    assert check.text == "us-west-2a does not offer g5.48xlarge; no zone of us-west-2 does"


@pytest.mark.parametrize("instance_type", ["m7i.large", "m5.large"])
def test_the_system_nodes_type_is_requested_in_their_zones(instance_type: str) -> None:
    (check,) = system_type_checks(instance_type, ["us-west-2a", "us-west-2b"], Account().site)
    assert (check.subject, check.status) == (f"{instance_type} is offered in us-west-2a and us-west-2b", "passed")


def test_a_system_type_that_is_not_offered_is_reported_with_its_key() -> None:
    found = [{"InstanceType": "m7i.large", "LocationType": "availability-zone", "Location": "us-west-2b"}]
    account = Account(answers={"DescribeInstanceTypeOfferings": {"InstanceTypeOfferings": found}})
    assert list(system_type_checks("m7i.large", ["us-west-2a", "us-west-2b"], account.site)) == [
        Check(
            subject="cluster.systemInstanceType",
            status="failed",
            text="us-west-2a does not offer m7i.large; of this account's zones, us-west-2b do: set "
            "cluster.systemInstanceType to an x86_64 type with at least 2 vCPUs and 8 GiB that they offer",
        )
    ]


def test_each_type_is_requested_once() -> None:
    account = Account()
    found = offered(account, one=nodes(), two=nodes(zones="b"), three=nodes(QWEN_8B, "g6.12xlarge"))
    assert account.asked == ["DescribeInstanceTypeOfferings"] * 2
    assert [check.subject for check in found] == [
        "g5.48xlarge is offered in us-west-2a and us-west-2b",
        "g6.12xlarge is offered in us-west-2a",
    ]


# --- the Kubernetes version: stubs, from the calendar


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (
            "STANDARD_SUPPORT",
            Check(subject="Kubernetes 1.35 is in standard support", status="passed", text="until 2027-03-27"),
        ),
        (
            "EXTENDED_SUPPORT",
            Check(
                subject="cluster.kubernetesVersion",
                status="failed",
                text="standard support of 1.35 ended on 2027-03-27, after which EKS upgrades the control "
                "plane automatically: set a newer version",
            ),
        ),
    ],
)
def test_a_version_out_of_standard_support_is_refused(status: str, expected: Check) -> None:
    calendar = {"1.35": (status, "2027-03-27"), "1.36": ("STANDARD_SUPPORT", "2027-08-02")}
    assert version_check("1.35", Account(versions=calendar).site) == expected


def test_a_version_eks_does_not_list_is_unknown() -> None:
    check = version_check("1.35", Account(versions={"1.36": ("STANDARD_SUPPORT", "")}).site)
    assert (check.status, check.text) == (
        "unknown",
        "EKS does not list this version: aws eks describe-cluster-versions --cluster-versions 1.35 --region us-west-2",
    )


def test_the_end_of_support_of_an_existing_cluster_is_a_warning() -> None:
    calendar = {"1.35": ("EXTENDED_SUPPORT", "2027-03-27")}
    assert version_check("1.35", Account(versions=calendar).site, is_existing=True) == Check(
        subject="cluster.existing",
        status="warning",
        text="standard support of 1.35 ended on 2027-03-27, after which EKS costs more, or upgrades the "
        "control plane automatically: upgrade the cluster",
    )


# --- no answer


def test_without_permission_every_check_is_unknown_and_names_the_action() -> None:
    account = Account(denied=frozenset({"*"}))
    found = [
        *check_zones(account, ALL_ZONES),
        *offered(account, scout=nodes()),
        *within_quota(account, scout=nodes()),
        version_check("1.36", account.site),
    ]
    assert {check.status for check in found} == {"unknown"}
    assert [check.text.split(",")[0] for check in found] == [
        "no permission: allow ec2:DescribeAvailabilityZones",
        "no permission: allow ec2:DescribeInstanceTypeOfferings",
        "no permission: allow servicequotas:GetServiceQuota",
        "no permission: allow eks:DescribeClusterVersions",
    ]
    assert found[1].text.endswith(
        ", or run aws ec2 describe-instance-type-offerings --location-type availability-zone "
        "--filters Name=instance-type,Values=g5.48xlarge --region us-west-2"
    )


def test_an_error_of_aws_leaves_a_check_unknown_with_its_message() -> None:
    (check,) = offered(Account(broken=refused("RequestLimitExceeded", "X", "Slow down.")), scout=nodes())
    assert check.status == "unknown"
    assert check.text.startswith("AWS did not answer (RequestLimitExceeded: Slow down): aws ec2 describe-")


def test_an_unreachable_service_leaves_a_check_unknown() -> None:
    endpoint = "https://ec2.us-west-2.amazonaws.com/"
    (check,) = offered(Account(broken=ConnectTimeoutError(endpoint_url=endpoint)), scout=nodes())
    assert check.text.startswith(f'AWS did not answer (Connect timeout on endpoint URL: "{endpoint}"): aws ec2')


def test_a_long_reason_is_cut() -> None:
    (check,) = offered(Account(broken=ValueError("x" * 1000)), scout=nodes())
    assert len(check.text) < 500


def test_a_query_of_two_checks_is_made_once() -> None:
    account = Account()
    site = account.site
    assert list(offering_checks({"one": nodes()}, site)) == list(offering_checks({"one": nodes()}, site))
    assert account.asked == ["DescribeInstanceTypeOfferings"]
