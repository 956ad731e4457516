"""A model's part of the load balancer: target group, rule, record, binding and the request at the end."""

import re
from pathlib import Path

import pulumi
import pytest

from components.endpoint import model_door as module
from components.endpoint.first_request import Answer, Door
from components.endpoint.limits import DEREGISTRATION_SECONDS, HEALTH_INTERVAL_SECONDS, PATHS, UNHEALTHY_COUNT
from tests.support.front_doors import TAGS, model_door, spec
from vllm_eks.pods.drain import LIMIT_SECONDS, SETTLE_SECONDS
from vllm_eks.pods.vllm_eks_keys import OPEN_PATHS

CHART = Path(__file__).parents[3] / "charts" / "vllm" / "templates"
NAMED = {**TAGS, "Name": "vllm-dev-qwen3"}


def test_a_model_has_these_parts(engine) -> None:
    engine.run(lambda: model_door(spec(hosted_zone_id="Z1")))

    assert engine.children()["qwen3"] == {
        "TargetGroup qwen3-target-group",
        "ListenerRule qwen3-rule",
        "Record qwen3.models.example.com-record",
        "NetworkPolicy qwen3-network-policy",
        "TargetGroupBinding qwen3-binding",
    }


def test_without_a_zone_there_is_no_record(engine) -> None:
    engine.run(model_door)

    assert not any(child.startswith("Record ") for child in engine.children()["qwen3"])


def test_the_target_group_follows_the_leader(engine) -> None:
    engine.run(model_door)

    group = engine.only("aws:lb/targetGroup:TargetGroup")
    assert group.inputs == {
        "namePrefix": "vllm-",
        "vpcId": "vpc-1",
        "targetType": "ip",
        "ipAddressType": "ipv4",
        "port": 8000,
        "protocol": "HTTP",
        "protocolVersion": "HTTP1",
        "loadBalancingAlgorithmType": "least_outstanding_requests",
        "deregistrationDelay": 120,
        "healthCheck": {
            "enabled": True,
            "path": "/health",
            "port": "traffic-port",
            "protocol": "HTTP",
            "matcher": "200",
            "interval": 10,
            "timeout": 5,
            "healthyThreshold": 2,
            "unhealthyThreshold": 3,
        },
        "tags": NAMED,
    }
    assert not group.request.deleteBeforeReplace, "the next group has its targets before this one goes"
    (balancer,) = group.request.replace_with
    assert balancer.endswith("::door-load-balancer"), "AWS refuses a group in two load balancers"


def test_the_rule_has_no_priority_so_that_a_new_model_changes_no_other_one(engine) -> None:
    engine.run(model_door)

    assert engine.only("aws:lb/listenerRule:ListenerRule").inputs == {
        "listenerArn": "arn:aws:offline:::door-https",
        "conditions": [
            {"hostHeader": {"values": ["qwen3.models.example.com"]}},
            {"pathPattern": {"values": ["/v1/*", "/health", "/tokenize", "/detokenize"]}},
        ],
        "actions": [{"type": "forward", "targetGroupArn": "arn:aws:offline:::qwen3-target-group"}],
        "tags": NAMED,
    }


def test_no_path_that_is_open_without_a_key_passes_except_health() -> None:
    assert OPEN_PATHS & set(PATHS) == {"/health"}
    # AWS: five condition values a rule, and the host name is one.
    assert len(PATHS) <= 4


def test_the_record_is_an_alias_of_the_load_balancer(engine) -> None:
    engine.run(lambda: model_door(spec(hosted_zone_id="Z1")))

    assert engine.only("aws:route53/record:Record").inputs == {
        "zoneId": "Z1",
        "name": "qwen3.models.example.com",
        "type": "A",
        "aliases": [{"name": "load-balancer.offline.invalid", "zoneId": "Z00OFFLINE", "evaluateTargetHealth": False}],
    }


def test_a_record_belongs_to_its_name_so_that_models_can_swap_their_hostnames(engine) -> None:
    engine.run(lambda: model_door(spec(hosted_zone_id="Z1", hostnames={"qwen3": "chat.example.com"})))

    record = engine.only("aws:route53/record:Record")
    assert (record.name, record.inputs["name"]) == ("chat.example.com-record", "chat.example.com")
    assert [one.spec.name for one in record.request.aliases] == ["qwen3-record"], "the name before that"


