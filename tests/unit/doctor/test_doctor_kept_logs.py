"""The last lines of lost pods in CloudWatch: real logs of vLLM, planted in moto as Fluent Bit writes them."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.fakes.kube_server import Kubernetes, pod, write_kubeconfig
from tests.support.doctor_runs import STACK, Doctor, StubAccount
from vllm_eks.aws.account import Account
from vllm_eks.aws.errors import PermissionDeniedError
from vllm_eks.doctor.kept_logs import MAX_PAGES, MAX_PODS
from vllm_eks.specs.access import Deployer
from vllm_eks.specs.logs import log_group_of, stream_of

pytestmark = [pytest.mark.emulated_aws, pytest.mark.usefixtures("moto_account")]

FAILURES = Path(__file__).parents[2] / "data" / "vllm_failures" / "0.32.0"
REAL_ACCOUNT = Account
GROUP = log_group_of("vllm-eks-dev")
NOW = time.time()
CREATED = NOW - 60
LOGGED = f"{STACK}  vllm-eks:observability: {{logs: cloudWatch}}\n"


class LogsAccount(StubAccount):
    """An account with node groups of a stub, and with moto's logs."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.denied = ""
        self.pages: list[dict[str, Any]] = []
        """Answers to GetLogEvents instead of moto's. The last one is repeated."""
        self._real = REAL_ACCOUNT(Deployer(region="us-west-2"))

    def answer(self, *call: str, **asked: Any) -> Any:
        if call[0] != "logs":
            return super().answer(*call, **asked)
        self.asked.append(call[1])
        if call[1] == self.denied:
            raise PermissionDeniedError("these AWS credentials lack the permission.", call[1])
        if call[1] == "get_log_events" and self.pages:
            return self.pages.pop(0) if len(self.pages) > 1 else self.pages[0]
        return self._real.answer(call[0], call[1], **asked)


@pytest.fixture
def account(moto_account: None) -> LogsAccount:
    return LogsAccount()


@pytest.fixture
def logs(moto_account: None) -> Iterator[Any]:
    """The log group of the stack."""
    client = boto3.client("logs", "us-west-2")
    client.create_log_group(logGroupName=GROUP)
    yield client
    client.delete_log_group(logGroupName=GROUP)


@pytest.fixture
def logged(doctor: Doctor, folder: Path) -> Doctor:
    """The doctor, for a stack that keeps its logs."""
    (folder / "Pulumi.dev.yaml").write_text(LOGGED)
    return doctor


def plant(client: Any, name: str, text: str, *, at: float) -> None:
    """Write a log as Fluent Bit does."""
    stream = stream_of("vllm-scout", name, "vllm")
    if not client.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=stream)["logStreams"]:
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    fields = {"model": "scout", "group": "0", "pod": name, "container": "vllm", "node": "n"}
    events = [
        {"timestamp": int(at * 1000), "message": json.dumps({"log": line, **fields})} for line in text.splitlines()
    ]
    client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def failure(name: str) -> str:
    return (FAILURES / f"{name}.log").read_text()


def recreated(name: str = "scout-0", index: int = 0) -> dict[str, Any]:
    made = pod(name, index=index, ready=False)
    made["metadata"]["creationTimestamp"] = datetime.fromtimestamp(CREATED, UTC).isoformat()
    return made


