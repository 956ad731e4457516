"""`vllm-eks pins --write`: the changes of the stack file, and when nothing is written."""

import json
from pathlib import Path

import pytest

from tests.support.offered_pins import AMI, NEWEST, STACK, Pins, offered, offering
from vllm_eks.errors import WrongQuestion
from vllm_eks.pins.eks import EBS_CSI_DRIVER
from vllm_eks.stack_files.read import read_stack_file

pytestmark = pytest.mark.usefixtures("moto_account")


def test_the_newest_versions_are_written_and_nothing_else_changes(pins: Pins, folder: Path) -> None:
    status, out = pins(offering(), write=True)
    assert status == 0
    assert "3 written to Pulumi.dev.yaml" in out
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
        STACK.replace('{team: "ml"}', "\n    team: 'ml'\n    note: a text of many words that never ends " + "x " * 60),
        STACK.replace(
            "    deletionProtection: true\n",
            "    nodeReleaseVersion: 1.36.3-20260901 # tested\n    addonVersions: {}\n",
        ),
    ],
    ids=["plain keys", "dashes", "CRLF", "BOM", "long line", "set already"],
)
def test_a_file_with_another_style_keeps_it(pins: Pins, folder: Path, text: str) -> None:
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
        "nothing was written, because some versions are unknown:\n  cluster.addonVersions.vpc-cni: unknown: "
    )
    assert (folder / "Pulumi.dev.yaml").read_text() == STACK


def test_a_shared_section_is_not_changed(pins: Pins, folder: Path) -> None:
    cidrs = "    publicAccessCidrs:\n      - 203.0.113.0/24 # the office\n    deletionProtection: true\n"
    shared = STACK.replace("  vllm-eks:cluster:\n", "  vllm-eks:cluster: &shared\n")
    assert cidrs.splitlines()[0] in shared
    text = shared + "  other:copy: *shared\n"
    with pytest.raises(WrongQuestion, match=r"^Pulumi.dev.yaml was not changed \(the edit would change more than"):
        pins(offering(), text, write=True)
    assert (folder / "Pulumi.dev.yaml").read_text() == text


def test_another_minor_version_is_written_as_a_complete_set(pins: Pins, folder: Path) -> None:
    newest = {name: version.replace("1.36", "1.35") for name, version in NEWEST.items()}
    pins(
        offering(newest=newest, GetParameter={"Parameter": {"Value": "1.35.6-20261105"}}),
        write=True,
        kubernetes_version="1.35",
    )
    cluster = json.loads(read_stack_file(folder, "dev").config["vllm-eks:cluster"])
    assert (cluster["kubernetesVersion"], cluster["nodeReleaseVersion"]) == ("1.35", "1.35.6-20261105")
    # Only a stack with its own Prometheus needs the volume driver.
    assert cluster["addonVersions"] == {name: newest[name] for name in newest if name != EBS_CSI_DRIVER}


def test_a_version_that_this_release_does_not_support_is_refused(pins: Pins) -> None:
    with pytest.raises(WrongQuestion) as caught:
        pins(offering(), kubernetes_version="1.37")
    assert str(caught.value) == (
        "this release supports nodes of Kubernetes 1.35 and 1.36, not 1.37: choose one of them"
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
