"""The real program with an account that fails its checks: it stops before any registration and reports all errors."""

import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from checks import api
from checks.api import NoAccount, open_account
from checks.parallel import in_parallel
from checks.result import StackRefused, stop_on_failures
from tests.fakes import aws_account as account_module
from tests.fakes.aws_account import NUMBER, Account
from vllm_eks.check import Check, Status
from vllm_eks.preview.recording import Recording, record
from vllm_eks.specs.access import Deployer
from vllm_eks.stack_files.read import read_stack_file

pytestmark = pytest.mark.usefixtures("moto_account")

ROOT = Path(__file__).parents[3]
G_QUOTA = "L-DB2E81BA"
STANDARD = {"1.36": ("STANDARD_SUPPORT", "2027-08-02")}
DEPLOYER = SimpleNamespace(account_id=NUMBER, arn="arn")
DEFAULTS = {"L-0263D0A3": 5, "L-F678F1CE": 5, "L-A4707A72": 5, "L-1194D53C": 100}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch):
    """Run the program of the prod stack against an account."""

    def run(asked: Account, stack: str = "prod") -> Recording:
        monkeypatch.setattr(api, "_clients_of", lambda deployer: asked.client)
        return record(ROOT, read_stack_file(ROOT, stack).for_offline_preview(), asked.answer)

    return run


def account(**more: object) -> Account:
    return Account(**{"quotas": {G_QUOTA: 384}, "default_quotas": DEFAULTS, "versions": STANDARD, **more})


def test_a_sufficient_account_passes_all_checks(run) -> None:
    recording = run(account())
    known = {"stack file", "cluster.publicAccessCidrs"}
    asked = [check for check in recording.checks if check.subject not in known]
    assert {check.status for check in asked} == {"passed"}, [check for check in asked if check.status != "passed"]
    (warning,) = [check for check in recording.checks if check.status == "warning"]
    assert warning == Check(
        subject="cluster.publicAccessCidrs",
        status="warning",
        text="0.0.0.0/0 exposes the Kubernetes API to the internet: set the addresses of your callers",
    )
    assert len(recording.registrations) > 40


def test_a_failed_check_stops_the_program_before_anything_is_created_and_reports_all_errors(run) -> None:
    with pytest.raises(StackRefused) as refusal:
        run(account(quotas={G_QUOTA: 0}, versions={"1.36": ("EXTENDED_SUPPORT", "2027-08-02")}))
    assert str(refusal.value).splitlines() == [
        "cluster.kubernetesVersion: standard support of 1.36 ended on 2027-08-02, after which EKS upgrades the control "
        "plane automatically: set a newer version",
        "quota Running On-Demand G and VT instances (L-DB2E81BA): its limit is 0 vCPUs and the stack needs 384; "
        "request an increase: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code "
        "L-DB2E81BA --desired-value 384 --region us-west-2",
    ]


def test_without_any_permission_the_stack_is_still_created(run) -> None:
    asked = account()
    real = asked._call

    def only_who(client: object, operation: str, parameters: dict[str, object]) -> object:
        if operation != "GetCallerIdentity":
            raise account_module.refused("AccessDeniedException", operation)
        return real(client, operation, parameters)

    asked._call = only_who  # type: ignore[method-assign]
    recording = run(asked)
    assert "failed" not in {check.status for check in recording.checks}
    assert len(recording.registrations) > 40


def test_an_account_is_queried_a_few_times_and_never_twice(run) -> None:
    asked = account()
    run(asked)
    assert sorted(asked.asked) == [
        "DescribeAddresses",
        "DescribeAvailabilityZones",
        "DescribeClusterVersions",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypeOfferings",
        "DescribeInstances",
        "DescribeInstances",
        "DescribeInternetGateways",
        "DescribeLogGroups",
        "DescribeVpcs",
        "GetAWSDefaultServiceQuota",
        "GetAWSDefaultServiceQuota",
        "GetAWSDefaultServiceQuota",
        "GetAWSDefaultServiceQuota",
        "GetCallerIdentity",
        "GetServiceQuota",
        "GetServiceQuota",
        "GetServiceQuota",
        "GetServiceQuota",
        "GetServiceQuota",
        "ListClusters",
        "ListNodegroups",
    ]


def test_warnings_and_one_summary_reach_pulumi_s_log(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[tuple[str, str]] = []
    monkeypatch.setattr("pulumi.log.warn", lambda text: reported.append(("warning", text)))
    monkeypatch.setattr("pulumi.log.info", lambda text: reported.append(("info", text)))
    statuses: tuple[Status, ...] = ("passed", "warning", "unknown", "passed", "warning")
    stop_on_failures(Check(subject=status, status=status, text="because") for status in statuses)
    assert reported == [
        ("warning", "warning: because"),
        ("warning", "warning: because"),
        ("info", "checks: 2 passed, 1 unknown\n  unknown: because"),
    ]


# --- who is asked


def test_boto3_in_another_account_makes_no_queries(run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = account(answers={"GetCallerIdentity": {"Account": "999999999999"}})
    (check,) = [one for one in run(asked).checks if one.subject.startswith("quota Running")]
    assert (check.status, check.text.split("): aws")[0]) == (
        "unknown",
        f"AWS did not answer (boto3 has credentials of account 999999999999, and Pulumi deploys to {NUMBER}: set "
        "the same profile or role in aws:profile, aws:assumeRoles or the environment",
    )
    assert asked.asked == ["GetCallerIdentity"]


def test_a_provider_without_credentials_leaves_all_unknown(run) -> None:
    asked = account(denied=frozenset({"getCallerIdentity"}))
    (check,) = [one for one in run(asked).checks if one.subject.startswith("quota Running")]
    assert check.text.startswith("AWS did not answer (no valid AWS credentials: invoke of aws:index/getCallerId")
    assert asked.asked == []


def test_the_role_of_the_stack_is_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulumi_aws.get_caller_identity", lambda: DEPLOYER)
    deployer = Deployer(region="us-west-2", role_arn=f"arn:aws:iam::{NUMBER}:role/deployer")
    opened = open_account(deployer)
    assert not isinstance(opened, NoAccount)
    session = opened.answer("sts", "get_caller_identity")["Arn"]
    assert session.startswith(f"arn:aws:sts::{NUMBER}:assumed-role/deployer/")


def test_a_profile_that_does_not_exist_leaves_all_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulumi_aws.get_caller_identity", lambda: DEPLOYER)
    opened = open_account(Deployer(region="us-west-2", profile="no-such-profile"))
    assert opened == NoAccount(
        "boto3 has no valid AWS credentials: The config profile (no-such-profile) could not be found"
    )


def test_clients_have_limits_of_time() -> None:
    client = api._clients_of(Deployer(region="us-west-2"))("sts")
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (5, 15, 3)


# --- at once


def test_parts_run_in_parallel() -> None:
    barrier = threading.Barrier(2, timeout=60)
    found = in_parallel({"one": barrier.wait, "two": barrier.wait}, deadline_seconds=60)
    assert set(found.values()) == {0, 1}


def test_a_slow_part_has_a_deadline() -> None:
    never = threading.Event()
    found = in_parallel({"late": never.wait}, deadline_seconds=0.2)
    never.set()
    assert found["late"] == Check(subject="late", status="unknown", text="no answer within 0 s")


def test_a_failed_part_does_not_stop_the_others() -> None:
    found = in_parallel({"wrong": lambda: {}["key"], "right": lambda: 1})
    assert found == {
        "wrong": Check(subject="wrong", status="unknown", text="the answer could not be read (KeyError: 'key')"),
        "right": 1,
    }
