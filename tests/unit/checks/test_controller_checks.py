"""Whether an existing cluster has exactly one AWS Load Balancer Controller."""

import pytest

from checks.front_door import controller_check
from tests.fakes.aws_account import STACK, Account
from vllm_eks.check import Check

pytestmark = pytest.mark.usefixtures("moto_account")


def associations(**tags: str) -> Account:
    return Account(
        answers={
            "ListPodIdentityAssociations": {"associations": [{"associationId": "a-1"}]},
            "DescribePodIdentityAssociation": {"association": {"associationId": "a-1", "tags": tags}},
        }
    )


def test_a_second_controller_is_refused_and_the_stack_s_own_is_not() -> None:
    check = controller_check("platform", associations().site, installs=True)
    assert check == Check(
        subject="charts.awsLoadBalancerController.install",
        status="failed",
        text="platform has a Pod Identity association for kube-system/aws-load-balancer-controller already (a-1): set "
        "charts.awsLoadBalancerController.install: false, because two controllers would conflict",
    )
    own = controller_check("platform", associations(**{"vllm-eks/stack": STACK}).site, installs=True)
    assert own.status == "passed"


def test_a_controller_that_the_cluster_must_run_is_unknown() -> None:
    assert controller_check("platform", Account().site, installs=False).status == "unknown"
