"""What the account must offer and allow: every refusal with its exact words, and unknown where nobody answers."""

from typing import Any

import pytest
from account import Account
from asking import QWEN_8B, SCOUT, planned

from checks.account import offering_checks, quota_checks, version_check, zone_checks
from checks.result import Check
from planner.gpu_nodes import GpuNodes

pytestmark = pytest.mark.usefixtures("moto_account")

G_QUOTA, P_QUOTA, G_SPOT_QUOTA = "L-DB2E81BA", "L-417A185B", "L-3819A6DF"
BLOCK: dict[str, Any] = {"capacity_type": "capacityBlock", "capacity_reservation_id": "cr-0123456789abcdef0"}
ALL_ZONES = [f"us-west-2{letter}" for letter in "abcd"]


def nodes(model: str = SCOUT, instance: str = "g5.48xlarge", *, zones: str = "a", replicas: int = 1, **how: Any):
    plan = planned(model, instance, replicas=replicas, zones=len(zones))
    return GpuNodes(plan=plan, zones=tuple(f"us-west-2{letter}" for letter in zones), **how)


def check_zones(account: Account, zones: list[str], region: str = "us-west-2") -> list[Check]:
    return account.run(lambda: list(zone_checks(zones, region)))


def offered(account: Account, **fleet: GpuNodes) -> list[Check]:
    return account.run(lambda: list(offering_checks(fleet, "us-west-2")))


def within_quota(account: Account, **fleet: GpuNodes) -> list[Check]:
    return account.run(lambda: list(quota_checks(fleet, "us-west-2")))


# --- zones


def test_zones_of_the_account_pass_with_their_ids() -> None:
    (check,) = check_zones(Account(), ALL_ZONES)
    assert check == Check(
        subject="the account has us-west-2a, us-west-2b, us-west-2c, us-west-2d, and EKS takes each",
        status="passed",
        text="us-west-2a is usw2-az2, us-west-2b is usw2-az1, us-west-2c is usw2-az3, us-west-2d is usw2-az4",
    )


def test_a_zone_that_eks_refuses_is_told_by_its_letter_here() -> None:
    # In moto's account use1-az3 is us-east-1e.
    account = Account(region="us-east-1")
    (check,) = check_zones(account, ["us-east-1a", "us-east-1e"], "us-east-1")
    assert check == Check(
        subject="network.zones",
        status="failed",
        text="us-east-1e is use1-az3 in this account, and EKS refuses that zone: write some of us-east-1a, us-east-1b, "
        "us-east-1c, us-east-1d, us-east-1f",
    )


def test_a_zone_the_account_has_not_is_told() -> None:
    (check,) = check_zones(Account(), ["us-west-2a", "us-west-2f"])
    assert (check.subject, check.status) == ("network.zones", "failed")
    assert check.text == (
        "us-west-2f is not a zone of this account: write some of us-west-2a, us-west-2b, us-west-2c, us-west-2d"
    )


def test_a_local_zone_is_not_offered_as_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["us-west-2a", "us-west-2b", "us-west-2-lax-1a"]
    answer = {"names": names, "zoneIds": ["usw2-az1", "usw2-az2", "usw2-lax1-az1"]}
    monkeypatch.setattr("account.ANSWERS", {"getAvailabilityZones": lambda account, args: answer})
    (check,) = check_zones(Account(), ["us-west-2a", "us-west-2d"])
    assert check.text == "us-west-2d is not a zone of this account: write some of us-west-2a, us-west-2b"


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


def test_a_type_the_region_lacks_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("account.ANSWERS", {"getInstanceTypeOfferings": lambda account, args: {"locations": []}})
    (check,) = offered(Account(), scout=nodes())
    assert check.text == "us-west-2a does not offer g5.48xlarge; no zone of us-west-2 does"


def test_each_type_is_asked_for_once() -> None:
    account = Account()
    found = offered(account, one=nodes(), two=nodes(zones="b"), three=nodes(QWEN_8B, "g6.12xlarge"))
    assert account.asked == ["getInstanceTypeOfferings"] * 2
    assert [check.subject for check in found] == [
        "g5.48xlarge is offered in us-west-2a and us-west-2b",
        "g6.12xlarge is offered in us-west-2a",
    ]


# --- quotas: stubs, moto has none of EC2's


