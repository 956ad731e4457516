"""What the options of a model's endpoint must agree on with the model and among themselves.

A bad value is None in a parsed section (`config.sections`) and is passed over: its own fault is enough.
"""

from collections.abc import Iterator

from config.errors import Fault
from config.settings.model import ModelSettings
from vllm_eks.planner.engine.options import DEFAULT_CONTEXT_TOKENS, batch_defaults
from vllm_eks.planner.engine.serving_flags import AUTO, family_parsers
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.memory.lora import can_count_lora
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.vllm_version import parse_version
from vllm_eks.stack_files.wording import key_path


def option_faults(model: ModelSettings, facts: ModelFacts, key: str) -> Iterator[Fault]:
    """Yield the faults of the options, for a model the planner knows."""
    tool, reasoning = family_parsers(facts.architecture.name)
    wishes = (("toolCallParser", model.tool_call_parser, tool), ("reasoningParser", model.reasoning_parser, reasoning))
    for name, wish, known in wishes:
        if wish == AUTO and known is None:
            yield Fault(
                key=key_path(key, name),
                text=f"auto finds none for {facts.architecture.name}: name one, or remove {name}",
            )
    if model.lora_modules and not can_count_lora(facts.architecture):
        yield Fault(
            key=key_path(key, "loraModules"),
            text=f"adapters of {facts.architecture.name} cannot be planned yet (experts, latent or linear attention): "
            "remove loraModules",
        )


def lora_faults(model: ModelSettings, key: str) -> Iterator[Fault]:
    """Yield a fault where adapters are sized and none is named."""
    for name, given in (("maxLoras", model.max_loras), ("maxLoraRank", model.max_lora_rank)):
        if given and not model.lora_modules and "lora_modules" not in model.model_fields_set:
            yield Fault(key=key_path(key, name), text="needs loraModules: name the adapters, or remove it")


def name_faults(model: ModelSettings, name: str, key: str) -> Iterator[Fault]:
    """Yield a fault where a client could mean two things by one name; `name` is the model's own key."""
    adapters = model.lora_modules or {}
    if name in adapters:
        yield Fault(
            key=key_path(key, "loraModules", name),
            text="is the name of the model too, and clients could not ask for the adapter: rename the adapter",
        )
    for index, further in enumerate(model.served_names or ()):
        if further == name:
            text = f"{further!r} is the model's own key, which clients may always send: remove it"
        elif further in adapters:
            text = f"{further!r} is the name of an adapter of loraModules: remove it, or rename the adapter"
        else:
            continue
        yield Fault(key=key_path(key, "servedNames", index), text=text)


def prefill_faults(model: ModelSettings, instance: InstanceType, facts: ModelFacts | None, key: str) -> Iterator[Fault]:
    """Yield a fault where a whole prompt has no room in a batch, and may not be cut into chunks."""
    if model.enable_chunked_prefill is not False:
        return
    version = parse_version(model.vllm_version)
    default_tokens, _ = batch_defaults(instance, version)
    tokens = model.max_num_batched_tokens or default_tokens
    limit = facts.architecture.context_limit(version) if facts else DEFAULT_CONTEXT_TOKENS
    context = model.max_model_len or min(limit, DEFAULT_CONTEXT_TOKENS)
    if tokens < context:
        yield Fault(
            key=key_path(key, "enableChunkedPrefill"),
            text=f"false, with maxNumBatchedTokens {tokens} below maxModelLen {context}, which vLLM refuses: raise "
            "maxNumBatchedTokens, lower maxModelLen, or remove enableChunkedPrefill",
        )
