"""What a model that is not planned must state, and what only such a model may."""

from collections.abc import Iterator

from config.errors import Fault
from config.settings.model import ModelSettings
from vllm_eks.planner.engine.serving_flags import AUTO
from vllm_eks.stack_files.wording import key_path

STATED = {
    "tensor_parallel_size": "tensorParallelSize",
    "pipeline_parallel_size": "pipelineParallelSize",
    "max_model_len": "maxModelLen",
    "weights_gib": "weightsGib",
}
"""Field -> key of the sizes that a model without a plan needs."""


def unplanned_faults(model: ModelSettings, key: str) -> Iterator[Fault]:
    """Yield one fault for all missing sizes, and a fault for each value that needs a plan."""
    if model.planned is not False:  # None: a fault of its own
        if "weights_gib" in model.model_fields_set:
            yield Fault(key=key_path(key, "weightsGib"), text="is only for planned: false: remove it")
        return
    missing = [name for field, name in STATED.items() if field not in model.model_fields_set]
    if missing:
        yield Fault(
            key=key_path(key, "planned"),
            text=f"false leaves the sizes to you, and {_listed(missing)} {'is' if len(missing) == 1 else 'are'} "
            "missing: add what the model needs, or remove planned",
        )
    if model.rope_scaling:
        text = "needs a plan, which knows the model's config.json: remove ropeScaling"
        yield Fault(key=key_path(key, "ropeScaling"), text=text)
    for name, wish in (("toolCallParser", model.tool_call_parser), ("reasoningParser", model.reasoning_parser)):
        if wish == AUTO:
            text = f"auto needs a plan, which tells the model's family: name the parser, or remove {name}"
            yield Fault(key=key_path(key, name), text=text)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
