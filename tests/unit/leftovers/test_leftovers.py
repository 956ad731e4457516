"""What `vllm-eks leftovers` lists in a moto account, and what it must never list.

Moto has no placement groups, which come from aws_wire.py.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.aws_wire import Wire, written
from tests.fakes.planted_aws import MARK, NEIGHBOUR, OURS, owned, tag_list
from tests.fakes.planted_stacks import plant_strange_network, plant_strangers
from tests.support import leftovers_asking
from tests.support.leftovers_asking import FULL, KINDS, PLACEMENT_GROUPS, Ask, Gardens, full_account
from vllm_eks.cli.views.json_keys import LEFTOVERS_KEYS

pytestmark = pytest.mark.emulated_aws

ROOT = Path(__file__).parents[3]

# Fixtures are found in the module that uses them.
session, garden, full = leftovers_asking.session, leftovers_asking.garden, leftovers_asking.full
wire, ask = leftovers_asking.wire, leftovers_asking.ask
PAGE = (ROOT / "docs" / "how-to" / "leftovers.md").read_text()
EMPTY, ALIVE, EXISTING = "us-west-1", "us-east-2", "eu-west-1"


def test_every_kind_is_listed_with_reason_cost_and_command(ask: Ask, wire: Wire, full: Any) -> None:
    full_account(wire, full)
    said = ask(FULL, as_json=False)
    # test_leftovers_vpc.py tests the resources of others in the VPC.
    before, _, rest = said.out.partition("\nResources of others in the stack's VPC")
    out = before + rest[rest.index("\nAWS deletes automatically") :]
    assert written(out) == (ROOT / "tests" / "golden" / "leftovers.txt").read_text()
    assert said.status == 1


def test_the_example_of_the_page_is_the_output_of_the_command(ask: Ask, garden: Gardens) -> None:
    gardener = garden("ap-northeast-2")
    gardener.network({})
    gardener.nat_gateway(MARK)
    gardener.interface({"cluster.k8s.amazonaws.com/name": OURS})
    gardener.key(MARK, dying=True)
    example = PAGE.partition("```\n$ vllm-eks leftovers --stack dev\n")[2].partition("```\n")[0]
    assert written(ask("ap-northeast-2", as_json=False).out) == example


def test_no_kind_is_forgotten(ask: Ask, wire: Wire, full: Any) -> None:
    full_account(wire, full)
    assert tuple(ask(FULL).ids) == KINDS


def test_resources_of_others_are_never_listed(ask: Ask, wire: Wire, full: Any) -> None:
    full_account(wire, full)
    said = ask(FULL)
    entries = said.json["left"] + said.json["going_by_themselves"]
    words = {word for one in entries for command in one["commands"] for word in command.split()}
    named = words | {one["id"] for one in entries}
    assert len(full[1]) > 180
    assert named & full[1] == set()
    assert NEIGHBOUR not in json.dumps(entries)
    # Resources that block the VPC are listed, but without a command to remove them.
    theirs = [one for one in said.json["in_the_way"] if NEIGHBOUR in one["made_by"]]
    assert theirs
    assert {command for one in theirs for command in one["commands"]} == set()


def test_another_stack_lists_only_its_own(ask: Ask, wire: Wire, full: Any) -> None:
    full_account(wire, full)
    said = ask(FULL, stack="dev2")
    assert {one["why"].rpartition("=")[2] for one in said.json["left"] if one["why"].startswith("tag vllm")} == {
        NEIGHBOUR
    }
    assert f"={OURS}" not in {one["why"] for one in said.json["left"]}
    assert said.ids["log group"].count(f"/aws/eks/{NEIGHBOUR}/cluster") == 1
    # The CNI's interfaces without a name in the VPC of the stack dev do not belong to dev2.
    assert not [one for one in said.json["left"] if "in the stack's own" in one["why"]]


def test_with_only_resources_of_others_nothing_is_left(ask: Ask, wire: Wire, garden: Gardens) -> None:
    gardener = garden(EMPTY)
    plant_strange_network(gardener)
    plant_strangers(gardener)
    wire.pages[PLACEMENT_GROUPS] = [{"PlacementGroups": gardener.placement_groups}]
    said = ask(EMPTY, as_json=False)
    assert said.out == f"{OURS} in {EMPTY}, account 123456789012: nothing is left.\n"
    assert said.status == 0
    assert ask(EMPTY).json["clean"] is True
    assert list(ask(EMPTY).json) == list(LEFTOVERS_KEYS)


def test_a_key_in_its_waiting_period_is_mentioned_and_is_no_leftover(ask: Ask, garden: Gardens) -> None:
    region = "eu-north-1"
    key = garden(region).key(MARK, dying=True)
    said = ask(region)
    assert (said.status, said.json["left"]) == (0, [])
    (going,) = said.json["going_by_themselves"]
    assert (going["id"], going["commands"], going["usd_per_month"]) == (key, [], 0)
    assert re.fullmatch(r"gone on \d{4}-\d\d-\d\d, and free until then", going["remark"])


def test_a_key_is_identified_by_its_whole_alias(ask: Ask, garden: Gardens) -> None:
    region = "eu-west-3"
    mine, _ = garden(region).key({}, alias=f"alias/eks/{OURS}"), garden(region).key({}, alias=f"alias/eks/{NEIGHBOUR}")
    (left,) = ask(region).json["left"]
    assert (left["id"], left["why"]) == (mine, f"alias alias/eks/{OURS}")


def test_a_cluster_that_exists_comes_first(ask: Ask, garden: Gardens) -> None:
    gardener = garden(ALIVE)
    gardener.network({})
    for name in (OURS, NEIGHBOUR):
        gardener.cluster({}, name)
        gardener.node_group({}, name, f"{name}-nodes")
    said = ask(ALIVE, as_json=False)
    assert said.out.splitlines()[0] == (
        f"The cluster {OURS} still exists (ACTIVE): the listed resources are in use, not left over."
    )
    assert said.status == 1
    listed = ask(ALIVE).json
    assert [(one["kind"], one["id"], one["why"], one["remark"]) for one in listed["left"]] == [
        ("node group", f"{OURS}-nodes", f"in the cluster {OURS}", f"ACTIVE, in {OURS}"),
        ("cluster", OURS, f"name {OURS}", "ACTIVE"),
    ]
    assert listed["usd_per_hour_at_least"] == 0.1
    assert listed["left"][0]["commands"] == [
        f"aws eks delete-nodegroup --cluster-name {OURS} --nodegroup-name {OURS}-nodes --region {ALIVE}"
    ]


def test_in_an_existing_cluster_only_the_tag_counts(ask: Ask, garden: Gardens) -> None:
    gardener = garden(EXISTING)
    gardener.network(MARK | owned(OURS))
    gardener.cluster({}, "shared")
    gardener.cluster({}, OURS)
    gardener.node_group(MARK, "shared", "ours")
    gardener.node_group({}, "shared", "theirs")
    gardener.node_group(MARK, OURS, "ours-too")
    gardener.node_group({}, OURS, "theirs-too")
    node = gardener.instance(MARK | {"eks:cluster-name": "shared"})
    gardener.instance({"eks:cluster-name": "shared"})
    of_node = {"cluster.k8s.amazonaws.com/name": "shared", "node.k8s.amazonaws.com/instance_id": node}
    interface = gardener.interface(of_node)
    gardener.interface({**of_node, "node.k8s.amazonaws.com/instance_id": "i-0fedcba9876543210"})
    gardener.interface({**of_node, "vllm-eks/stack": NEIGHBOUR})
    gardener.log_group({}, f"/aws/eks/{OURS}/cluster")
    gardener.volume(owned(OURS))
    network = f"vllm-eks:network: {{existing: {{vpcId: {gardener.vpc}}}}}"

    said = ask(EXISTING, network, "vllm-eks:cluster: {existing: shared}")
    assert said.ids.keys() == {"node group", "cluster", "instance", "network interface", "volume", "log group"}
    assert said.ids["node group"] == ["theirs-too", "ours", "ours-too"]
    assert (said.ids["instance"], said.ids["network interface"]) == ([node], [interface])

    said = ask(EXISTING, network, f"vllm-eks:cluster: {{existing: {OURS}}}")
    assert said.ids == {"node group": ["ours-too"], "instance": [node], "network interface": [interface]}
    assert said.json["in_use"] == (
        f"The stack still has node groups in the cluster {OURS}: the listed resources are in use, not left over."
    )
    assert said.status == 1


def test_kept_logs_are_reported_as_kept(ask: Ask, garden: Gardens) -> None:
    region = "ap-south-1"
    garden(region).log_group({}, f"/aws/eks/{OURS}/cluster")
    assert [one["remark"] for one in ask(region).json["left"]] == [None]
    said = ask(region, "vllm-eks:cluster: {keepLogs: true}")
    assert [one["remark"] for one in said.json["left"]] == ["kept by cluster.keepLogs"]
    assert said.status == 1


def test_deleted_resources_that_ec2_still_lists_are_not_left(ask: Ask, garden: Gardens) -> None:
    region = "ap-northeast-1"
    gardener = garden(region)
    gardener.network({})
    instance, stopped = gardener.instance(MARK), gardener.instance(MARK, "m7i.large")
    gardener.client("ec2").terminate_instances(InstanceIds=[instance])
    said = ask(region)
    assert said.ids == {"instance": [stopped]}
    # The catalogue has only GPU types, so a missing price does not mean free.
    assert (said.json["left"][0]["usd_per_hour"], said.json["usd_per_hour_at_least"]) == (None, 0)
    assert re.search(r"^instance +i-\S+ +\? +\? ", ask(region, as_json=False).out, re.MULTILINE)


def test_resources_deleted_with_their_vpc_are_not_listed(ask: Ask, garden: Gardens) -> None:
    gardener = garden("sa-east-1")
    gardener.network(MARK)
    ec2, here = gardener.client("ec2"), [{"Name": "vpc-id", "Values": [gardener.vpc]}]
    (group,) = ec2.describe_security_groups(Filters=here)["SecurityGroups"]
    (table,) = ec2.describe_route_tables(Filters=here)["RouteTables"]
    ec2.create_tags(Resources=[group["GroupId"], table["RouteTableId"]], Tags=tag_list(MARK))
    assert ask("sa-east-1").ids == {"subnet": [gardener.subnet], "VPC": [gardener.vpc]}
