"""Checks a model without a plan: its required sizes, and keys that only such a model may have."""

import re
from collections.abc import Iterator

from config.errors import ConfigError
from config.settings.model import ModelSettings
from vllm_eks.planner.engine.serving_flags import AUTO
from vllm_eks.planner.search.named_models import is_folder
from vllm_eks.stack_files.wording import key_path

REPOSITORY = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*", re.ASCII)
"""The id of a repository on the Hugging Face Hub. The oldest ones have no organization."""
STATED = {
    "tensor_parallel_size": "tensorParallelSize",
    "pipeline_parallel_size": "pipelineParallelSize",
    "max_model_len": "maxModelLen",
    "weights_gib": "weightsGib",
}
"""Field -> key, for the sizes that a model without a plan needs."""


def unplanned_errors(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    """Yield one error for all missing sizes, and an error for each value that needs a plan."""
    if model.planned is not False:  # None has its own error
        if "weights_gib" in model.model_fields_set:
            yield ConfigError(key=key_path(key, "weightsGib"), text="is only for planned: false: remove it")
        return
    if model.model is not None and not (is_folder(model.model) or REPOSITORY.fullmatch(model.model)):  # pyright: ignore[reportUnnecessaryComparison]  (None: an error)
        text = f"{model.model!r} is not a Hugging Face ID: set <organization>/<name>"
        yield ConfigError(key=key_path(key, "model"), text=text)
    missing = [name for field, name in STATED.items() if field not in model.model_fields_set]
    if missing:
        yield ConfigError(
            key=key_path(key, "planned"),
            text=f"false needs the sizes of the model, and {_listed(missing)} {'is' if len(missing) == 1 else 'are'} "
            "missing: add them, or remove planned",
        )
    if model.rope_scaling:
        text = "needs a plan, which knows the model's config.json: remove ropeScaling"
        yield ConfigError(key=key_path(key, "ropeScaling"), text=text)
    for name, parser in (("toolCallParser", model.tool_call_parser), ("reasoningParser", model.reasoning_parser)):
        if parser == AUTO:
            text = f"auto needs a plan, which knows the model's family: set the parser by name, or remove {name}"
            yield ConfigError(key=key_path(key, name), text=text)


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
