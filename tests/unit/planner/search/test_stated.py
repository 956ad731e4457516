"""Plans of models whose sizes are stated: nodes, start and price follow, and memory stays unknown."""

import json
from typing import Any

from checks.plans import plan_check, plan_warnings
from components.serving.helm_values import release_values
from components.stack_outputs import plan_sizes
from vllm_eks.cli.views.plan import node_contents, summary_lines
from vllm_eks.cli.views.plan_json import plan_json
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.serving import ServingSpec
from vllm_eks.planner.search.stated import NOT_PLANNED, stated_plan

GIB = 2**30


def stated(instance: str = "g5.48xlarge", tp: int = 8, pp: int = 2, gib: float = 200, **options: Any) -> Plan:
    requested = ServingOptions(tensor_parallel_size=tp, pipeline_parallel_size=pp, max_model_len=4096, **options)
    return stated_plan("acme/odd", find_instance(instance), requested, weights_bytes=round(gib * GIB))


def nodes(plan: Plan, **fields: Any) -> GpuNodes:
    return GpuNodes(plan=plan, zones=("us-west-2a",), **fields)


def test_nodes_price_and_start_follow_the_stated_sizes() -> None:
    plan = stated(replicas=2)
    assert (plan.fits, plan.nodes_per_replica, plan.total_nodes, plan.gpus_per_pod) == (True, 2, 4, 8)
    assert plan.usd_per_hour == 4 * 16.288
    assert plan.startup.budget_seconds > stated(gib=20).startup.budget_seconds
    assert (plan.kv_cache_tokens, plan.largest_context_tokens, plan.throughput) == (0, 0, None)


def test_nothing_about_memory_is_known() -> None:
    plan = stated()
    assert plan.warnings == (NOT_PLANNED,)
    check = plan_check("odd", nodes(plan, parked=True))
    assert (check.subject, check.status) == ("models.odd.planned", "warning")
    assert check.text == f"{NOT_PLANNED}: TP=8 PP=2 on 2 x g5.48xlarge, as stated; parked, so no node runs"
    assert list(plan_warnings("odd", nodes(plan))) == []
    answer = plan_json(plan)
    assert answer["parallelism"]["nodes"] == 2
    assert answer["kv_cache_tokens"] is answer["memory_per_gpu"] is None
    assert json.dumps(answer)
    assert plan_sizes(nodes(plan))["kvCacheTokens"] is None


def test_the_pods_run_with_the_stated_sizes() -> None:
    values = release_values(nodes(stated(limit_mm_per_prompt={"image": 1})), ServingSpec(name="odd"))
    assert values["vllmArgs"][:6] == [
        *("--tensor-parallel-size", "8", "--pipeline-parallel-size", "2", "--max-model-len", "4096")
    ]
    assert "--limit-mm-per-prompt" in values["vllmArgs"]
    assert values["planned"] == {}
    assert values["weightsStorage"] == "424Gi"


def test_sizes_that_are_impossible_by_themselves_are_refused() -> None:
    (refusal,) = stated(tp=16).refusals
    assert refusal.code == "not_enough_gpus"
    assert refusal.message == "TP=16 needs 16 GPUs in one node, and g5.48xlarge has 8"
    (refusal,) = stated(vllm_version="0.10.0").refusals
    assert refusal.code == "pipeline_unsupported"
    assert refusal.message == "PP=2 across nodes needs vLLM's multi-node start: use 0.11.1 or later"
    (refusal,) = stated("g6.xlarge", tp=1, pp=1, gib=400).refusals
    assert refusal.code == "host_too_small"
    check = plan_check("odd", nodes(stated(tp=16)))
    assert check.status == "failed"


def test_the_preview_says_that_memory_is_unknown() -> None:
    plan = stated()
    head, layout, *_ = summary_lines(plan)
    assert head == "acme/odd on 2 x g5.48xlarge: not planned, memory unknown"
    assert layout == "  layout       TP=8 PP=2, as stated"
    assert node_contents(plan, 0) == "memory unknown"
