"""A stack that keeps its logs, on the real engine: up, an edit, and a destroy that leaves nothing."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.engine_lab import ROOT, client, leftovers, nothing_is_left, open_lab, steps, why_not
from tests.e2e.stand_in_charts import stand_in_charts

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    with open_lab() as found:
        yield found


def logged(folder: Path) -> dict[str, Any]:
    """Return the dev stack with logs and with the stand-in chart."""
    found = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    found["config"]["vllm-eks:observability"] = {"logs": "cloudWatch", "logRetentionDays": 7}
    found["config"]["vllm-eks:charts"] = {"fluentBit": stand_in_charts(folder)["fluentBit"]}
    return found


def test_a_stack_with_logs_is_made_changed_and_destroyed(lab: Any, tmp_path: Path) -> None:
    settings = logged(tmp_path)
    stack = lab.stack("dev", settings)
    made = steps(stack.up().check(), "dev")
    assert {f"create logs-{part}" for part in ("group", "role", "policy", "association", "fluent-bit")} <= made
    assert stack.up().check().changed == []

    longer = copy.deepcopy(settings)
    longer["config"]["vllm-eks:observability"]["logRetentionDays"] = 14
    stack.configure(longer)
    assert steps(stack.up().check(), "dev") == {"update logs-group"}
    (group,) = client(lab, "logs").describe_log_groups(logGroupNamePrefix="/aws/eks/vllm-eks-dev/models")["logGroups"]
    assert group["retentionInDays"] == 14

    stack.destroy().check()
    assert nothing_is_left(lab)
    found = leftovers(stack)
    assert (found.returncode, found.stderr) == (0, "")
    assert "nothing is left" in found.stdout
