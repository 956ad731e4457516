"""`vllm-eks pins`: what is pinned, what AWS offers as a set that fits together, and how it gets into the stack file.

AWS's answers are held against botocore's models of EKS and Systems Manager.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.aws_account import Account
from vllm_eks.cli.pins import run_pins
from vllm_eks.errors import WrongQuestion
from vllm_eks.pins.eks import ADDON_VERSIONS, NODE_RELEASE_VERSION
from vllm_eks.stack_files.read import read_stack_file

pytestmark = pytest.mark.usefixtures("moto_account")

STACK = """\
# The platform team's stack.
config:
  aws:region: us-west-2 # Oregon
  vllm-eks:network:
    zones: [us-west-2a, us-west-2b]
  vllm-eks:models:
    qwen:
      model: Qwen/Qwen3-8B
      instanceType: g5.xlarge
      zone: us-west-2a
  vllm-eks:cluster:
    # Who may reach the API server.
    publicAccessCidrs:
      - 203.0.113.0/24 # the office
    deletionProtection: true
  vllm-eks:tags: {team: "ml"}
"""
NEWEST = {**ADDON_VERSIONS, "coredns": "v1.14.10-eksbuild.1", "kube-proxy": "v1.36.2-eksbuild.4"}
AMI = "1.36.4-20261105"

Pins = Callable[..., tuple[int, str]]


def addon_versions(asked: Mapping[str, Any], newest: Mapping[str, str]) -> dict[str, Any]:
    name, kubernetes = asked["addonName"], asked["kubernetesVersion"]
    here, elsewhere, of_release = ({"clusterVersion": one} for one in (kubernetes, "1.99", "1.36"))
    listed = [
        {"addonVersion": newest[name], "architecture": ["amd64", "arm64"], "compatibilities": [here]},
        {"addonVersion": ADDON_VERSIONS[name], "architecture": ["amd64"], "compatibilities": [elsewhere, of_release]},
        {"addonVersion": "v99.0.0-eksbuild.1", "architecture": ["arm64"], "compatibilities": [here]},
        {"addonVersion": "v99.0.0-eksbuild.1", "architecture": ["amd64"], "compatibilities": [elsewhere]},
    ]
    return {"addons": [{"addonName": name, "addonVersions": listed}]}


def offering(*, newest: Mapping[str, str] = NEWEST, standard: str = AMI, **more: Any) -> Account:
    """An account of EKS's newest versions; `standard` is the release of the image for system nodes."""
    calendar = {"1.36": "STANDARD_SUPPORT", "1.37": "STANDARD_SUPPORT", "1.34": "EXTENDED_SUPPORT"}
    versions = [{"clusterVersion": version, "versionStatus": status} for version, status in calendar.items()]

    def parameter(asked: Mapping[str, Any]) -> dict[str, Any]:
        assert asked["Name"].startswith("/aws/service/eks/optimized-ami/1.3")
        assert asked["Name"].endswith("/recommended/release_version")
        value = AMI if "/x86_64/nvidia/" in asked["Name"] else standard
        return {"Parameter": {"Name": asked["Name"], "Type": "String", "Value": value}}

    return Account(
        answers={
            "DescribeClusterVersions": {"clusterVersions": versions},
            "GetParameter": parameter,
            "DescribeAddonVersions": lambda asked: addon_versions(asked, newest),
            **more,
        }
    )


@pytest.fixture
def pins(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pins:
    """Run the command on a stack file, against an account; status and what was printed."""

    def run(account: Account, text: str = STACK, **options: Any) -> tuple[int, str]:
        session = SimpleNamespace(client=lambda service, **_: account.client(service))
        monkeypatch.setattr("vllm_eks.aws.account.open_session", lambda *_, **__: session)
        file = folder / "Pulumi.dev.yaml"
        if not file.exists():
            file.write_text(text)
        status = run_pins(folder, "dev", **options)
        return status, capsys.readouterr().out

    return run


def offered(pins: Pins, account: Account, **options: Any) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in json.loads(pins(account, json_wanted=True, **options)[1])["pins"]}


