"""The rules and dashboards of a stack, as objects of the cluster or of the workspace."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from components.observability.names import object_name
from vllm_eks.monitoring.files import dashboard_files, rule_file
from vllm_eks.monitoring.watched import WatchedModel, WatchedStack
from vllm_eks.specs.monitoring import MonitoringSpec
from vllm_eks.specs.observability import ManagedPrometheus

OPERATOR_API = "monitoring.coreos.com/v1"
DASHBOARD_LABEL = "grafana_dashboard"
"""The label that Grafana's sidecar looks for (kube-prometheus-stack 88.5.3, grafana.sidecar.dashboards.label)."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What Prometheus evaluates and what Grafana shows."""

    rule_file: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The content of a rule file, `{groups: [...]}`. Empty for no rules."""
    dashboards: Mapping[str, str] = field(default_factory=dict[str, str])
    """File name -> JSON."""


def rules_of(stack: str, models: Sequence[WatchedModel], spec: MonitoringSpec) -> Rules:
    """Return the alerts of a stack, which know its plan, and the dashboards, which are the same for every stack."""
    watched = WatchedStack(
        name=stack,
        models=models,
        alerts=spec.alerts,
        # Without the exporter there is no probe (Monitoring.probed_hostnames).
        endpoint=spec.endpoint is not None and spec.charts.blackbox_exporter is not None,
        # Several stacks may write to one workspace. The agent adds this label to all series.
        cluster=stack if isinstance(spec.prometheus, ManagedPrometheus) else None,
    )
    return Rules(rule_file=rule_file(watched), dashboards=dashboard_files())


def rule_object(
    name: str, rules: Rules, *, namespace: pulumi.Input[str], labels: Mapping[str, str], opts: pulumi.ResourceOptions
) -> pulumi.Resource | None:
    """Create the PrometheusRule of a stack, if it has rules."""
    if not rules.rule_file:
        return None
    return kubernetes.apiextensions.CustomResource(
        f"{name}-rules",
        api_version=OPERATOR_API,
        kind="PrometheusRule",
        metadata=labelled(object_name(name), namespace, labels),
        spec=rules.rule_file,
        opts=opts,
    )


def labelled(name: str, namespace: pulumi.Input[str], labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the metadata of an object. The API server drops empty labels, and every update would add them again."""
    return {"name": name, "namespace": namespace, **({"labels": dict(labels)} if labels else {})}


def rule_namespace(
    name: str,
    rules: Rules,
    *,
    workspace_id: pulumi.Input[str],
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> None:
    """Create the rules of a workspace. The agent evaluates none."""
    if rules.rule_file:
        # The service takes YAML. JSON is YAML too.
        aws.amp.RuleGroupNamespace(
            f"{name}-rules",
            name=name,
            workspace_id=workspace_id,
            data=json.dumps(rules.rule_file),
            tags=tags,
            opts=opts,
        )


def dashboard_objects(name: str, rules: Rules, *, namespace: pulumi.Input[str], opts: pulumi.ResourceOptions) -> None:
    """Create a ConfigMap for each dashboard, which Grafana's sidecar loads."""
    for file_name, content in rules.dashboards.items():
        stem = file_name.removesuffix(".json")
        kubernetes.core.v1.ConfigMap(
            f"{name}-dashboard-{stem}",
            metadata={
                "name": f"{object_name(name)}-{stem}",
                "namespace": namespace,
                "labels": {DASHBOARD_LABEL: "1"},
            },
            data={file_name: content},
            opts=opts,
        )
