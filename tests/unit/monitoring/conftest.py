"""Runs tests of rules in promtool, and skips them where it is not installed."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.chart_rendering import tool
from tests.support.promtool import MISSING, RuleTest, run_promtool
from tests.support.watched_stacks import watched_stack
from vllm_eks.monitoring.rule import groups_as_yaml
from vllm_eks.monitoring.rules import stack_rules


@pytest.fixture
def promtool(tmp_path: Path) -> Callable[[Sequence[RuleTest]], None]:
    """Return a function that runs tests, and fails with what promtool says."""
    if tool("promtool") is None:
        pytest.skip(MISSING)
    stack = watched_stack()
    rules = groups_as_yaml(stack_rules(stack), stack=stack.name)

    def run(tests: Sequence[RuleTest]) -> None:
        if failures := run_promtool(tmp_path, rules, tests):
            pytest.fail(failures, pytrace=False)

    return run
