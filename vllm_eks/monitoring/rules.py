"""All rules of a stack."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vllm_eks.monitoring.facts import fact_groups
from vllm_eks.monitoring.group_alerts import not_whole_alert, restart_alert, start_alert
from vllm_eks.monitoring.latency_alerts import latency_alerts
from vllm_eks.monitoring.node_alerts import node_alerts
from vllm_eks.monitoring.rule import AlertRule, RuleGroup
from vllm_eks.monitoring.running import running_groups
from vllm_eks.monitoring.serving_alerts import serving_alerts
from vllm_eks.monitoring.silence_alerts import silence_alerts
from vllm_eks.monitoring.stack_alerts import stack_alerts
from vllm_eks.monitoring.watched import WatchedStack, with_levels

ALERT_NAMES = (
    "VllmEksGroupNotWhole",
    "VllmEksStartOverBudget",
    "VllmEksGroupRestarting",
    "VllmEksQueueGrowing",
    "VllmEksKvCacheFull",
    "VllmEksNoTokens",
    "VllmEksLatencyMissed",
    "VllmEksKeyRefusals",
    "VllmEksGpuXid",
    "VllmEksGpuLost",
    "VllmEksNodeNotRepaired",
    "VllmEksWeightsDiskFull",
    "VllmEksEndpointNotAnswering",
    "VllmEksCertificateEnding",
    "VllmEksCapacityBlockEnding",
    "VllmEksMonthOverBudget",
    "VllmEksMetricsMissing",
)
"""All alerts that a stack can have. Names are contracts: routes and silences of Alertmanager use them."""


def stack_rules(stack: WatchedStack) -> list[RuleGroup]:
    """Return the rule groups of a stack: facts, then what runs, then alerts."""
    watched = replace(stack, models=with_levels(stack.models, stack.alerts.level))
    groups = [*fact_groups(watched), *running_groups(watched), *_alert_groups(watched)]
    return [group for group in groups if group.rules]


def _alert_groups(stack: WatchedStack) -> Iterable[RuleGroup]:
    def group(name: str, rules: Iterable[AlertRule]) -> RuleGroup:
        return RuleGroup(name=f"{stack.name}.{name}", rules=_without(rules, stack.alerts.off))

    yield group("alerts.groups", [not_whole_alert(stack)])
    yield group("alerts.serving", serving_alerts(stack))
    yield group("alerts.nodes", node_alerts(stack))
    yield group("alerts.stack", [*stack_alerts(stack), *silence_alerts(stack)])
    for model in stack.models:
        scope = stack.scope_of(model)
        of_model = [start_alert(scope, model), restart_alert(scope, model), *latency_alerts(scope, model)]
        yield group(f"{model.name}.alerts", of_model)


def _without(rules: Iterable[AlertRule], off: Sequence[str]) -> list[AlertRule]:
    return [rule for rule in rules if rule.name not in off]
