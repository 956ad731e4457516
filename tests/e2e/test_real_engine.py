"""The whole program on the real engine and API server, with an emulated account (docs/how-to/edits.md)."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.engine_lab import (
    ROOT,
    as_printed,
    interrupted,
    leftovers,
    make_boundary,
    make_network,
    nothing_is_left,
    open_lab,
    steps,
    why_not,
    with_failed_group,
)

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

FILES = {
    "dev": "Pulumi.dev.yaml",
    "prod": "Pulumi.prod.yaml",
    "two-zones": "examples/Pulumi.two-zones.yaml",
    "s3": "examples/Pulumi.s3.yaml",
    "existing-network": "examples/Pulumi.existing-network.yaml",
}
MODEL = "llama-4-scout"
RELEASE, NODES, SYSTEM = f"update {MODEL}-release", f"{MODEL}-nodes", "system-nodes"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
Change = Callable[[dict[str, Any]], None]


def settings(stack: str) -> dict[str, Any]:
    found = yaml.safe_load((ROOT / FILES[stack]).read_text())
    if stack == "prod":
        found["config"]["vllm-eks:iam"] = {"permissionsBoundary": BOUNDARY, "rolePath": "/team/"}
    return found


def of(section: str, **keys: Any) -> Change:
    return lambda config: config.setdefault(f"vllm-eks:{section}", {}).update(keys)


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    with open_lab() as found:
        yield found


@pytest.fixture(scope="module")
def dev(lab: Any) -> Any:
    """The dev stack after an interrupted first `pulumi up` (Ctrl-C) and a second one."""
    stack = lab.stack("dev", settings("dev"))
    assert interrupted(stack, "up", "create", "vllm-eks-dev-control-plane-eksCluster")
    made = names_made(stack)
    assert "control-plane-eksCluster" in made
    # What had begun is completed, among it perhaps the nodes.
    assert f"{MODEL}-release" not in made, "it came to its end before it was interrupted"
    assert steps(stack.up().check(), "dev") >= {f"create {MODEL}-release"}
    assert names_made(stack) > made
    return stack


def pods(lab: Any) -> set[str]:
    found = json.loads(lab.kubectl("get", "pods", "--namespace", f"vllm-{MODEL}", "--output", "json"))["items"]
    return {one["metadata"]["uid"] for one in found if "leaderworkerset.sigs.k8s.io/name" in one["metadata"]["labels"]}


def resources(stack: Any) -> set[str]:
    """Return the URNs of the state, without default providers, whose deletion does nothing."""
    return {one["urn"] for one in stack.export()["deployment"]["resources"] if "pulumi:providers:" not in one["urn"]}


def names_made(stack: Any) -> set[str]:
    """Return the names of the providers' resources, without the stack's name and without components."""
    listed = stack.export()["deployment"]["resources"]
    return {one["urn"].split("::")[-1].removeprefix("vllm-eks-dev-") for one in listed if one["custom"]}


def edited(stack: Any, change: Change) -> None:
    config = copy.deepcopy(settings(stack.name))
    change(config["config"])
    stack.configure(config)


def test_a_second_up_and_a_refresh_change_nothing(dev: Any) -> None:
    assert steps(dev.up().check(), "dev") == set()
    assert steps(dev.refresh().check(), "dev") == set()
    assert steps(dev.up().check(), "dev") == set()


def test_keys_change_in_place_and_no_pod_restarts(lab: Any, dev: Any) -> None:
    edited(dev, lambda _: None)
    before = pods(lab)
    dev.set("vllm-eks:secondApiKey", "another", secret=True)

    assert steps(dev.up().check(), "dev") == {f"update {MODEL}-api-key"}
    assert before
    assert pods(lab) == before


def test_the_model_is_asked_again_after_its_nodes_were_rolled(dev: Any) -> None:
    edited(dev, of("cluster", nodeReleaseVersion="1.36.3-20261101"))

    assert steps(dev.up().check(), "dev") == {RELEASE, f"update {NODES}", f"update {SYSTEM}"}


def test_the_commands_of_the_tutorial_run(dev: Any) -> None:
    """All but those of the aws command, the port-forward, and the request to the model: nothing serves here."""
    edited(dev, of("cluster", nodeReleaseVersion="1.36.3-20261101"))
    narrow = "pulumi config set --stack dev --path 'vllm-eks:cluster.publicAccessCidrs[0]' 203.0.113.7/32"
    assert as_printed(dev, narrow).returncode == 0
    assert yaml.safe_load(dev.file.read_text())["config"]["vllm-eks:cluster"]["publicAccessCidrs"] == ["203.0.113.7/32"]
    previewed = as_printed(dev, "pulumi preview --stack dev")
    assert previewed.returncode == 0, previewed.stdout
    assert f"{MODEL}-0" in as_printed(dev, "vllm-eks doctor --stack dev").stdout
    assert as_printed(dev, "pulumi stack output kubeconfig --stack dev --show-secrets > kubeconfig").returncode == 0
    assert "server" in yaml.safe_load((dev.lab.program / "kubeconfig").read_text())["clusters"][0]["cluster"]
    (model,) = json.loads(as_printed(dev, "pulumi stack output models --stack dev").stdout).values()
    assert {"portForward", "curl", "python"} <= model.keys()


def test_a_failed_group_stops_the_next_up_and_is_recreated_on_demand(lab: Any, dev: Any) -> None:
    state = dev.export()
    urn = with_failed_group(state, f"vllm-eks-dev-{NODES}")
    file = lab.folder / "failed.json"
    file.write_text(json.dumps(state))
    dev._pulumi(["stack", "import", "--stack", "dev", "--file", str(file)]).check()

    stopped = dev.up()
    assert stopped.status
    assert f"pulumi up --replace '{urn}'" in stopped.output
    assert "Traceback" not in stopped.output
    mended = dev._engine("up", "--yes", "--skip-preview", "--replace", urn).check()
    assert steps(mended, "dev") == {RELEASE, f"replace {NODES}"}


def test_a_protected_stack_refuses_its_destroy_before_anything_goes(dev: Any) -> None:
    edited(dev, of("cluster", nodeReleaseVersion="1.36.3-20261101", deletionProtection=True))
    dev.up().check()
    before = resources(dev)

    refused = dev.destroy()
    assert refused.status
    assert f"{MODEL}-release" in refused.output
    assert resources(dev) == before, "also without the preview that refuses it first"


def test_a_stack_is_parked_and_destroyed_with_the_commands_of_the_tutorial(lab: Any, dev: Any) -> None:
    def park(config: dict[str, Any]) -> None:
        of("cluster", nodeReleaseVersion="1.36.3-20261101")(config)
        config["vllm-eks:models"][MODEL]["parked"] = True

    edited(dev, park)
    assert as_printed(dev, "vllm-eks preview --stack dev").stdout.startswith("Yes, if your account allows it: no GPU")
    assert as_printed(dev, "pulumi up --stack dev").returncode == 0
    assert dev.outputs()["models"][MODEL]["nodes"] == 0
    assert as_printed(dev, "pulumi destroy --stack dev").returncode == 0
    assert nothing_is_left(lab)
    found = as_printed(dev, "vllm-eks leftovers --stack dev")
    assert (found.returncode, "nothing is left" in found.stdout) == (0, True)
    assert as_printed(dev, "pulumi stack rm dev").returncode == 0
    assert not dev.file.exists()


def up_with_token(lab: Any, name: str) -> Any:
    stack = lab.stack(name, settings(name))
    stack.set("vllm-eks:huggingFaceToken", "engine-lab", secret=True)
    stack.up().check()
    return stack


@pytest.fixture(scope="module")
def prod(lab: Any, dev: Any) -> Any:
    """The prod stack with a boundary, deployed after dev is gone, because names in the cluster are fixed."""
    assert make_boundary(lab) == BOUNDARY
    return up_with_token(lab, "prod")


def test_path_and_boundary_reach_every_role_including_the_one_inside_pulumi_eks(prod: Any) -> None:
    listed = prod.export()["deployment"]["resources"]
    roles = {one["urn"].split("::")[-1]: one["inputs"] for one in listed if one["type"] == "aws:iam/role:Role"}
    assert "vllm-eks-prod-control-plane-eksRole-role" in roles
    assert {(one["path"], one["permissionsBoundary"]) for one in roles.values()} == {("/team/", BOUNDARY)}


def test_prod_stays_the_same(prod: Any) -> None:
    edited(prod, lambda _: None)
    assert steps(prod.up().check(), "prod") == set()
    assert steps(prod.refresh().check(), "prod") == set()


def test_leftovers_lists_the_rest_of_an_interrupted_destroy_and_nothing_after_a_complete_one(
    lab: Any, prod: Any
) -> None:
    # Its status is 0, because Pulumi treats an interrupted destroy as completed.
    interrupted(prod, "destroy", "delete", f"{MODEL}-release")
    found = leftovers(prod)
    assert found.returncode == 1
    assert {"cluster", "NAT"} <= {line.split()[0] for line in found.stdout.splitlines() if line}
    prod.destroy().check()
    assert nothing_is_left(lab)
    found = leftovers(prod)
    assert (found.returncode, "nothing is left" in found.stdout) == (0, True)


@pytest.mark.parametrize("name", ["two-zones", "s3"])
def test_further_stacks_come_up_stay_the_same_and_leave_nothing(lab: Any, dev: Any, name: str) -> None:
    stack = up_with_token(lab, name)
    assert steps(stack.up().check(), name) == set()
    assert steps(stack.refresh().check(), name) == set()
    stack.destroy().check()
    assert nothing_is_left(lab)


def test_an_existing_network_is_used_and_left_as_it_was(lab: Any, dev: Any) -> None:
    vpc, subnets = make_network(lab, ["us-west-2a", "us-west-2b"])
    before = lab.holdings()
    config = settings("existing-network")
    config["config"]["vllm-eks:network"]["existing"] = {"vpcId": vpc, "subnets": subnets}
    stack = lab.stack("existing-network", config)
    made = steps(stack.up().check(), "existing-network")
    assert f"create {NODES}" in made
    assert {
        f"create {part}" for part in ("vpc", "internet-gateway", "nat-us-west-2a", "private-us-west-2a")
    } & made == set()
    assert steps(stack.up().check(), "existing-network") == set()
    assert steps(stack.refresh().check(), "existing-network") == set()
    stack.destroy().check()
    assert nothing_is_left(lab, before)