def test_each_pin_is_shown_with_what_is_offered(pins: Pins) -> None:
    status, out = pins(offering())
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if "." in line.split("  ")[0]}
    assert status == 1
    assert lines["cluster.nodeReleaseVersion"] == [NODE_RELEASE_VERSION, "-", AMI]
    assert lines["cluster.addonVersions.coredns"] == ["v1.14.3-eksbuild.3", "-", "v1.14.10-eksbuild.1"]
    assert lines["cluster.addonVersions.vpc-cni"] == ["v1.23.0-eksbuild.1", "-", "v1.23.0-eksbuild.1"]
    assert lines["charts.leaderWorkerSet.version"][:3] == ["0.10.0", "-", "?"]
    assert "helm show chart oci://registry.k8s.io/lws/charts/lws" in out
    assert out.startswith("Pins for Kubernetes 1.36: of this release, in Pulumi.dev.yaml, and the newest that AWS")


def test_a_kubernetes_version_beyond_this_release_is_named_and_not_offered(pins: Pins) -> None:
    found = offered(pins, offering())["cluster.kubernetesVersion"]
    assert (found["offered"], found["remark"]) == (
        "1.36",
        "EKS has 1.37; this release of vllm-eks makes nodes of 1.35 and 1.36",
    )


def test_where_the_two_images_differ_the_release_that_both_have_is_offered(pins: Pins) -> None:
    found = offered(pins, offering(standard="1.36.3-20261020"))["cluster.nodeReleaseVersion"]
    assert (found["offered"], found["remark"]) == (
        "1.36.3-20261020",
        f"the newest that both images have (nvidia {AMI}, standard 1.36.3-20261020)",
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


def test_what_may_not_be_asked_is_unknown_and_the_rest_is_shown(pins: Pins) -> None:
    found = offered(pins, offering(GetParameter="AccessDeniedException"))
    assert found["cluster.nodeReleaseVersion"]["offered"] is None
    assert found["cluster.nodeReleaseVersion"]["remark"].startswith(
        "not known: these AWS credentials may not call ssm:GetParameter in us-west-2"
    )
    assert found["cluster.addonVersions.coredns"]["offered"] == "v1.14.10-eksbuild.1"


def test_without_credentials_the_pins_are_shown_and_nothing_is_known(pins: Pins) -> None:
    account = offering(GetCallerIdentity="ExpiredToken")
    status, out = pins(account)
    assert status == 1
    assert "AWS could not be queried: AWS refused the credentials in us-west-2 (ExpiredToken)" in out
    with pytest.raises(WrongQuestion, match="refused the credentials"):
        pins(account, write=True)


# --- writing

SET_ALREADY = "    nodeReleaseVersion: 1.36.3-20260901 # tested\n    addonVersions: {}\n"


def test_what_is_offered_is_written_and_nothing_else_changes(pins: Pins, folder: Path) -> None:
    status, out = pins(offering(), write=True)
    assert status == 0
    assert "3 written into Pulumi.dev.yaml" in out
    added = (
        '    nodeReleaseVersion: "1.36.4-20261105"\n'
        "    addonVersions:\n"
        '      kube-proxy: "v1.36.2-eksbuild.4"\n'
        '      coredns: "v1.14.10-eksbuild.1"\n'
    )
    place = "    deletionProtection: true\n"
    assert (folder / "Pulumi.dev.yaml").read_text() == STACK.replace(place, place + added)
    assert pins(offering(), write=True) == (0, pins(offering())[1])


@pytest.mark.parametrize(
    "text",
    [
        STACK.replace("vllm-eks:", ""),
        STACK.replace("      - 203", "    - 203"),
        STACK.replace("\n", "\r\n"),
        "\ufeff" + STACK,
        STACK.replace(
            '{team: "ml"}', "\n    team: 'ml'\n    note: a text of many words that goes on and on " + "x " * 60
        ),
        STACK.replace(
            "    deletionProtection: true\n",
            "    nodeReleaseVersion: 1.36.3-20260901 # tested\n    addonVersions: {}\n",
        ),
    ],
    ids=["plain keys", "dashes", "CRLF", "BOM", "long line", "set already"],
)
def test_a_file_of_another_hand_keeps_its_form(pins: Pins, folder: Path, text: str) -> None:
    file = folder / "Pulumi.dev.yaml"
    file.write_bytes(text.encode())
    before = read_stack_file(folder, "dev").config
    pins(offering(), write=True)
    after = read_stack_file(folder, "dev").config
    cluster = json.loads(after["vllm-eks:cluster"])
    assert (cluster["nodeReleaseVersion"], cluster["addonVersions"]["coredns"]) == (AMI, "v1.14.10-eksbuild.1")
    assert {k: v for k, v in after.items() if k != "vllm-eks:cluster"} == {
        k: v for k, v in before.items() if k != "vllm-eks:cluster"
    }
    kept = [line.split(":")[0] for line in text.splitlines() if "ReleaseVersion" not in line and "addonV" not in line]
    written = file.read_bytes().decode()
    assert [line for line in kept if line not in written] == []
    assert ("\r\n" in text) == ("\r\n" in written)


def test_a_set_with_an_unknown_part_is_not_written(pins: Pins, folder: Path) -> None:
    with pytest.raises(WrongQuestion) as caught:
        pins(offering(DescribeAddonVersions="ServerException"), write=True)
    assert str(caught.value).startswith(
        "nothing is written, because a part of the set is unknown:\n  cluster.addonVersions.vpc-cni: not known: AWS "
    )
    assert (folder / "Pulumi.dev.yaml").read_text() == STACK


def test_a_section_that_others_share_is_left_alone(pins: Pins, folder: Path) -> None:
    cidrs = "    publicAccessCidrs:\n      - 203.0.113.0/24 # the office\n    deletionProtection: true\n"
    shared = STACK.replace("  vllm-eks:cluster:\n", "  vllm-eks:cluster: &shared\n")
    assert cidrs.splitlines()[0] in shared
    text = shared + "  other:copy: *shared\n"
    with pytest.raises(WrongQuestion, match=r"^Pulumi.dev.yaml was left as it was \(an edit would change more of it"):
        pins(offering(), text, write=True)
    assert (folder / "Pulumi.dev.yaml").read_text() == text


def test_another_minor_version_is_written_as_a_whole_set(pins: Pins, folder: Path) -> None:
    newest = {name: version.replace("1.36", "1.35") for name, version in NEWEST.items()}
    pins(
        offering(newest=newest, GetParameter={"Parameter": {"Value": "1.35.6-20261105"}}),
        write=True,
        kubernetes_version="1.35",
    )
    cluster = json.loads(read_stack_file(folder, "dev").config["vllm-eks:cluster"])
    assert (cluster["kubernetesVersion"], cluster["nodeReleaseVersion"]) == ("1.35", "1.35.6-20261105")
    assert cluster["addonVersions"] == newest


def test_a_version_that_this_release_does_not_make_is_refused(pins: Pins) -> None:
    with pytest.raises(WrongQuestion) as caught:
        pins(offering(), kubernetes_version="1.37")
    assert str(caught.value) == (
        "this release supports nodes of Kubernetes 1.35 and 1.36, not 1.37: choose one of these"
    )


EXISTING_NETWORK = """\
    existing:
      vpcId: vpc-0123456789abcdef0
      subnets:
        us-west-2a: subnet-0123456789abcdef0
        us-west-2b: subnet-0123456789abcdef1
"""


def test_an_existing_cluster_has_its_own_add_ons(pins: Pins, folder: Path) -> None:
    text = STACK.replace("    zones: [us-west-2a, us-west-2b]\n", EXISTING_NETWORK)
    a, b = text.index("    # Who may"), text.index("  vllm-eks:tags")
    (folder / "Pulumi.dev.yaml").write_text(text[:a] + "    existing: theirs\n" + text[b:])
    assert [key for key in offered(pins, offering()) if key.startswith("cluster.")] == [
        "cluster.kubernetesVersion",
        "cluster.nodeReleaseVersion",
    ]
