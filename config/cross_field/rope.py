"""Checks a rope scaling against the model and the vLLM version."""

from collections.abc import Iterator

from config.errors import ConfigError
from config.settings.model import ModelSettings
from vllm_eks.planner.engine.rope_scaling import lacks_theta
from vllm_eks.planner.search.named_models import find_stack_model
from vllm_eks.planner.vllm_version import parse_version
from vllm_eks.stack_files.wording import key_path


def rope_errors(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    """Yield a fault where vLLM would lose the base of the model's rotary embedding; the model is a known one."""
    if not model.rope:
        return
    if lacks_theta(model.rope, find_stack_model(model.model).config, parse_version(model.vllm_version)):
        yield ConfigError(
            key=key_path(key, "ropeScaling", "rope_theta"),
            text="is missing: vLLM replaces all rope parameters of the model, so copy rope_theta from its config.json",
        )
