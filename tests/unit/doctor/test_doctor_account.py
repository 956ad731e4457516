"""The doctor's findings about the account, and about missing answers."""

from pathlib import Path

import boto3
import pytest

from tests.fakes.kube_server import Kubernetes, pod, write_kubeconfig
from tests.support.doctor_runs import CRASH, Doctor, StubAccount, problem
from vllm_eks.aws import account as aws_account
from vllm_eks.cli import doctor as command
from vllm_eks.errors import WrongQuestion
from vllm_eks.specs.access import Deployer

pytestmark = pytest.mark.emulated_aws

DENIED = "HTTP 403 Forbidden: these credentials lack a permission: docs/how-to/doctor.md lists the required ones"


# --- the account, and missing answers


@pytest.mark.parametrize(
    ("code", "issue", "message"),
    [
        ("no_capacity", "AsgInstanceLaunchFailures", "We currently do not have sufficient g5.48xlarge capacity in the"),
        (
            "quota",
            "AsgInstanceLaunchFailures",
            "You have requested more vCPU capacity than your current vCPU limit of 0",
        ),
        ("no_launch", "NodeCreationFailure", "Instances failed to join the kubernetes cluster"),
    ],
)
def test_a_node_group_that_gets_no_nodes_is_explained(
    doctor: Doctor, kubernetes: Kubernetes, code: str, issue: str, message: str
) -> None:
    kubernetes.pods = [pod(ready=False)]
    assert problem(doctor(StubAccount({"code": issue, "message": message}))[1])["code"] == code


def test_eks_is_queried_with_valid_parameters(
    moto_account: None, doctor: Doctor, kubernetes: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubernetes.pods = [pod(ready=False)]
    account = aws_account.Account
    eks = boto3.client("eks", region_name="us-west-2")
    role = "arn:aws:iam::123456789012:role/r"
    eks.create_cluster(name="vllm-eks-dev", roleArn=role, resourcesVpcConfig={"subnetIds": ["subnet-1"]})
    nodes = {"subnets": ["subnet-1"], "nodeRole": role, "labels": {"vllm-eks/model": "scout"}}
    eks.create_nodegroup(clusterName="vllm-eks-dev", nodegroupName="n", **nodes)
    real = account(Deployer(region="us-west-2"))
    code, findings = doctor(real)
    assert (code, [one["severity"] for one in findings]) == (0, ["ok"])


def test_a_cluster_that_does_not_answer_is_unknown(doctor: Doctor, kubernetes: Kubernetes, folder: Path) -> None:
    kubernetes.status = 403
    code, findings = doctor()
    assert (code, problem(findings)["title"], problem(findings)["severity"]) == (1, DENIED, "unknown")
    unreachable = write_kubeconfig(folder / "unreachable", 9)
    assert problem(doctor(kubeconfig=unreachable)[1])["title"].startswith("no answer (")
    missing = problem(doctor(kubeconfig=folder / "none")[1])["title"]
    assert missing.startswith("no usable kubeconfig (")
    assert missing.endswith("pulumi stack output kubeconfig --show-secrets prints one; pass it with --kubeconfig")


def test_an_account_that_does_not_answer_is_unknown(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.pods = [pod(ready=False)]
    found = problem(
        doctor(StubAccount(fault=WrongQuestion("these AWS credentials lack the permission eks:ListNodegroups")))[1]
    )
    assert (found["subject"], found["severity"]) == ("the node groups", "unknown")


def test_another_cluster_is_not_mistaken_for_the_stacks(doctor: Doctor, kubernetes: Kubernetes) -> None:
    kubernetes.has_group, kubernetes.pods = False, []
    assert problem(doctor()[1])["code"] == "no_group"


def test_no_such_stack_and_no_model_are_wrong_questions(doctor: Doctor, folder: Path) -> None:
    with pytest.raises(WrongQuestion, match=r"Pulumi\.none\.yaml"):
        command.run_doctor(folder, "none")
    (folder / "Pulumi.bare.yaml").write_text("config:\n  aws:region: us-west-2\n")
    with pytest.raises(WrongQuestion, match=r"Pulumi.bare.yaml has no models"):
        command.run_doctor(folder, "bare")


def test_the_table_contains_no_tokens(
    doctor: Doctor, kubernetes: Kubernetes, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kubernetes.pods = [pod(ready=False, state=CRASH)]
    kubernetes.logs = {"scout-0": "401 Client Error: Invalid user token hf_planted [again]"}
    doctor()
    command.run_doctor(folder, "dev", kubeconfig=folder / "kubeconfig", seconds=0)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "what finding",
        "PROBLEM scout-0 the Hugging Face token is missing or wrong",
        "evidence: 401 Client Error: Invalid user token *** [again]",
        "fix: run pulumi config set --secret huggingFaceToken, then pulumi up",
    ]
