"""Room for Prometheus on the system nodes, and an existing workspace."""

from typing import Any

import pytest

from checks.monitoring import room_check, workspace_check
from tests.fakes.aws_account import REGION, Account
from vllm_eks.check import Check
from vllm_eks.specs.observability import ManagedPrometheus

pytestmark = pytest.mark.usefixtures("moto_account")

ID = "ws-0123abcd-4567-89ab-cdef-0123456789ab"
ARN = f"arn:aws:aps:{REGION}:123456789012:workspace/{ID}"


def room(instance_type: str, **more: Any) -> Check:
    return room_check(instance_type, Account(**more).site)


def test_types_of_two_cpus_and_eight_gib_have_room() -> None:
    assert room("m7i.large") == Check(
        subject="m7i.large has room for Prometheus", status="passed", text="it has 2 vCPUs and 8 GiB"
    )
    assert room("m5.xlarge").status == "passed"


def test_smaller_types_are_refused_with_what_is_enough() -> None:
    assert room("t3.medium") == Check(
        subject="cluster.systemInstanceType",
        status="failed",
        text="t3.medium has 2 vCPUs and 4 GiB, too little for the pods of observability.prometheus: set a type with at "
        "least 2 vCPUs and 8 GiB, such as m7i.large",
    )


def test_without_permission_the_room_is_unknown() -> None:
    check = room("m7i.large", denied=frozenset({"DescribeInstanceTypes"}))
    assert (check.status, check.text) == (
        "unknown",
        "no permission: allow ec2:DescribeInstanceTypes, or run aws ec2 describe-instance-types --instance-types "
        f"m7i.large --region {REGION}",
    )


def workspace(answer: Any, **more: Any) -> Check | None:
    account = Account(answers={"DescribeWorkspace": answer}, **more)
    return workspace_check(ManagedPrometheus(workspace_arn=ARN), account.site)


def found(status: str = "ACTIVE", arn: str = ARN) -> dict[str, Any]:
    return {
        "workspace": {
            "workspaceId": ID,
            "arn": arn,
            "status": {"statusCode": status},
            "createdAt": "2026-11-01T00:00:00Z",
        }
    }


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (found(), "passed", "confirmed by Amazon Managed Service for Prometheus"),
        (found("DELETING"), "failed", f"{ID} is DELETING, not ACTIVE: wait, or use another one"),
        (
            found(arn=ARN.replace("123456789012", "999999999999")),
            "failed",
            f"{ID} of this account is {ARN.replace('123456789012', '999999999999')}: use this ARN, or an account that "
            "has the other",
        ),
        ("ResourceNotFoundException", "failed", f"{ID} does not exist in {REGION}: correct the ARN"),
    ],
)
def test_an_existing_workspace_must_be_active(answer: Any, status: str, text: str) -> None:
    check = workspace(answer)
    assert check
    assert (check.status, check.text) == (status, text)
    assert check.subject == ("observability.workspaceArn" if status == "failed" else f"workspace {ID} is active")


def test_without_permission_the_workspace_is_unknown() -> None:
    check = workspace(found(), denied=frozenset({"DescribeWorkspace"}))
    assert check
    assert (check.status, check.text.partition(",")[0]) == ("unknown", "no permission: allow aps:DescribeWorkspace")


def test_a_workspace_of_the_stack_is_not_asked_about() -> None:
    account = Account()
    assert workspace_check(ManagedPrometheus(), account.site) is None
    assert account.asked == []
