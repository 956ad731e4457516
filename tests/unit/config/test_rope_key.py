"""The key `ropeScaling` of a model: the required parameters, and the flag for vLLM's pods."""

import json
from pathlib import Path

from tests.support.stack_config import load_stack, model, report_of, write_stack
from vllm_eks.planner.search.vllm_args import vllm_args

YARN = {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 32768}


def one_fault(folder: Path) -> str:
    (fault,) = report_of(folder, "test").split("\n  ")[1:]
    return fault.removeprefix("vllm-eks:models.qwen3.")


def test_the_plan_allows_the_longer_context_and_the_pods_get_the_overrides(folder: Path) -> None:
    write_stack(folder, {"qwen3": model(maxModelLen=131072, ropeScaling=YARN | {"rope_theta": 1000000})})
    plan = load_stack(folder, "test").settings.models["qwen3"].plan(region="us-west-2")
    assert plan.fits, plan.refusals
    args = vllm_args(plan)
    assert json.loads(args[args.index("--hf-overrides") + 1]) == {"rope_parameters": YARN | {"rope_theta": 1000000}}
    write_stack(folder, {"qwen3": model(maxModelLen=131073, ropeScaling=YARN | {"rope_theta": 1000000})})
    plan = load_stack(folder, "test").settings.models["qwen3"].plan(region="us-west-2")
    assert [refusal.code for refusal in plan.refusals] == ["context_too_long"]


def test_errors_name_the_parameter(folder: Path) -> None:
    write_stack(folder, {"qwen3": model(ropeScaling=YARN)})
    assert load_stack(folder, "test").settings.models, "the lock file of this model has its rope_theta"
    write_stack(folder, {"qwen3": model(model="Qwen/Qwen3-4B", ropeScaling=YARN)})
    assert one_fault(folder) == (
        "ropeScaling.rope_theta: is missing: vLLM replaces all rope parameters of the model, so copy rope_theta from "
        "its config.json"
    )
    write_stack(folder, {"qwen3": model(ropeScaling={"rope_type": "yarm"})})
    assert one_fault(folder).startswith("ropeScaling: rope_type 'yarm' is not one of linear, dynamic, yarn")
    sizes = {"tensorParallelSize": 4, "pipelineParallelSize": 1, "maxModelLen": 8192, "weightsGib": 16}
    write_stack(folder, {"qwen3": model(planned=False, **sizes, ropeScaling=YARN)})
    assert one_fault(folder) == ("ropeScaling: needs a plan, which knows the model's config.json: remove ropeScaling")