def test_only_the_load_balancer_s_subnets_come_in_and_only_to_the_leaders_port(engine) -> None:
    engine.run(model_door)

    policy = engine.only("kubernetes:networking.k8s.io/v1:NetworkPolicy").inputs
    assert policy["metadata"] == {"namespace": "vllm-qwen3"}
    assert policy["spec"] == {
        "podSelector": {
            "matchLabels": {
                "leaderworkerset.sigs.k8s.io/name": "qwen3",
                "leaderworkerset.sigs.k8s.io/worker-index": "0",
            }
        },
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"ipBlock": {"cidr": "10.0.0.0/20"}}, {"ipBlock": {"cidr": "10.0.16.0/20"}}],
                "ports": [{"protocol": "TCP", "port": 8000}],
            }
        ],
    }


def test_the_binding_leaves_security_groups_alone_and_waits_for_the_controller(engine) -> None:
    engine.run(model_door)

    binding = engine.only("kubernetes:elbv2.k8s.aws/v1beta1:TargetGroupBinding")
    assert binding.inputs == {
        "apiVersion": "elbv2.k8s.aws/v1beta1",
        "kind": "TargetGroupBinding",
        "metadata": {"namespace": "vllm-qwen3"},
        "spec": {
            "targetGroupARN": "arn:aws:offline:::qwen3-target-group",
            "targetType": "ip",
            "ipAddressType": "ipv4",
            "targetGroupProtocol": "HTTP",
            "vpcID": "vpc-1",
            "serviceRef": {"name": "qwen3-api", "port": 8000},
        },
    }
    assert list(binding.request.replaceOnChanges) == ["spec.targetGroupARN", "spec.vpcID"]
    (component,) = engine.of_type("vllm-eks:index:ModelDoor")
    assert component.depends_on >= {"door-binder-aws-load-balancer-controller"}


def test_the_chart_has_the_service_labels_and_times_that_the_door_uses() -> None:
    names, pod, container = ((CHART / f"_{name}.tpl").read_text() for name in ("names", "pod", "container"))
    service = (CHART / "service.yaml").read_text()

    assert 'define "vllm.serviceName" -}}{{ include "vllm.name" . }}-api{{' in names
    assert 'leaderworkerset.sigs.k8s.io/worker-index: "0"' in service
    grace = re.search(r"terminationGracePeriodSeconds: (\d+)", pod)
    assert grace
    assert int(grace[1]) == DEREGISTRATION_SECONDS > LIMIT_SECONDS
    assert SETTLE_SECONDS < LIMIT_SECONDS
    readiness = container.split("readinessProbe:")[1]
    assert f"periodSeconds: {HEALTH_INTERVAL_SECONDS}\n" in readiness
    assert f"failureThreshold: {UNHEALTHY_COUNT}\n" in readiness


ASKED = Door(
    model="qwen3",
    url="https://qwen3.models.example.com",
    balancer="load-balancer.offline.invalid",
    has_record=False,
)


def test_a_preview_and_a_parked_model_ask_nothing(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "first_request", None)

    assert engine.value(lambda: model_door().answer) == "not asked: a preview makes no request"


def test_a_parked_model_is_not_asked(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "first_request", None)

    answer = engine.value(lambda: model_door(parked=True, asks=True).answer)

    assert answer == "not asked: the model is parked, and the load balancer answers 503"


def test_the_output_is_the_answer_and_no_secret(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def asked(door: Door, key: str) -> Answer:
        seen.append((door, key))
        return Answer(result="answered", text=f"{door.url} answers")

    monkeypatch.setattr(module, "first_request", asked)
    outputs = []

    def program() -> pulumi.Output:
        answer = model_door(asks=True).answer
        outputs.append(answer)
        return answer

    assert engine.value(program) == "https://qwen3.models.example.com answers"
    assert seen == [(ASKED, "sk-1")]


def test_an_answer_that_this_machine_cannot_get_is_a_warning(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "first_request", lambda *_: Answer(result="unreachable", text="create the record"))
    warnings = []
    monkeypatch.setattr(pulumi.log, "warn", warnings.append)

    assert engine.value(lambda: model_door(asks=True).answer) == "create the record"
    assert warnings == ["qwen3: create the record"]


def test_a_wrong_answer_fails_the_update(engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "first_request", lambda *_: Answer(result="wrong", text="no healthy pod"))

    with pytest.raises(pulumi.RunError, match=r"^qwen3: no healthy pod$"):
        engine.value(lambda: model_door(asks=True).answer)
