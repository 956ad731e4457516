"""What AWS refuses at creation: existing names, an admin that is the creator, a missing boundary."""

from typing import Any

import pytest

from checks.release import release_checks
from checks.taken import admin_checks, boundary_check, is_caller, log_group_check
from tests.fakes.aws_account import CALLER, NUMBER, STACK, Account
from tests.support.plans import QWEN_8B, planned
from vllm_eks.check import Check
from vllm_eks.planner.search.gpu_nodes import GpuNodes

pytestmark = pytest.mark.usefixtures("moto_account")

LOG_GROUP = f"/aws/eks/{STACK}/cluster"
MARKED_VPC = {"VpcId": "vpc-1", "Tags": [{"Key": "vllm-eks/stack", "Value": STACK}]}


def log_group(*names: str, clusters: list[str] | None = None, vpcs: Any = (), new_network: bool = True) -> Check | None:
    account = Account(
        answers={
            "DescribeLogGroups": {"logGroups": [{"logGroupName": name} for name in names]},
            "ListClusters": {"clusters": clusters or []},
            "DescribeVpcs": {"Vpcs": list(vpcs)},
        }
    )
    return log_group_check(account.site, LOG_GROUP, new_network=new_network)


def test_a_name_without_a_log_group_is_free() -> None:
    for names in ((), (f"{LOG_GROUP}2",)):
        check = log_group(*names)
        assert (check and check.subject, check and check.status) == (f"log group {LOG_GROUP} is free", "passed")


def test_a_leftover_log_group_is_reported_with_both_commands() -> None:
    check = log_group(LOG_GROUP, clusters=["another"], vpcs=[{"VpcId": "vpc-2"}])
    assert check == Check(
        subject=f"log group {LOG_GROUP} is free",
        status="failed",
        text=f"{LOG_GROUP} exists and the cluster {STACK} does not: an earlier cluster left it, and CloudWatch refuses "
        f"to create it again. Check its content: aws logs describe-log-streams --log-group-name {LOG_GROUP} --order-by "
        "LastEventTime --descending --region us-west-2; then delete it: aws logs delete-log-group --log-group-name "
        f"{LOG_GROUP} --region us-west-2",
    )


def test_the_log_group_of_an_existing_or_partial_cluster_is_its_own() -> None:
    assert log_group(LOG_GROUP, clusters=[STACK]) is None
    assert log_group(LOG_GROUP, vpcs=[MARKED_VPC]) is None


def test_in_an_existing_network_a_partial_cluster_looks_like_a_leftover() -> None:
    check = log_group(LOG_GROUP, new_network=False)
    assert check
    assert (check.status, check.text.endswith(". Do not delete it if it is in this stack's state")) == ("warning", True)


ROLE = f"arn:aws:iam::{NUMBER}:role/deployer"


@pytest.mark.parametrize(
    ("principal", "caller", "same"),
    [
        (ROLE, CALLER, True),
        (f"arn:aws:iam::{NUMBER}:role/team/ci/deployer", CALLER, True),
        (f"arn:aws:iam::{NUMBER}:role/deployer2", CALLER, False),
        ("arn:aws:iam::999999999999:role/deployer", CALLER, False),
        (f"arn:aws-us-gov:iam::{NUMBER}:role/deployer", CALLER, False),
        (f"arn:aws:iam::{NUMBER}:user/ann", f"arn:aws:iam::{NUMBER}:user/ann", True),
        (f"arn:aws:iam::{NUMBER}:user/deployer", CALLER, False),
        (
            f"arn:aws:iam::{NUMBER}:role/aws-reserved/sso.amazonaws.com/us-west-2/AWSReservedSSO_Admin_1f",
            f"arn:aws:sts::{NUMBER}:assumed-role/AWSReservedSSO_Admin_1f/ann@example.com",
            True,
        ),
    ],
)
def test_a_role_is_known_in_its_session_whatever_its_path(principal: str, caller: str, same: bool) -> None:
    assert is_caller(principal, caller) is same


def admins(*arns: str, clusters: list[str] | None = None, **more: Any) -> list[Check]:
    account = Account(answers={"ListClusters": {"clusters": clusters or []}}, **more)
    return list(admin_checks(arns, account.site))


def test_the_creator_of_the_cluster_cannot_be_an_admin() -> None:
    assert admins(f"arn:aws:iam::{NUMBER}:role/other", ROLE) == [
        Check(
            subject="cluster.admins",
            status="failed",
            text=f"{ROLE} runs Pulumi. EKS creates an access entry for the creator of a cluster, and "
            "refuses a second one (409) after ten minutes: remove it from the list",
        )
    ]
    assert [check.status for check in admins(f"arn:aws:iam::{NUMBER}:role/other")] == ["passed"]


def test_a_later_deployer_may_be_an_admin() -> None:
    assert [check.status for check in admins(ROLE, clusters=[STACK])] == ["passed"]


def test_without_admins_nothing_is_asked_and_without_permission_it_is_unknown() -> None:
    assert admins() == []
    (check,) = admins(ROLE, denied=frozenset({"ListClusters"}))
    assert (check.status, "allow sts:GetCallerIdentity and eks:ListClusters" in check.text) == ("unknown", True)


BOUNDARY = f"arn:aws:iam::{NUMBER}:policy/team/boundary"


def test_a_permissions_boundary_that_does_not_exist_is_refused() -> None:
    assert boundary_check(BOUNDARY, Account().site) == Check(
        subject="iam.permissionsBoundary",
        status="failed",
        text=f"{BOUNDARY} does not exist, so IAM refuses the stack's roles: correct the ARN",
    )
    there = Account(answers={"GetPolicy": {"Policy": {"Arn": BOUNDARY}}})
    assert boundary_check(BOUNDARY, there.site).status == "passed"
    assert boundary_check(BOUNDARY, Account(denied=frozenset({"GetPolicy"})).site).text == (
        f"no permission: allow iam:GetPolicy, or run aws iam get-policy --policy-arn {BOUNDARY}"
    )


@pytest.mark.parametrize(
    ("type_", "release", "refused"),
    [
        ("g7.12xlarge", "1.36.2-20260714", True),
        ("g7.12xlarge", "1.36.2-20260916", True),
        ("g7.12xlarge", "1.36.4-20260917", False),
        ("g7e.12xlarge", "1.36.2-20260714", False),
        ("g5.48xlarge", "1.36.2-20260714", False),
        ("g7.12xlarge", "of my own", False),
    ],
)
def test_g7_needs_an_ami_release_with_its_driver(type_: str, release: str, refused: bool) -> None:
    nodes = GpuNodes(plan=planned(QWEN_8B, type_), zones=("us-west-2a",))
    assert [check.status for check in release_checks({"scout": nodes}, release)] == ["failed"] * refused


def test_an_old_ami_release_is_reported_with_a_newer_one() -> None:
    nodes = GpuNodes(plan=planned(QWEN_8B, "g7.12xlarge"), zones=("us-west-2a",))
    assert list(release_checks({"scout": nodes}, "1.36.2-20260714")) == [
        Check(
            subject="models.scout.instanceType",
            status="failed",
            text="g7.12xlarge needs NVIDIA driver 595, and AMI release 1.36.2-20260714 has only 580, so the node "
            "would have no GPU: set cluster.nodeReleaseVersion to 20260917 or later (vllm-eks pins shows the "
            "newest)",
        )
    ]
