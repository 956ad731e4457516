"""Kinds that the stack file names: records in its hosted zone, rules in its workspace, and its existing cluster.

Moto has no Pod Identity associations, which come from aws_wire.py.
"""

import shlex
from typing import Any

import pytest

from tests.fakes.aws_wire import Wire
from tests.fakes.planted_aws import MARK, NEIGHBOUR, OURS
from tests.support import leftovers_asking
from tests.support.leftovers_asking import Ask, Gardens

pytestmark = pytest.mark.emulated_aws

# Fixtures are found in the module that uses them.
session, garden = leftovers_asking.session, leftovers_asking.garden
wire, ask = leftovers_asking.wire, leftovers_asking.ask

REGION = "us-west-2"
GONE = f"internal-vllm-20261127-1a2b.{REGION}.elb.amazonaws.com"


def models(zone: str) -> tuple[str, ...]:
    """The lines of a stack with an endpoint."""
    return (
        f"vllm-eks:endpoint: {{scheme: internal, domain: Models.example.com, hostedZoneId: {zone}}}",
        "vllm-eks:models: {scout: {}, maverick: {hostname: chat.example.com}, gone: {}, moved: {}, far: {}, text: {}, "
        "by-hand: {}}",
    )


def test_records_of_the_models_names_are_listed_if_their_load_balancer_is_the_stack_s_or_gone(
    ask: Ask, garden: Gardens
) -> None:
    gardener = garden(REGION)
    gardener.network({})
    ours = gardener.load_balancer(MARK, f"{OURS}-endpoint", "application")
    others = gardener.load_balancer({"vllm-eks/stack": NEIGHBOUR}, f"{NEIGHBOUR}-endpoint", "application")
    addresses = {one["LoadBalancerName"]: one["DNSName"] for one in gardener.load_balancers()}
    zone = gardener.zone("example.com")
    gardener.alias(zone, "scout.models.example.com", f"dualstack.{addresses[ours]}")
    gardener.alias(zone, "chat.example.com", addresses[ours].upper(), "AAAA")
    gardener.alias(zone, "gone.models.example.com", GONE)
    gardener.alias(zone, "moved.models.example.com", addresses[others])
    gardener.alias(zone, "far.models.example.com", GONE.replace(REGION, "us-east-1"))
    gardener.alias(zone, "by-hand.models.example.com", GONE.replace("vllm-", "chat-"))
    gardener.alias(zone, "scout2.models.example.com", addresses[ours])
    gardener.address_record(zone, "text.models.example.com")

    said = ask(REGION, *models(zone))

    found = {one["id"]: one for one in said.json["left"] if one["kind"] == "record"}
    assert {id_: one["why"] for id_, one in found.items()} == {
        "A scout.models.example.com": f"name scout.models.example.com, an alias of {ours}",
        "AAAA chat.example.com": f"name chat.example.com, an alias of {ours}",
        "A gone.models.example.com": f"name gone.models.example.com, an alias of {GONE}, which no longer exists",
    }
    (command,) = found["A gone.models.example.com"]["commands"]
    words = shlex.split(command)
    gardener.change_records(zone, words[words.index("--change-batch") + 1])
    assert "A gone.models.example.com" not in {one["id"] for one in ask(REGION, *models(zone)).json["left"]}


def test_a_protected_load_balancer_gets_a_command_before_its_deletion(ask: Ask, garden: Gardens) -> None:
    region = "ca-central-1"
    gardener = garden(region)
    gardener.network({})
    gardener.load_balancer(MARK, "vllm-1", "application")
    arn = gardener.load_balancers()[0]["LoadBalancerArn"]
    attribute = {"Key": "deletion_protection.enabled", "Value": "true"}
    gardener.client("elbv2").modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[attribute])

    (left,) = ask(region).json["left"]

    assert left["commands"] == [
        f"aws elbv2 modify-load-balancer-attributes --load-balancer-arn {arn} --attributes "
        f"Key=deletion_protection.enabled,Value=false --region {region}",
        f"aws elbv2 delete-load-balancer --load-balancer-arn {arn} --region {region}",
    ]


def test_the_names_of_load_balancers_are_those_of_the_program() -> None:
    from components.endpoint.front_door import NAME_PREFIX as WRITTEN
    from vllm_eks.leftovers.front_door import NAME_PREFIX

    assert NAME_PREFIX == WRITTEN


def test_without_a_hosted_zone_route_53_is_not_asked(ask: Ask, wire: Wire) -> None:
    ask("eu-central-1")
    assert not [call for call in wire.calls if call.startswith("route-53")]


def test_in_an_existing_workspace_only_the_stack_s_rules_are_listed(ask: Ask, garden: Gardens) -> None:
    region = "eu-west-1"
    gardener = garden(region)
    workspace = gardener.workspace({}, "platform")
    for name, tags in {"ours": MARK, "neighbours": {"vllm-eks/stack": NEIGHBOUR}, "theirs": {}}.items():
        gardener.rule_namespace(tags, workspace, name)
    arn = f"arn:aws:aps:{region}:123456789012:workspace/{workspace}"

    said = ask(region, f"vllm-eks:observability: {{prometheus: amazonManaged, workspaceArn: '{arn}'}}")

    assert said.ids == {"rule namespace": ["ours"]}
    assert said.json["left"][0]["commands"] == [
        f"aws amp delete-rule-groups-namespace --workspace-id {workspace} --name ours --region {region}"
    ]


def association(id_: str, tags: dict[str, str]) -> dict[str, Any]:
    return {"associationId": id_, "namespace": "kube-system", "serviceAccount": id_, "clusterName": "shared"} | (
        {"tags": tags} if tags else {}
    )


def test_associations_in_an_existing_cluster_are_listed_by_their_tag(ask: Ask, wire: Wire, garden: Gardens) -> None:
    region = "eu-south-1"
    gardener = garden(region)
    gardener.network({})
    gardener.cluster({}, "shared")
    all_tags = {"a-ours": MARK, "a-neighbours": {"vllm-eks/stack": NEIGHBOUR}, "a-theirs": {}}
    wire.pages["eks.ListPodIdentityAssociations"] = [{"associations": [association(id_, {}) for id_ in all_tags]}]
    wire.pages["eks.DescribePodIdentityAssociation"] = [
        {"association": association(id_, tags)} for id_, tags in all_tags.items()
    ]

    said = ask(region, "vllm-eks:cluster: {existing: shared}")

    assert said.ids == {"pod identity association": ["a-ours"]}
    (left,) = said.json["left"]
    assert left["remark"] == "kube-system/a-ours in shared"
    assert left["commands"] == [
        f"aws eks delete-pod-identity-association --cluster-name shared --association-id a-ours --region {region}"
    ]
