"""The form of all rules: names, severities, runbook pages, and the limits of the objects that hold them."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.promql import named_in, prometheus_sees
from tests.support.watched_stacks import watched_stack
from vllm_eks.data import DATA
from vllm_eks.monitoring.files import rule_file
from vllm_eks.monitoring.latency_alerts import latency_alerts
from vllm_eks.monitoring.rule import MOST_RULES_PER_GROUP, groups_as_yaml
from vllm_eks.monitoring.rules import ALERT_NAMES, stack_rules
from vllm_eks.planner.load.service_level import Limit, ServiceLevel

ROOT = Path(__file__).parents[3]
RUNBOOKS = ROOT / "docs" / "runbooks"
STACK = watched_stack()
GROUPS = stack_rules(STACK)
ALERTS = [alert for group in GROUPS for alert in group.alerts]
MOST_BYTES = 1_000_000
"""Of a rule namespace of Amazon Managed Service for Prometheus and of a ConfigMap (both 1 MB)."""
MOST_MODELS = 20


def test_every_alert_has_a_contract_name_and_a_page_and_no_page_is_without_alert() -> None:
    assert {alert.name for alert in ALERTS} == set(ALERT_NAMES)
    assert {alert.page for alert in ALERTS} == {page.name for page in RUNBOOKS.glob("*.md")}


@pytest.mark.parametrize("name", ALERT_NAMES)
def test_a_runbook_page_begins_with_what_users_notice_and_what_to_run_first(name: str) -> None:
    of_alert = [alert for alert in ALERTS if alert.name == name]
    text = (RUNBOOKS / of_alert[0].page).read_text()
    assert text.startswith(f"# {name}\n\nSeverity: {of_alert[0].severity}")
    first, second = text.split("\n\n")[1:3]
    for severity in {alert.severity for alert in of_alert}:
        assert severity in first
    assert "**Users:** " in first
    assert second.startswith("**Run first:** ")
    assert "(../how-to/watch.md#use-a-runbook)" in second
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert headings == ["What it means", "Look first", "Fix", "When it resolves"]
    assert "```sh" in text or "dashboard *" in text


def test_no_group_has_more_rules_than_the_service_accepts_and_names_are_unique() -> None:
    assert max(len(group.rules) for group in GROUPS) <= MOST_RULES_PER_GROUP
    assert len({group.name for group in GROUPS}) == len(GROUPS)
    # For promtool's lint, two rules with the same name and labels are duplicates, as two models with one limit were.
    kinds = [(alert.name, alert.severity, tuple(sorted(alert.labels.items()))) for alert in ALERTS]
    assert len(set(kinds)) == len(kinds)


def test_every_series_of_a_rule_has_the_stack_or_its_cluster() -> None:
    """Of the exporters' series by the cluster, where a workspace has several, and of the stack's own by the stack."""
    file = rule_file(replace(STACK, cluster="here"))
    for group in cast("list[dict[str, Any]]", file["groups"]):
        for rule in group["rules"]:
            assert rule["labels"]["stack"] == STACK.name, rule
            for metric, matched in named_in(rule["expr"]).matched.items():
                assert ("stack" if metric.startswith("vllm_eks:") else "cluster") in matched, (metric, rule["expr"])


def test_a_limit_between_two_bounds_of_a_histogram_is_rounded_up_with_a_note_and_one_above_all_has_no_alert() -> None:
    level = ServiceLevel(ttft=Limit(seconds=2600, percentile=90), itl=Limit(seconds=0.04, percentile=50))
    scout = replace(STACK.models[0], level=level)
    (alert,) = latency_alerts(STACK.scope_of(scout), scout)
    assert "> 0.05 and" in alert.expr
    assert alert.labels == {"model": "scout", "latency": "itl", "percentile": "p50"}
    assert alert.description == (
        "The time between two tokens of a request at p50 was {{ $value | humanizeDuration }} over 10 minutes. The "
        "limit is 40ms, and the alert fires above 50ms, the next bound of vLLM's histogram."
    )


def test_the_rules_of_many_models_and_each_dashboard_fit_in_their_objects() -> None:
    scout = STACK.models[0]
    models = [replace(scout, name=f"{'m' * 38}{n:02}", namespace=f"vllm-{'m' * 38}{n:02}") for n in range(MOST_MODELS)]
    groups = stack_rules(replace(STACK, models=models))
    assert len(json.dumps(groups_as_yaml(groups, stack=STACK.name))) < MOST_BYTES
    assert max(len(group.rules) for group in groups) <= MOST_RULES_PER_GROUP
    for file in (DATA / "dashboards").glob("*.json"):
        assert file.stat().st_size < MOST_BYTES


def test_alerts_that_are_off_and_those_of_absent_parts_are_left_out() -> None:
    few = watched_stack(off=("VllmEksKeyRefusals", "VllmEksStartOverBudget"), monthly_budget_usd=None)
    models = [replace(model, block_end=None, level=ServiceLevel()) for model in few.models]
    names = {alert.name for group in stack_rules(replace(few, models=models, endpoint=False)) for alert in group.alerts}
    assert set(ALERT_NAMES) - names == {
        "VllmEksKeyRefusals",
        "VllmEksStartOverBudget",
        "VllmEksLatencyMissed",
        "VllmEksEndpointNotAnswering",
        "VllmEksCertificateEnding",
        "VllmEksCapacityBlockEnding",
        "VllmEksMonthOverBudget",
    }


def test_limits_of_the_stack_replace_the_ones_of_the_models() -> None:
    strict = watched_stack(level=ServiceLevel(ttft=Limit(seconds=0.2, percentile=99)))
    (ttft, *_) = [
        alert for group in stack_rules(strict) for alert in group.alerts if alert.labels.get("latency") == "ttft"
    ]
    assert "histogram_quantile(0.99," in ttft.expr
    assert "> 0.25 and" in ttft.expr
    (itl, *_) = [a for group in stack_rules(strict) for a in group.alerts if a.labels.get("latency") == "itl"]
    assert "> 0.05 and" in itl.expr


def test_the_address_of_the_runbooks_is_in_every_alert_if_the_stack_has_one() -> None:
    file = groups_as_yaml(GROUPS, stack="s", runbook_base_url="https://git.example.com/runbooks/")
    text = json.dumps(file)
    assert '"runbook_url": "https://git.example.com/runbooks/gpu-xid.md"' in text
    assert '"runbook":' not in text


def test_variables_of_grafana_become_what_prometheus_reads() -> None:
    assert prometheus_sees('rate(up{model=~"$model"}[$__rate_interval])') == 'rate(up{model=~".+"}[5m])'


def test_the_how_to_lists_every_alert_with_its_severities_and_page() -> None:
    page = (ROOT / "docs" / "how-to" / "watch.md").read_text()
    rows = re.findall(r"^\| \[(\w+)\]\(\.\./runbooks/([\w-]+\.md)\) \| ([a-z, ]+) \|", page, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(ALERT_NAMES)
    for name, file, severities in rows:
        of_alert = [alert for alert in ALERTS if alert.name == name]
        assert {alert.page for alert in of_alert} == {file}
        assert {alert.severity for alert in of_alert} == set(severities.split(", "))