def test_a_limit_that_holds_all_nodes_passes_even_when_it_is_just_enough() -> None:
    (check,) = within_quota(Account(quotas={G_QUOTA: 384}), scout=nodes())
    assert check == Check(
        subject="quota Running On-Demand G and VT instances holds 384 vCPUs", status="passed", text="its limit is 384"
    )


def test_a_limit_below_the_nodes_is_refused_with_both_numbers_and_the_way_to_more() -> None:
    (check,) = within_quota(Account(quotas={G_QUOTA: 192}), scout=nodes())
    assert check == Check(
        subject="quota Running On-Demand G and VT instances (L-DB2E81BA)",
        status="failed",
        text="its limit is 192 vCPUs and the stack's nodes need 384; ask for more: aws service-quotas "
        "request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA --desired-value 384 "
        "--region us-west-2",
    )


def test_all_models_count_together_by_quota() -> None:
    account = Account(quotas={G_QUOTA: 1000, P_QUOTA: 1000})
    found = within_quota(account, one=nodes(), two=nodes(QWEN_8B, "g6.12xlarge"), three=nodes(instance="p5.48xlarge"))
    assert [check.subject for check in found] == [
        "quota Running On-Demand P instances holds 192 vCPUs",
        "quota Running On-Demand G and VT instances holds 432 vCPUs",
    ]


def test_what_does_not_run_or_is_paid_for_already_needs_no_quota() -> None:
    account = Account()
    assert within_quota(account, parked=nodes(parked=True), block=nodes(instance="p5.48xlarge", **BLOCK)) == []
    assert account.asked == []


def test_spot_nodes_count_against_the_spot_quota() -> None:
    (check,) = within_quota(Account(quotas={G_SPOT_QUOTA: 100}), scout=nodes(capacity_type="spot"))
    assert check.subject == "quota All G and VT Spot Instance Requests (L-3819A6DF)"
    assert check.text.startswith("its limit is 100 vCPUs and the stack's nodes need 384;")


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
                text="standard support of 1.35 ended on 2027-03-27, after which EKS costs more: write a newer version",
            ),
        ),
    ],
)
def test_a_version_out_of_standard_support_is_refused(status: str, expected: Check) -> None:
    calendar = {"1.35": (status, "2027-03-27T00:00:00Z"), "1.36": ("STANDARD_SUPPORT", "2027-08-02T00:00:00Z")}
    assert Account(versions=calendar).run(lambda: version_check("1.35", "us-west-2")) == expected


def test_a_version_eks_does_not_list_is_unknown() -> None:
    check = Account(versions={"1.36": ("STANDARD_SUPPORT", "")}).run(lambda: version_check("1.35", "us-west-2"))
    assert (check.status, check.text) == (
        "unknown",
        "EKS lists no such version: aws eks describe-cluster-versions --cluster-versions 1.35 --region us-west-2",
    )


# --- no answer


def test_without_permission_every_check_is_unknown_and_names_the_action() -> None:
    account = Account(denied=frozenset({"*"}))
    found = [
        *check_zones(account, ALL_ZONES),
        *offered(account, scout=nodes()),
        *within_quota(account, scout=nodes()),
        account.run(lambda: version_check("1.36", "us-west-2")),
    ]
    assert {check.status for check in found} == {"unknown"}
    assert [check.text.split(",")[0] for check in found] == [
        "no permission to ask: allow ec2:DescribeAvailabilityZones",
        "no permission to ask: allow ec2:DescribeInstanceTypeOfferings",
        "no permission to ask: allow servicequotas:GetServiceQuota",
        "no permission to ask: allow eks:DescribeClusterVersions",
    ]
    assert found[1].text.endswith(
        ", or run aws ec2 describe-instance-type-offerings --location-type availability-zone "
        "--filters Name=instance-type,Values=g5.48xlarge --region us-west-2"
    )


def test_an_aws_that_is_not_well_leaves_a_check_unknown_with_what_it_said() -> None:
    broken = "operation error EC2: X, https response error StatusCode: 503, api error RequestLimitExceeded: Slow down."
    (check,) = offered(Account(broken=broken), scout=nodes())
    assert check.status == "unknown"
    assert check.text.startswith("AWS did not answer (RequestLimitExceeded: Slow down): aws ec2 describe-")


def test_a_long_reason_is_cut() -> None:
    (check,) = offered(Account(broken="x" * 1000), scout=nodes())
    assert len(check.text) < 500
