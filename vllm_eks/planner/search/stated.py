"""The plan of a model that is not planned: the sizes that the user sets, and refusals that follow from them alone."""

from collections.abc import Iterator
from dataclasses import replace

from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.engine.validity import Refusal
from vllm_eks.planner.engine.versions import NATIVE_MULTI_NODE
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.fit import disk_refusals
from vllm_eks.planner.search.plan import Plan, StatedSizes

NOT_PLANNED = (
    "not planned: nothing is known about memory, so vLLM may not start, and the sizes may cost more than needed"
)
STAND_IN = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_attention_heads": 1,
    "vocab_size": 64,
    "max_position_embeddings": 1,
}
"""A config.json that provides the facts of a plan. Without a layout, nothing reads its sizes."""


def stated_plan(model_id: str, instance: InstanceType, requested: ServingOptions, *, weights_bytes: int) -> Plan:
    """Return the plan of a model with the user's sizes: no layout, a warning, and refusals that follow from the
    sizes alone.

    Args:
        model_id: The Hugging Face id, or a folder's name.
        instance: The type of its nodes.
        requested: The options, with both parallel sizes and the context.
        weights_bytes: The size of the weights, for the start and the disks.

    Raises:
        WrongQuestion: The options are invalid (an unsupported version, sizes below 1).
    """
    tp, pp = requested.tensor_parallel_size or 1, requested.pipeline_parallel_size or 1
    options = resolve(requested, instance, context_limit_tokens=requested.max_model_len or 1)
    architecture = replace(parse_config({**STAND_IN, "num_hidden_layers": pp}, where=model_id), name="unknown")
    facts = ModelFacts(
        id=model_id,
        revision=None,
        gated=False,
        architecture=architecture,
        weights_source="stated",
        known_weights_bytes=weights_bytes,
    )
    plan = Plan(
        model=facts,
        instance=instance,
        options=options,
        replicas=requested.replicas,
        zones=requested.zones,
        layout=None,
        refusals=(),
        stated=StatedSizes(tensor_parallel_size=tp, pipeline_parallel_size=pp),
        warnings=(NOT_PLANNED,),
    )
    return replace(plan, refusals=(*_refusals(plan), *disk_refusals(facts, instance, options)))


def _refusals(plan: Plan) -> Iterator[Refusal]:
    sizes, instance, version = plan.stated, plan.instance, plan.options.version
    if sizes and sizes.tensor_parallel_size > instance.gpus:
        yield Refusal(
            code="not_enough_gpus",
            message=f"TP={sizes.tensor_parallel_size} needs {sizes.tensor_parallel_size} GPUs in one node, and "
            f"{instance.type} has {instance.gpus}",
        )
    elif sizes and plan.nodes_per_replica > 1 and version < NATIVE_MULTI_NODE:
        yield Refusal(
            code="pipeline_unsupported",
            message=f"PP={sizes.pipeline_parallel_size} across nodes needs vLLM's multi-node start: use 0.11.1 or "
            "later",
        )
