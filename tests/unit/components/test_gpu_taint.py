"""Every DaemonSet that a GPU node needs runs on it, with the charts' defaults (tests/data) and our values."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from components.cluster.cluster import Cluster
from components.nodes.gpu_node_group import GPU_TAINT
from components.nodes.gpu_taint import ADDON_CONFIGURATION, GPU_TOLERATION
from tests.support.clusters import ARGS as CLUSTER
from vllm_eks.pins.eks import ADDON_VERSIONS
from vllm_eks.planner.hardware.instances import catalogue

FACTS = json.loads((Path(__file__).parents[2] / "data" / "gpu_node_daemonsets.json").read_text())
DAEMONSETS = {one["name"]: one for one in FACTS["daemonsets"]}
AGENT = json.loads(ADDON_CONFIGURATION["eks-node-monitoring-agent"])
OURS = {"dcgmAgent.tolerations": AGENT["dcgmAgent"]["tolerations"]}
EFA = "aws-efa-k8s-device-plugin"


def tolerated(tolerations: Sequence[Mapping[str, Any]]) -> bool:
    """As in Kubernetes: without a key it matches every taint, and without an effect every effect."""
    return any(
        one.get("key") in (None, GPU_TAINT["key"])
        and one.get("effect") in (None, "NoSchedule")
        and (one.get("operator") == "Exists" or one.get("value") == "true")
        for one in tolerations
    )


@pytest.mark.parametrize("name", DAEMONSETS)
def test_a_daemonset_of_gpu_nodes_tolerates_their_taint(name: str) -> None:
    fact = DAEMONSETS[name]
    # A list in the values replaces the chart's own. Entries of the template itself remain.
    own = [GPU_TOLERATION] if name == EFA else OURS.get(fact["values_path"], fact["tolerations"])
    assert tolerated([*fact.get("always", []), *own])


def test_two_of_them_need_our_values() -> None:
    left_out = {
        name for name, one in DAEMONSETS.items() if not tolerated([*one.get("always", []), *one["tolerations"]])
    }
    assert left_out == {"dcgm-server", EFA}


def test_the_agent_s_configuration_has_only_keys_that_eks_takes() -> None:
    assert AGENT.keys() <= set(FACTS["agent_configuration"]["top"])
    assert AGENT["dcgmAgent"].keys() <= set(FACTS["agent_configuration"]["dcgmAgent"])


def test_the_agent_s_real_chart_was_rendered_with_exactly_our_values_and_both_daemonsets_tolerate_the_taint() -> None:
    rendered = FACTS["rendered"]
    assert rendered["values"] == AGENT, "render the chart again with the new values"
    assert rendered["tolerations"].keys() == {"eks-node-monitoring-agent", "dcgm-server"}
    assert all(tolerated(one) for one in rendered["tolerations"].values())


def test_the_render_is_of_the_pinned_add_on() -> None:
    pinned = ADDON_VERSIONS["eks-node-monitoring-agent"].partition("-")[0]
    assert f"eks-node-monitoring-agent {pinned} " in FACTS["rendered"]["chart"]


def test_the_add_on_gets_these_values(engine) -> None:
    engine.run(lambda: Cluster("main", CLUSTER))

    given = {
        one.inputs["addonName"]: one.inputs.get("configurationValues") for one in engine.of_type("aws:eks/addon:Addon")
    }
    assert json.loads(given.pop("eks-node-monitoring-agent")) == AGENT
    assert set(given.values()) == {None}


def test_the_dcgm_host_engine_runs_on_every_type_of_the_catalogue() -> None:
    assert catalogue().keys() <= set(DAEMONSETS["dcgm-server"]["instance_types"])


def test_the_efa_plugin_runs_on_every_type_with_efa() -> None:
    assert {name for name, one in catalogue().items() if one.efa_interfaces} <= set(DAEMONSETS[EFA]["instance_types"])
