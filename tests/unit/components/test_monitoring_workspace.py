"""A workspace of Amazon Managed Service for Prometheus: its rules, its agent, and who may write to it."""

import json
from typing import Any

from components.observability.monitoring import Monitoring
from components.observability.prometheus_values import agent_values
from components.observability.rules import Rules
from tests.support.monitoring import ARGS, MANAGED, RENDERS
from tests.support.nested import replaced
from vllm_eks.specs.observability import ManagedPrometheus

RELEASE = "kubernetes:helm.sh/v3:Release"
RULES = Rules(rule_file={"groups": [{"name": "g", "rules": []}]}, dashboards={"model.json": "{}"})
WORKSPACE = "arn:aws:aps:us-west-2:123456789012:workspace/ws-0123abcd-4567-89ab-cdef-0123456789ab"


def build(spec: ManagedPrometheus, **changes: Any) -> Monitoring:
    return Monitoring("main", spec, replaced(ARGS, prometheus=spec, **changes))


def given(engine, name: str) -> dict[str, Any]:
    """Return a release's inputs, without the SDK's own mark."""
    return {key: value for key, value in engine.named(name, RELEASE).inputs.items() if key != "compat"}


def test_a_workspace_gets_its_rules_from_pulumi_and_its_series_from_an_agent(engine) -> None:
    topic = "arn:aws:sns:us-west-2:123456789012:alerts"
    engine.run(lambda: build(ManagedPrometheus(alert_topic_arn=topic), rules=RULES))

    assert engine.children() == {
        "vllm-eks-test": {"Monitoring main"},
        "main": {
            "Namespace main-monitoring-namespace",
            "NetworkPolicy main-monitoring-policy",
            "Workspace main-metrics",
            "Release main-kube-prometheus-stack",
            "Release main-dcgm-exporter",
            "RuleGroupNamespace main-rules",
        },
        "main-metrics": {
            "Workspace main-metrics-workspace",
            "AlertManagerDefinition main-metrics-alert-manager",
            "Role main-metrics-writer-role",
            "RolePolicy main-metrics-writer-policy",
            "PodIdentityAssociation main-metrics-writer-association",
        },
    }
    rules = engine.only("aws:amp/ruleGroupNamespace:RuleGroupNamespace").inputs
    assert json.loads(rules.pop("data")) == RULES.rule_file
    assert rules == {"name": "main", "workspaceId": "main-metrics-workspace-id", "tags": {"team": "serving"}}


def test_the_alias_of_a_workspace_keeps_to_the_services_limit(engine) -> None:
    name = "s" * 100
    engine.run(lambda: Monitoring(name, MANAGED, replaced(ARGS, prometheus=MANAGED)))

    assert engine.only("aws:amp/workspace:Workspace").inputs["alias"] == name


def test_the_agent_starts_after_its_permission_and_sends_to_the_workspace(engine) -> None:
    engine.run(lambda: build(MANAGED))

    values = given(engine, "main-kube-prometheus-stack")["values"]
    url = "https://aps-workspaces.offline/workspaces/main-metrics-workspace/api/v1/remote_write"
    assert values == agent_values(cluster_name="vllm-dev", region="us-west-2", remote_write_url=url, registry=None)
    release = engine.named("main-kube-prometheus-stack", RELEASE)
    assert {"main-metrics-writer-association", "main-metrics-workspace"} <= release.depends_on


def test_an_existing_workspace_is_only_written_to(engine) -> None:
    engine.run(lambda: build(ManagedPrometheus(workspace_arn=WORKSPACE), rules=RULES))

    assert engine.of_type("aws:amp/workspace:Workspace") == []
    policy = json.loads(engine.only("aws:iam/rolePolicy:RolePolicy").inputs["policy"])
    assert policy["Statement"] == [{"Effect": "Allow", "Action": ["aps:RemoteWrite"], "Resource": WORKSPACE}]
    agent = given(engine, "main-kube-prometheus-stack")["values"]["prometheus"]["prometheusSpec"]
    workspace = "https://aps-workspaces.us-west-2.amazonaws.com/workspaces/ws-0123abcd-4567-89ab-cdef-0123456789ab"
    assert agent["remoteWrite"] == [{"url": f"{workspace}/api/v1/remote_write", "sigv4": {"region": "us-west-2"}}]
    rules = engine.only("aws:amp/ruleGroupNamespace:RuleGroupNamespace").inputs
    assert rules["workspaceId"] == "ws-0123abcd-4567-89ab-cdef-0123456789ab"


def test_only_the_agent_s_service_account_may_write_to_the_workspace(engine) -> None:
    engine.run(lambda: build(MANAGED))

    association = engine.only("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    assert association.inputs == {
        "clusterName": "vllm-dev",
        "namespace": "monitoring-system",
        "serviceAccount": "prometheus",
        "roleArn": "arn:aws:offline:::main-metrics-writer-role",
        "tags": {"team": "serving"},
    }
    assert "ServiceAccount prometheus" in RENDERS["agent"]["objects"]
    assert "main-metrics-writer-policy" in association.depends_on


def test_alerts_of_a_workspace_go_to_the_topic(engine) -> None:
    topic = "arn:aws:sns:us-west-2:123456789012:alerts"
    engine.run(lambda: build(ManagedPrometheus(alert_topic_arn=topic)))

    definition = json.loads(engine.only("aws:amp/alertManagerDefinition:AlertManagerDefinition").inputs["definition"])
    assert json.loads(definition["alertmanager_config"]) == {
        "route": {"receiver": "topic", "group_by": ["alertname", "model"]},
        "receivers": [
            {
                "name": "topic",
                "sns_configs": [{"topic_arn": topic, "sigv4": {"region": "us-west-2"}, "send_resolved": True}],
            }
        ],
    }
