"""Shortcuts for planner calls in tests."""

from typing import Any

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_model import plan

SCOUT = "meta-llama/Llama-4-Scout-17B-16E-Instruct"
SCOUT_W4A16 = "RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16"
LLAMA_8B = "meta-llama/Meta-Llama-3-8B-Instruct"
LLAMA_70B = "meta-llama/Llama-3.3-70B-Instruct"
QWEN_8B = "Qwen/Qwen3-8B"
QWEN_32B = "Qwen/Qwen3-32B"
QWEN_235B = "Qwen/Qwen3-235B-A22B"
MIXTRAL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
ALL_MODELS = (SCOUT, SCOUT_W4A16, LLAMA_8B, LLAMA_70B, QWEN_8B, QWEN_32B, QWEN_235B, MIXTRAL)


def planned(model: str, instance: str = "g5.48xlarge", **requested: Any) -> Plan:
    return plan(find_model(model), find_instance(instance), ServingOptions(**requested))


def laid_out(plan: Plan) -> Layout:
    """The layout of a plan that has one."""
    assert plan.layout is not None
    return plan.layout


def codes(refused: Plan) -> list[str]:
    return [refusal.code for refusal in refused.refusals]
