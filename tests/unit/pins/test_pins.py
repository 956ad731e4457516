"""`vllm-eks pins`: the pinned versions, and the newest compatible ones in AWS.

AWS's answers are checked against botocore's models of EKS and Systems Manager.
"""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.offered_pins import AMI, NEWEST, STACK, Pins, addon_versions, offered, offering
from vllm_eks.errors import WrongQuestion
from vllm_eks.pins.eks import ADDON_VERSIONS, NODE_RELEASE_VERSION

pytestmark = pytest.mark.usefixtures("moto_account")


def test_each_pin_is_shown_with_the_newest_version(pins: Pins) -> None:
    status, out = pins(offering())
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if "." in line.split("  ")[0]}
    assert status == 1
    assert lines["cluster.nodeReleaseVersion"] == [NODE_RELEASE_VERSION, "-", AMI]
    assert lines["cluster.addonVersions.coredns"] == ["v1.14.3-eksbuild.3", "-", "v1.14.10-eksbuild.1"]
    assert lines["cluster.addonVersions.vpc-cni"] == ["v1.23.0-eksbuild.1", "-", "v1.23.0-eksbuild.1"]
    assert lines["charts.leaderWorkerSet.version"][:3] == ["0.10.0", "-", "?"]
    assert "helm show chart oci://registry.k8s.io/lws/charts/lws" in out
    assert out.startswith("Pins for Kubernetes 1.36: in this release, in Pulumi.dev.yaml, and the newest in AWS")


def test_a_kubernetes_version_beyond_this_release_is_named_and_not_offered(pins: Pins) -> None:
    found = offered(pins, offering())["cluster.kubernetesVersion"]
    assert (found["offered"], found["remark"]) == (
        "1.36",
        "EKS has 1.37; this release of vllm-eks supports nodes of 1.35 and 1.36",
    )


def test_if_the_two_amis_differ_the_older_release_is_offered(pins: Pins) -> None:
    found = offered(pins, offering(standard="1.36.3-20261020"))["cluster.nodeReleaseVersion"]
    assert (found["offered"], found["remark"]) == (
        "1.36.3-20261020",
        f"the newest release of both AMIs (nvidia {AMI}, standard 1.36.3-20261020)",
    )


def test_add_ons_that_must_not_skip_a_minor_version_go_step_by_step(pins: Pins) -> None:
    far = {**NEWEST, "vpc-cni": "v1.25.0-eksbuild.1"}

    def versions(asked: Mapping[str, Any]) -> dict[str, Any]:
        answer = addon_versions(asked, far)
        if asked["addonName"] == "vpc-cni":
            listed = answer["addons"][0]["addonVersions"]
            listed += [{**listed[0], "addonVersion": f"v1.24.{patch}-eksbuild.1"} for patch in (2, 10)]
        return answer

    found = offered(pins, offering(DescribeAddonVersions=versions))
    cni = found["cluster.addonVersions.vpc-cni"]
    assert (cni["offered"], cni["remark"]) == (
        "v1.24.10-eksbuild.1",
        "the next minor version on the way to v1.25.0-eksbuild.1",
    )


def test_all_newest_is_status_0(pins: Pins) -> None:
    text = STACK + "  vllm-eks:charts: {}\n"
    account = offering(newest=ADDON_VERSIONS, GetParameter={"Parameter": {"Value": NODE_RELEASE_VERSION}})
    assert pins(account, text)[0] == 0


def test_a_pin_without_permission_is_unknown_and_the_rest_is_shown(pins: Pins) -> None:
    found = offered(pins, offering(GetParameter="AccessDeniedException"))
    assert found["cluster.nodeReleaseVersion"]["offered"] is None
    assert found["cluster.nodeReleaseVersion"]["remark"].startswith(
        "unknown: these AWS credentials lack the permission ssm:GetParameter in us-west-2"
    )
    assert found["cluster.addonVersions.coredns"]["offered"] == "v1.14.10-eksbuild.1"


def test_without_credentials_the_pins_are_shown_and_nothing_is_known(pins: Pins) -> None:
    account = offering(GetCallerIdentity="ExpiredToken")
    status, out = pins(account)
    assert status == 1
    assert "AWS could not be queried: AWS rejected the credentials in us-west-2 (ExpiredToken)" in out
    with pytest.raises(WrongQuestion, match="rejected the credentials"):
        pins(account, write=True)


# --- writing


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [("install", [True] * 4), ("existing, prometheusNamespace: monitoring", [False, False, True, True])],
)
def test_what_only_metrics_need_is_pinned_only_with_metrics(pins: Pins, mode: str, wanted: list[bool]) -> None:
    charts = [f"charts.{name}.version" for name in ("kubePrometheusStack", "dcgmExporter", "blackboxExporter")]
    listed = offered(pins, offering(), text=f"{STACK}  vllm-eks:observability: {{prometheus: {mode}}}\n")
    assert [key in listed for key in ("cluster.addonVersions.aws-ebs-csi-driver", *charts)] == wanted
