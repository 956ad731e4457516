"""The real program against an account that refuses: it stops before anything is registered, and says all of why."""

from pathlib import Path

import pytest
from account import Account

from checks.result import Check, StackRefused, Status, stop_on_failures
from cli.recording import Recording, record
from config.stack_file import read_stack_file

pytestmark = pytest.mark.usefixtures("moto_account")

ROOT = Path(__file__).parent.parent
G_QUOTA = "L-DB2E81BA"
STANDARD = {"1.36": ("STANDARD_SUPPORT", "2027-08-02T00:00:00Z")}


def run(account: Account, stack: str = "prod") -> Recording:
    return record(ROOT, read_stack_file(ROOT, stack).for_offline_preview(), account.answer)


def test_an_account_that_offers_and_allows_everything_lets_the_stack_through() -> None:
    recording = run(Account(quotas={G_QUOTA: 384}, versions=STANDARD))
    known = {"stack file", "cluster.publicAccessCidrs"}
    asked = [check for check in recording.checks if check.subject not in known]
    assert {check.status for check in asked} == {"passed"}
    (warning,) = [check for check in recording.checks if check.status == "warning"]
    assert warning == Check(
        subject="cluster.publicAccessCidrs",
        status="warning",
        text="0.0.0.0/0 lets everybody knock at the Kubernetes API: write the addresses your callers come from",
    )
    assert len(recording.registrations) > 40


def test_a_refusal_stops_the_program_before_anything_is_made_and_tells_every_fault() -> None:
    account = Account(quotas={G_QUOTA: 0}, versions={"1.36": ("EXTENDED_SUPPORT", "2027-08-02T00:00:00Z")})
    with pytest.raises(StackRefused) as refusal:
        run(account)
    assert str(refusal.value).splitlines() == [
        "cluster.kubernetesVersion: standard support of 1.36 ended on 2027-08-02, after which EKS costs more: write a "
        "newer version",
        "quota Running On-Demand G and VT instances (L-DB2E81BA): its limit is 0 vCPUs and the stack's nodes need 384; "
        "ask for more: aws service-quotas request-service-quota-increase --service-code ec2 --quota-code L-DB2E81BA "
        "--desired-value 384 --region us-west-2",
    ]


def test_without_any_permission_the_stack_is_built_all_the_same() -> None:
    recording = run(Account(denied=frozenset({"*"})))
    assert "failed" not in {check.status for check in recording.checks}
    assert len(recording.registrations) > 40


def test_an_account_is_asked_a_handful_of_questions_not_one_a_resource() -> None:
    account = Account(quotas={G_QUOTA: 384}, versions=STANDARD)
    run(account)
    assert sorted(account.asked) == [
        "getAvailabilityZones",
        "getClusterVersions",
        "getInstanceTypeOfferings",
        "getServiceQuota",
    ]


def test_warnings_and_one_summary_reach_pulumi_s_log(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr("pulumi.log.warn", lambda text: told.append(("warning", text)))
    monkeypatch.setattr("pulumi.log.info", lambda text: told.append(("info", text)))
    statuses: tuple[Status, ...] = ("passed", "warning", "unknown", "passed", "warning")
    stop_on_failures(Check(subject=status, status=status, text="because") for status in statuses)
    assert told == [
        ("warning", "warning: because"),
        ("warning", "warning: because"),
        ("info", "checks: 2 passed, 1 unknown\n  unknown: because"),
    ]
