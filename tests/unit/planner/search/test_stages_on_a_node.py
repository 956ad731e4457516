"""Pipeline stages that share a node: one pod with the GPUs of all of them, instead of a node for each."""

import pytest

from components.serving.helm_values import release_values
from tests.support.chart_rendering import Rendered, render_text, tool, with_value
from tests.support.plans import LLAMA_8B, LLAMA_70B, QWEN_8B, codes, laid_out, planned
from vllm_eks.cli.views.plan import gpu_lines, node_contents, summary_lines
from vllm_eks.cli.views.screen import console
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.planner.search.serving import ServingSpec

HALVES = {"tensor_parallel_size": 4, "pipeline_parallel_size": 2}


def test_stages_take_one_node_if_it_has_enough_gpus() -> None:
    plan = planned(LLAMA_70B, "g6.48xlarge", **HALVES)
    assert plan.fits
    assert (plan.stages_per_node, plan.nodes_per_replica, plan.total_nodes, plan.idle_gpus) == (2, 1, 1, 0)
    assert (plan.usd_per_hour, plan.warnings) == (13.3504, ())
    assert not GpuNodes(plan=plan, zones=("us-west-2a",)).cluster_placement, "nothing crosses between nodes"


@pytest.mark.parametrize(
    ("instance", "tp", "pp", "replicas", "nodes"),
    [
        ("g6.48xlarge", 2, 2, 2, 1),
        ("g6.48xlarge", 2, 2, 3, 2),
        ("g6.48xlarge", 4, 2, 2, 2),
        ("g6.48xlarge", 4, 3, 1, 3),
        ("g6.48xlarge", 8, 2, 1, 2),
        ("g6.12xlarge", 4, 2, 1, 2),
    ],
)
def test_otherwise_each_stage_takes_its_own_node(instance: str, tp: int, pp: int, replicas: int, nodes: int) -> None:
    sizes = {"tensor_parallel_size": tp, "pipeline_parallel_size": pp, "replicas": replicas}
    assert planned(QWEN_8B, instance, **sizes).total_nodes == nodes


def test_stages_use_idle_gpus_before_a_node_is_added() -> None:
    plan = planned("Qwen/Qwen3-235B-A22B-FP8", "g6e.48xlarge")
    assert (laid_out(plan).label, plan.total_nodes, plan.idle_gpus) == ("TP=4 PP=2", 1, 0)
    assert not [warning for warning in plan.warnings if "does not hold a replica" in warning]


def test_one_node_needs_no_multi_node_start_of_vllm() -> None:
    assert planned(LLAMA_70B, "g6.48xlarge", vllm_version="0.10.2", **HALVES).fits
    refused = planned(LLAMA_8B, "g6.12xlarge", vllm_version="0.10.2", **HALVES)
    assert codes(refused)[0] == "pipeline_unsupported"
    assert refused.refusals[0].message == ("PP=2 across nodes needs vLLM's multi-node start: use 0.11.1 or later")


def test_host_memory_counts_the_workers_of_every_stage_on_the_node() -> None:
    one, two = (planned(LLAMA_70B, "g6.48xlarge", **sizes) for sizes in ({"tensor_parallel_size": 8}, HALVES))
    assert (one.gpus_per_pod, two.gpus_per_pod) == (8, 8)
    assert one.startup.budget_seconds == two.startup.budget_seconds


@pytest.mark.skipif(tool("helm") is None, reason="needs helm (make tools)")
def test_the_chart_makes_one_pod_with_all_gpus_and_vllm_s_own_sizes() -> None:
    plan = planned(LLAMA_70B, "g6.48xlarge", **HALVES)
    values = release_values(GpuNodes(plan=plan, zones=("us-west-2a",)), ServingSpec(name="llama"))
    chart = Rendered(render_text(with_value(values, "secrets.apiKey", "api-key-1")))
    container = chart.container("leader")
    arguments = container["args"]
    assert arguments[arguments.index("--tensor-parallel-size") + 1] == "4"
    assert arguments[arguments.index("--pipeline-parallel-size") + 1] == "2"
    assert arguments[arguments.index("--distributed-executor-backend") + 1] == "mp"
    assert not {"--nnodes", "--node-rank", "--headless", "--master-addr"} & set(arguments)
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "8"
    others = chart.template("leader")["spec"].get("initContainers", [])
    assert "meet" not in [one["name"] for one in others], "a group of one pod has no other pods to wait for"
    assert chart.one("LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]["size"] == 1


def test_the_picture_shows_which_stage_each_gpu_holds() -> None:
    plan = planned(LLAMA_70B, "g6.48xlarge", **HALVES)
    out = console()
    lines = ["".join(text for text, _ in line) for line in gpu_lines(plan, 0, out)]
    assert [line.split()[3] for line in lines] == ["1"] * 4 + ["2"] * 4
    assert node_contents(plan, 0) == "layers 0-39, embedding; layers 40-79, head"
    assert "PP=2 (all layers on one node)" in summary_lines(plan)[1]
