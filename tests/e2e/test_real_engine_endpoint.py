"""Stacks with a load balancer, metrics and logs, on the real engine: up, edits, and a destroy that leaves nothing."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.binding_controller import binding_controller
from tests.e2e.engine_lab import client, keep_at_destroy, leftovers, steps, why_not
from tests.e2e.front_doors import (
    DOMAIN,
    Named,
    dev_settings,
    make_named,
    new_stack,
    open_door_lab,
    remove_crds,
)
from tests.e2e.stand_in_charts import CRDS
from tests.e2e.sweep import check_left, everything

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

SCOUT, SMALL = "llama-4-scout", "qwen3-8b"
SMALL_MODEL = {"model": "Qwen/Qwen3-8B", "instanceType": "g6.12xlarge", "zone": "us-west-2b"}
GROUP_OF_LOGS = "/aws/eks/vllm-eks-kept/models"
TOPIC = "arn:aws:sns:us-west-2:123456789012:alerts"


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    with open_door_lab() as found:
        yield found


@pytest.fixture(scope="module")
def named(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Named:
    return make_named(lab, tmp_path_factory.mktemp("named"))


@pytest.fixture
def before(lab: Any, named: Named) -> set[str]:
    return everything(lab)


def open_to_all(named: Named) -> dict[str, Any]:
    """Return the section of a load balancer on the internet."""
    return {
        "scheme": "internetFacing",
        "domain": DOMAIN,
        "certificateArn": named.certificate,
        "hostedZoneId": named.zone,
        "sourceRanges": ["0.0.0.0/0"],
    }


def made_of(lab: Any, before: set[str], *kinds: str) -> set[str]:
    """Return what was made of these kinds, which are the start of their names."""
    return {one for one in everything(lab) - before if one.startswith(kinds)}


def names_of(found: set[str], kind: str) -> list[str]:
    return sorted(one.removeprefix(f"{kind} ") for one in found if one.startswith(f"{kind} "))


def remove_kept(lab: Any, zone: str) -> None:
    """Delete what a destroy has left on purpose."""
    balancers, ec2, route53 = client(lab, "elbv2"), client(lab, "ec2"), client(lab, "route53")
    for group in balancers.describe_target_groups()["TargetGroups"]:
        balancers.delete_target_group(TargetGroupArn=group["TargetGroupArn"])
    for volume in ec2.describe_volumes()["Volumes"]:
        ec2.delete_volume(VolumeId=volume["VolumeId"])
    for record in route53.list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]:
        if record["Type"] == "A":
            change = {"Action": "DELETE", "ResourceRecordSet": record}
            route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
    client(lab, "logs").delete_log_group(logGroupName=GROUP_OF_LOGS)


def test_a_destroy_leaves_exactly_what_the_state_keeps_and_leftovers_lists_it(
    lab: Any, named: Named, before: set[str]
) -> None:
    """The kept resources show that the comparison, and the command, would see what else stays."""
    endpoint = open_to_all(named) | {"webAclArn": named.web_acl}
    metrics = {"prometheus": "install", "logs": "cloudWatch"}
    stack = new_stack(lab, "kept", dev_settings(named, endpoint=endpoint, observability=metrics))
    with binding_controller(lab, stack) as bindings:
        stack.up().check()
        assert "this machine cannot connect" in stack.outputs()["models"][SCOUT]["frontDoor"]
        made = everything(lab) - before
        assert names_of(made, "record A") == [f"{SCOUT}.{DOMAIN}"]
        (balancer,) = names_of(made, "load balancer")
        assert balancer.endswith("(internet-facing)")
        assert stack.up().check().changed == []

        kept = made_of(lab, before, "volume ", "target group ", "record A ", f"aws/log-group/{GROUP_OF_LOGS}")
        assert len(kept) == 4
        # The monitor goes with its namespace.
        keep_at_destroy(stack, "-prometheus-volume", "-target-group", f"{DOMAIN}-record", "logs-group", "-podmonitor")
        stack.destroy().check()
    assert (len(bindings.released), bindings.stuck) == (1, set())
    kind = "customresourcedefinition.apiextensions.k8s.io/"
    assert {one.removeprefix(kind) for one in lab.left() if one.startswith(kind)} == set(CRDS)
    remove_crds(lab)
    try:
        check_left(lab, before, kept)
        found = leftovers(stack)
        assert found.returncode == 1
        shown = [one.removeprefix("aws/log-group/").split()[-1] for one in kept]
        assert [one for one in shown if one not in found.stdout] == [], found.stdout
    finally:
        remove_kept(lab, named.zone)
    check_left(lab, before)
    found = leftovers(stack)
    assert (found.returncode, found.stderr, "nothing is left" in found.stdout) == (0, "", True)


def test_a_workspace_and_an_internal_load_balancer_leave_nothing(lab: Any, named: Named, before: set[str]) -> None:
    endpoint = {"scheme": "internal", "domain": DOMAIN, "certificateArn": named.certificate}
    metrics = {"prometheus": "amazonManaged", "alertTopicArn": TOPIC}
    stack = new_stack(lab, "managed", dev_settings(named, endpoint=endpoint, observability=metrics))
    with binding_controller(lab, stack) as bindings:
        assert steps(stack.up().check(), "managed") >= {"create metrics-workspace", "create metrics-alert-manager"}
        made = everything(lab) - before
        assert (len(names_of(made, "workspace")), len(names_of(made, "target group"))) == (1, 1)
        assert (names_of(made, "record A"), names_of(made, "volume")) == ([], [])
        assert stack.up().check().changed == []
        stack.destroy().check()
    assert (len(bindings.released), bindings.stuck) == (1, set())
    remove_crds(lab)
    check_left(lab, before)
    assert "nothing is left" in leftovers(stack).stdout


def test_edits_of_a_running_stack_neither_fail_nor_leave_anything(lab: Any, named: Named, before: set[str]) -> None:
    plain = {"scheme": "internal", "domain": DOMAIN, "hostedZoneId": named.zone}
    installed = dev_settings(named, endpoint=plain, observability={"prometheus": "install"})
    installed["config"]["vllm-eks:models"][SMALL] = dict(SMALL_MODEL)
    stack = new_stack(lab, "edited", installed)
    with binding_controller(lab, stack) as bindings:
        stack.up().check()
        groups = made_of(lab, before, "target group ")
        assert (len(groups), len(made_of(lab, before, "volume "))) == (2, 1)

        # Plain HTTP inside the VPC becomes HTTPS on the internet, and Prometheus another one. Both load balancers
        # exist for a while, and AWS accepts no target group in both.
        metrics = {
            "prometheus": "existing",
            "prometheusNamespace": "monitoring",
            "prometheusLabels": {"release": "own"},
        }
        moved = dev_settings(named, endpoint=open_to_all(named), observability=metrics)
        moved["config"]["vllm-eks:models"][SMALL] = dict(SMALL_MODEL)
        stack.configure(moved)
        stack.up().check()
        made = everything(lab) - before
        (balancer,) = names_of(made, "load balancer")
        assert balancer.endswith("(internet-facing)")
        assert (len(names_of(made, "target group")), names_of(made, "volume"), made & groups) == (2, [], set())

        # One model goes, and the other takes over its name.
        one_model = dev_settings(named, endpoint=open_to_all(named), observability=metrics)
        one_model["config"]["vllm-eks:models"][SCOUT]["hostname"] = f"{SMALL}.{DOMAIN}"
        stack.configure(one_model)
        done = steps(stack.up().check(), "edited")
        assert {f"update {SCOUT}-rule", f"delete {SCOUT}.{DOMAIN}-record"} <= done
        made = everything(lab) - before
        assert (names_of(made, "record A"), len(names_of(made, "target group"))) == ([f"{SMALL}.{DOMAIN}"], 1)

        stack.configure(dev_settings(named, observability=metrics))
        stack.up().check()
        assert made_of(lab, before, "load balancer ", "target group ", "record A ") == set()
        stack.destroy().check()
    assert (len(bindings.released), bindings.stuck) == (4, set())
    remove_crds(lab)
    check_left(lab, before)
    assert "nothing is left" in leftovers(stack).stdout
