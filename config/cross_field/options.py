"""Checks that the options of a model's endpoint are consistent with the model and with each other.

An invalid value is None in a parsed section (`config.sections`) and is skipped, because it has an error already.
"""

from collections.abc import Iterator

from config.errors import ConfigError
from config.settings.model import ModelSettings
from vllm_eks.planner.engine.options import DEFAULT_CONTEXT_TOKENS, batch_defaults
from vllm_eks.planner.engine.serving_flags import AUTO, family_parsers
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.lora import can_count_lora
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.vllm_version import parse_version
from vllm_eks.stack_files.wording import key_path


def option_errors(model: ModelSettings, facts: ModelFacts, key: str) -> Iterator[ConfigError]:
    """Yield the errors of the options of a known model."""
    tool, reasoning = family_parsers(facts.architecture.name)
    wishes = (("toolCallParser", model.tool_call_parser, tool), ("reasoningParser", model.reasoning_parser, reasoning))
    for name, wish, known in wishes:
        if wish == AUTO and known is None:
            yield ConfigError(
                key=key_path(key, name),
                text=f"auto has no parser for {facts.architecture.name}: set one by name, or remove {name}",
            )
    if model.lora_modules and not can_count_lora(facts.architecture):
        yield ConfigError(
            key=key_path(key, "loraModules"),
            text=f"LoRA adapters are not supported yet for {facts.architecture.name} (experts, latent or linear "
            "attention): remove loraModules",
        )


def lora_errors(model: ModelSettings, key: str) -> Iterator[ConfigError]:
    """Yield an error if adapter sizes are set without adapters."""
    for name, given in (("maxLoras", model.max_loras), ("maxLoraRank", model.max_lora_rank)):
        if given and not model.lora_modules and "lora_modules" not in model.model_fields_set:
            yield ConfigError(key=key_path(key, name), text="needs loraModules: add the adapters, or remove it")


def name_errors(model: ModelSettings, name: str, key: str) -> Iterator[ConfigError]:
    """Yield an error if a name that clients send is ambiguous. `name` is the model's own key."""
    adapters = model.lora_modules or {}
    if name in adapters:
        yield ConfigError(
            key=key_path(key, "loraModules", name),
            text="is also the model's name, so clients could not request the adapter: rename the adapter",
        )
    for index, further in enumerate(model.served_names or ()):
        if further == name:
            text = f"{further!r} is the model's own key, which clients can always use: remove it"
        elif further in adapters:
            text = f"{further!r} is also an adapter in loraModules: remove it, or rename the adapter"
        else:
            continue
        yield ConfigError(key=key_path(key, "servedNames", index), text=text)


def prefill_errors(
    model: ModelSettings, instance: InstanceType, facts: ModelFacts | None, key: str
) -> Iterator[ConfigError]:
    """Yield an error if a whole prompt does not fit in a batch and chunked prefill is off."""
    if model.enable_chunked_prefill is not False:
        return
    version = parse_version(model.vllm_version)
    default_tokens, _ = batch_defaults(instance, version)
    tokens = model.max_num_batched_tokens or default_tokens
    limit = facts.architecture.context_limit(version) if facts else DEFAULT_CONTEXT_TOKENS
    context = model.max_model_len or min(limit, DEFAULT_CONTEXT_TOKENS)
    if tokens < context:
        yield ConfigError(
            key=key_path(key, "enableChunkedPrefill"),
            text=f"false conflicts with maxNumBatchedTokens {tokens} below maxModelLen {context}, which vLLM refuses: "
            "raise maxNumBatchedTokens, lower maxModelLen, or remove enableChunkedPrefill",
        )
