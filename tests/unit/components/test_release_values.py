"""The complete Helm values of both stacks: a change here changes what runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from components.serving.helm_values import release_values, rollout_seconds
from tests.support.plans import LLAMA_8B, LLAMA_70B, QWEN_8B, QWEN_235B, SCOUT, SCOUT_W4A16, planned
from vllm_eks.planner.engine.engine_flags import EngineFlags
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.serving import ServingSpec
from vllm_eks.planner.search.vllm_args import vllm_args

GOLDEN = Path(__file__).parents[2] / "golden"
DEV = {"max_model_len": 16384}
PROD = {"max_model_len": 16384, "pipeline_parallel_size": 2, "limit_mm_per_prompt": {"image": 1}}


def values(plan: Plan, *, efa: bool = False, parked: bool = False, **fields: Any) -> dict:
    nodes = GpuNodes(plan=plan, zones=("us-west-2a",), efa=efa, parked=parked)
    return release_values(nodes, ServingSpec(name="llama-4-scout", **fields))


@pytest.mark.parametrize(("stack", "model", "settings"), [("dev", SCOUT_W4A16, DEV), ("prod", SCOUT, PROD)])
def test_the_values_of_both_stacks(stack: str, model: str, settings: dict[str, Any]) -> None:
    assert values(planned(model, **settings)) == json.loads((GOLDEN / f"{stack}.json").read_text())


@pytest.mark.parametrize(
    ("model", "tp", "pp", "storage"),
    [(LLAMA_8B, 8, 1, "36Gi"), (LLAMA_70B, 8, 1, "280Gi"), (SCOUT, 8, 2, "429Gi"), (QWEN_235B, 8, 4, "924Gi")],
)
def test_values_depend_on_the_model(model: str, tp: int, pp: int, storage: str) -> None:
    found = values(planned(model))
    assert (found["tensorParallelSize"], found["pipelineParallelSize"], found["weightsStorage"]) == (tp, pp, storage)
    assert found["model"]["id"] == model
    assert found["vllmArgs"][:4] == ["--tensor-parallel-size", str(tp), "--pipeline-parallel-size", str(pp)]


def test_the_probe_and_the_rollout_use_the_same_budget() -> None:
    one, three = planned(QWEN_8B), planned(QWEN_8B, replicas=3)
    assert values(one)["startup"]["budgetSeconds"] == one.startup.budget_seconds
    assert rollout_seconds(one) == one.startup.budget_seconds + 300
    assert values(three)["readiness"]["timeoutSeconds"] == 3 * one.startup.budget_seconds + 300


def test_a_pod_requests_its_gpus_share_of_the_node() -> None:
    half = values(planned(QWEN_8B, tensor_parallel_size=4))["resources"]
    whole = values(planned(SCOUT))["resources"]
    assert (half["cpu"], whole["cpu"]) == ("76800m", "153600m")
    assert (half["memory"], whole["memory"]) == ("314572Mi", "629145Mi")
    quarter_of_gpus = planned(QWEN_235B, tensor_parallel_size=4, pipeline_parallel_size=8)
    assert values(quarter_of_gpus)["resources"]["cpu"] == "153600m", "alone on its node, whatever its GPUs"
    assert values(planned(SCOUT), efa=True)["resources"]["efa"] == 1


def test_an_offloaded_kv_cache_has_room_in_shared_memory() -> None:
    plan = planned(SCOUT_W4A16, max_model_len=16384, flags=EngineFlags(kv_offloading_bytes=64 * 2**30))
    assert values(plan)["sharedMemory"] == "80Gi"
    two_nodes = planned(SCOUT, **PROD, flags=EngineFlags(kv_offloading_bytes=64 * 2**30))
    assert values(two_nodes)["sharedMemory"] == "48Gi"


def test_the_stack_s_revision_overrides_the_locked_one_and_extra_args_come_last() -> None:
    found = values(planned(QWEN_8B), revision="abc", extra_args=["--seed", "1"])
    assert found["model"]["revision"] == "abc"
    assert found["vllmArgs"][-2:] == ["--seed", "1"]


def test_a_plan_that_does_not_fit_has_no_release() -> None:
    with pytest.raises(ValueError, match="llama-4-scout: a plan that does not fit has no release"):
        values(planned(SCOUT, pipeline_parallel_size=1))


def test_flags_are_given_only_where_they_mean_something() -> None:
    plain = vllm_args(planned(QWEN_8B))
    assert "--distributed-executor-backend" not in plain
    assert "--kv-cache-dtype" not in plain
    rich = vllm_args(planned(QWEN_235B, kv_cache_dtype="fp8", enforce_eager=True, enable_expert_parallel=True))
    assert rich[12:] == [
        "--kv-cache-dtype",
        "fp8",
        "--enforce-eager",
        "--enable-expert-parallel",
        "--distributed-executor-backend",
        "mp",
    ]
    images = vllm_args(planned(SCOUT, limit_mm_per_prompt={"image": 0}))
    assert images[images.index("--limit-mm-per-prompt") + 1] == '{"image": 0}'
