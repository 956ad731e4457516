"""Existing clusters: answers of EKS and EC2, and each error with its exact text."""

from typing import Any

import pytest

from tests.fakes.aws_account import Account
from tests.support.existing_clusters import ADDONS, CLUSTER, account, looked_up, texts
from vllm_eks.check import Check
from vllm_eks.specs.cluster import FoundControlPlane

pytestmark = pytest.mark.usefixtures("moto_account")


def test_a_cluster_that_meets_all_requirements_passes_and_returns_its_facts() -> None:
    found = looked_up(account())
    assert {check.status for check in found.checks} == {"passed"}
    assert found.checks[0] == Check(
        subject="cluster theirs has what the stack needs", status="passed", text="ACTIVE, 1.36, in vpc-1"
    )
    assert found.control_plane == FoundControlPlane(
        endpoint="https://theirs.example", certificate_authority="Q0E=", security_group_id="sg-cluster"
    )


# --- the cluster itself


def test_a_supported_cluster_version_is_suggested() -> None:
    assert texts(account({**CLUSTER, "version": "1.35"})) == [
        'theirs runs Kubernetes 1.35, and the stack\'s nodes would run 1.36: set kubernetesVersion: "1.35" and a '
        "nodeReleaseVersion of that version"
    ]


def test_a_cluster_version_that_is_too_old_must_be_upgraded() -> None:
    assert texts(account({**CLUSTER, "version": "1.34"})) == [
        "theirs runs Kubernetes 1.34, and this release supports only nodes of 1.35 and 1.36: upgrade the cluster "
        "first, one minor version at a time: aws eks update-cluster-version --name theirs --kubernetes-version 1.35 "
        "--region us-west-2"
    ]


def test_a_version_that_is_newer_than_this_release_needs_another_release() -> None:
    assert texts(account({**CLUSTER, "version": "1.37"})) == [
        "theirs runs Kubernetes 1.37, and this release supports only nodes of 1.35 and 1.36: use a later vllm-eks"
    ]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"status": "CREATING"}, "theirs is CREATING, not ACTIVE: wait until it is"),
        (
            {"resourcesVpcConfig": {"vpcId": "vpc-2", "clusterSecurityGroupId": "sg-cluster"}},
            "theirs is in vpc-2, and network.existing has vpc-1: set the cluster's VPC",
        ),
        (
            {"kubernetesNetworkConfig": {"ipFamily": "ipv6"}},
            "theirs gives pods IPv6 addresses (ipFamily ipv6), and the models' network policies allow only IPv4, so "
            "DNS and downloads fail: use a cluster with ipFamily ipv4 (it cannot be changed later)",
        ),
    ],
    ids=["state", "VPC", "IPv6"],
)
def test_a_cluster_that_does_not_suit_is_refused(changes: dict[str, Any], text: str) -> None:
    assert texts(account({**CLUSTER, **changes})) == [text]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"status": "UPDATING"}, "theirs is UPDATING: EKS may refuse changes"),
        (
            {"computeConfig": {"enabled": True}},
            "theirs is in Auto Mode, whose network, DNS and Pod Identity work only on",
        ),
        ({"accessConfig": {"authenticationMode": "CONFIG_MAP"}}, "theirs has no access entries (authenticationMode"),
        (
            {"health": {"issues": [{"code": "Ec2SubnetNotFound", "message": "subnet-1 is gone"}]}},
            "theirs has an issue: Ec2SubnetNotFound: subnet-1 is gone",
        ),
    ],
    ids=["updating", "Auto Mode", "ConfigMap", "health"],
)
def test_risks_are_warnings(changes: dict[str, Any], text: str) -> None:
    asked = account({**CLUSTER, **changes})
    (warning,) = texts(asked, "warning")
    assert warning.startswith(text)
    assert texts(asked) == []


def test_an_end_of_standard_support_is_a_warning() -> None:
    (warning,) = texts(account(versions={"1.36": ("EXTENDED_SUPPORT", "2027-08-02")}), "warning")
    assert warning.startswith("standard support of 1.36 ended on 2027-08-02")


def test_a_cluster_that_cannot_be_looked_up_stops_the_stack() -> None:
    assert texts(Account(answers={"DescribeCluster": "ResourceNotFoundException"})) == [
        "theirs: AWS did not answer (ResourceNotFoundException: Text of AWS): aws eks describe-cluster --name theirs "
        "--region us-west-2"
    ]
    assert texts(Account(denied=frozenset({"DescribeCluster"}))) == [
        "theirs: no permission: allow eks:DescribeCluster, or run aws eks describe-cluster --name theirs "
        "--region us-west-2"
    ]


# --- add-ons


def test_an_addon_that_eks_does_not_manage_is_unknown_not_missing() -> None:
    asked = account(addons={"vpc-cni": ADDONS["vpc-cni"], "kube-proxy": ADDONS["kube-proxy"]})
    (unknown,) = [check for check in looked_up(asked).checks if check.status == "unknown"]
    assert unknown.subject == "cluster theirs has coredns"
    assert unknown.text.startswith("EKS does not manage it, and a self-managed coredns is enough: check kubectl")


def test_weights_in_s3_need_the_pod_identity_agent() -> None:
    assert texts(account(), copies_weights=True) == [
        "theirs has no add-on eks-pod-identity-agent, which pods need for AWS credentials with weights.source: s3: run "
        "aws eks create-addon --cluster-name theirs --addon-name eks-pod-identity-agent --region us-west-2"
    ]
    agent = {"eks-pod-identity-agent": {"addonVersion": "v1.4.0-eksbuild.1"}}
    assert texts(account(addons={**ADDONS, **agent}), copies_weights=True) == []


def test_an_addon_that_cannot_be_read_is_unknown() -> None:
    found = looked_up(account(denied=frozenset({"DescribeAddon"})), copies_weights=True)
    unknown = [check.text.split(",")[0] for check in found.checks if check.status == "unknown"]
    assert unknown == ["no permission: allow eks:DescribeAddon"] * 4


def test_an_addon_that_does_not_work_is_a_warning_with_its_reason() -> None:
    issue = {"code": "InsufficientNumberOfReplicas", "message": "no node is there"}
    degraded = {"addonVersion": "v1", "status": "DEGRADED", "health": {"issues": [issue]}}
    assert texts(account(addons={**ADDONS, "coredns": degraded}), "warning") == [
        "the add-on coredns of theirs is DEGRADED (InsufficientNumberOfReplicas: no node is there)"
    ]