def kept(findings: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the findings about logs in CloudWatch."""
    return [one for one in findings if one["subject"].endswith(("recreated)", "CloudWatch)"))]


def test_the_cause_before_a_group_was_recreated_is_reported_once(
    logs: Any, logged: Doctor, kubernetes: Kubernetes, account: LogsAccount
) -> None:
    kubernetes.size, kubernetes.pods = 2, [recreated(), recreated("scout-0-1", 1)]
    plant(logs, "scout-0", failure("kv-cache-too-small"), at=CREATED - 90)
    plant(logs, "scout-0-1", failure("worker-link-cut.worker"), at=CREATED - 90)
    # Lines of the present pod, which are not its predecessor's.
    plant(logs, "scout-0", failure("unknown-flag"), at=CREATED + 10)

    code, findings = logged(account)

    (found,) = kept(findings)
    assert (found["subject"], found["severity"], found["code"]) == (
        *("scout-0 (before it was recreated)", "problem", "kv_cache"),
    )
    assert "KV cache" in found["evidence"]
    assert code == 1


def test_the_log_of_a_pod_that_is_gone_is_read(
    logs: Any, logged: Doctor, kubernetes: Kubernetes, account: LogsAccount
) -> None:
    kubernetes.size, kubernetes.pods = 2, [pod()]
    plant(logs, "scout-0-1", failure("disk-full"), at=NOW - 600)

    _, findings = logged(account)

    (found,) = kept(findings)
    assert (found["subject"], found["code"]) == ("scout-0-1 (in CloudWatch)", "disk_full")


def test_a_log_that_ends_without_a_cause_is_shown_and_is_no_problem(
    logs: Any, logged: Doctor, kubernetes: Kubernetes, account: LogsAccount
) -> None:
    kubernetes.pods = [recreated()]
    plant(logs, "scout-0", "INFO 11-27 01:02:03 [loggers.py:1] Engine 000: 3 running", at=CREATED - 60)

    code, findings = logged(account)

    (found,) = kept(findings)
    assert found["severity"] == "ok"
    assert found["title"] == "its log in CloudWatch ends without a known cause, as after the loss of its node"
    assert found["evidence"] == "Engine 000: 3 running"
    assert code == 0


def test_lines_of_more_than_an_hour_before_explain_nothing(
    logs: Any, logged: Doctor, kubernetes: Kubernetes, account: LogsAccount
) -> None:
    kubernetes.pods = [recreated()]
    plant(logs, "scout-0", failure("disk-full"), at=CREATED - 4000)

    assert kept(logged(account)[1]) == []


def test_without_lost_pods_or_without_the_setting_cloudwatch_is_not_asked(
    logged: Doctor, kubernetes: Kubernetes, account: LogsAccount, folder: Path
) -> None:
    kubernetes.pods = [pod()]
    logged(account)
    (folder / "Pulumi.dev.yaml").write_text(STACK)
    kubernetes.pods = [recreated()]
    logged(account)
    assert account.asked == []


def test_without_permission_the_logs_are_unknown_with_a_command(
    logs: Any, logged: Doctor, kubernetes: Kubernetes, account: LogsAccount
) -> None:
    kubernetes.pods = [recreated()]
    plant(logs, "scout-0", "text", at=CREATED - 60)
    account.denied = "get_log_events"

    code, findings = logged(account)

    (unknown,) = [one for one in findings if one["severity"] == "unknown"]
    assert (unknown["subject"], unknown["title"]) == (
        "the logs in CloudWatch",
        "these AWS credentials lack the permission. By hand: aws logs tail /aws/eks/vllm-eks-dev/models "
        "--log-stream-name-prefix pods/vllm-scout/ --since 1h --region us-west-2",
    )
    assert code == 1


def test_without_a_log_group_the_logs_are_unknown(logged: Doctor, kubernetes: Kubernetes, account: LogsAccount) -> None:
    kubernetes.pods = [recreated()]
    (unknown,) = [one for one in logged(account)[1] if one["severity"] == "unknown"]
    assert "ResourceNotFoundException: The specified log group does not exist" in unknown["title"]


def test_without_kubernetes_the_leaders_logs_are_read(
    logs: Any, logged: Doctor, account: LogsAccount, folder: Path
) -> None:
    plant(logs, "scout-0", failure("disk-full"), at=NOW - 60)

    _, findings = logged(account, kubeconfig=write_kubeconfig(folder / "unreachable", 9))

    (found,) = kept(findings)
    assert (found["subject"], found["code"]) == ("scout-0 (in CloudWatch)", "disk_full")


def test_empty_pages_are_followed_and_the_number_of_calls_is_limited(
    logs: Any, logged: Doctor, kubernetes: Kubernetes, account: LogsAccount
) -> None:
    kubernetes.replicas, kubernetes.size, kubernetes.pods = 4, 4, []
    for group in range(4):
        plant(logs, f"scout-{group}", "text", at=NOW - 60)
    event = {"timestamp": 1, "message": "OSError: [Errno 28] No space left on device"}
    account.pages = [
        {"events": [], "nextBackwardToken": "b/1"},
        {"events": [event], "nextBackwardToken": "b/2"},
        {"events": [], "nextBackwardToken": "b/3"},
        {"events": [], "nextBackwardToken": "b/4"},
        {"events": [], "nextBackwardToken": "b/5"},
        {"events": [], "nextBackwardToken": "b/5"},
    ]

    (found,) = kept(logged(account)[1])

    assert (found["subject"], found["code"]) == ("scout-0 (in CloudWatch)", "disk_full")
    # Two pages with lines, three without, and one that repeats its token for each of the others.
    assert account.asked.count("describe_log_streams") == MAX_PODS
    assert account.asked.count("get_log_events") <= 4 * MAX_PAGES
