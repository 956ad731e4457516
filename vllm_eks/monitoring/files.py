"""The files that Prometheus and Grafana read."""

from collections.abc import Mapping

from vllm_eks.data import DATA
from vllm_eks.monitoring.rule import Yaml, groups_as_yaml
from vllm_eks.monitoring.rules import stack_rules
from vllm_eks.monitoring.watched import WatchedStack


def rule_file(stack: WatchedStack) -> Mapping[str, Yaml]:
    """Return the content of the stack's rule file, which is also the `spec` of a PrometheusRule."""
    return groups_as_yaml(
        stack_rules(stack), stack=stack.name, cluster=stack.cluster, runbook_base_url=stack.alerts.runbook_base_url
    )


def dashboard_files() -> Mapping[str, str]:
    """Return the dashboards by file name. They are the same for every stack."""
    return {file.name: file.read_text() for file in sorted((DATA / "dashboards").glob("*.json"))}
