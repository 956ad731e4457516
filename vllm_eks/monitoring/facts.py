"""Recording rules with constants: what the plan says, so that alerts and dashboards can compare."""

from collections.abc import Iterator, Mapping

from vllm_eks.monitoring import series
from vllm_eks.monitoring.rule import RecordingRule, RuleGroup
from vllm_eks.monitoring.watched import WatchedModel, WatchedStack
from vllm_eks.planner.ranges import Range


def fact_groups(stack: WatchedStack) -> list[RuleGroup]:
    """Return a group of facts for each model, and one of the stack."""
    groups = [RuleGroup(name=f"{stack.name}.{model.name}.facts", rules=list(_facts(model))) for model in stack.models]
    budget = stack.alerts.monthly_budget_usd
    rules = [_constant(series.MONTH_BUDGET_USD, budget, {})] if budget is not None else []
    return [*groups, *([RuleGroup(name=f"{stack.name}.facts", rules=rules)] if rules else [])]


def _facts(model: WatchedModel) -> Iterator[RecordingRule]:
    labels = {"model": model.name, "namespace": model.namespace}
    yield _constant(series.GROUPS_PLANNED, model.groups, labels)
    yield _constant(series.PODS_PER_GROUP, model.pods_per_group, labels)
    yield _constant(series.GPUS_PER_GROUP, model.gpus_per_group, labels)
    yield _constant(series.STARTUP_BUDGET_SECONDS, model.startup_seconds, labels)
    yield _constant(series.GPUS_PER_NODE, model.gpus_per_node, labels)
    if model.node_usd_per_hour is not None:
        yield _constant(series.NODE_USD_PER_HOUR, model.node_usd_per_hour, labels)
    if model.usd_per_hour is not None:
        yield _constant(series.USD_PER_HOUR, model.usd_per_hour, labels)
    if model.kv_cache_tokens.best:
        yield from _range(series.KV_CACHE_TOKENS, model.kv_cache_tokens, labels)
    if model.tokens_per_second is not None and model.groups:
        yield from _range(series.TOKENS_PER_SECOND_PLANNED, model.tokens_per_second, labels)
    for latency, limit in model.level.limits.items():
        of_limit = {"latency": latency, "percentile": f"p{limit.percentile}"}
        yield _constant(series.LATENCY_LIMIT_SECONDS, limit.seconds, labels | of_limit)
    if model.block_end is not None:
        yield _constant(series.BLOCK_END_SECONDS, model.block_end.timestamp(), labels)


def _range(record: str, value: Range, labels: dict[str, str]) -> Iterator[RecordingRule]:
    for bound, number in (("low", value.low), ("best", value.best), ("high", value.high)):
        yield _constant(record, number, labels | {"bound": bound})


def _constant(record: str, value: float, labels: Mapping[str, str]) -> RecordingRule:
    return RecordingRule(record=record, expr=f"vector({value:.10g})", labels=labels)
