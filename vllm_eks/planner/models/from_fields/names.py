"""The decoder's fields under one name each: config.json files name the same thing in many ways."""

from collections.abc import Iterator, Mapping
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object, object_or_empty
from vllm_eks.planner.models.counts import is_count
from vllm_eks.planner.models.from_fields.words import ALIASES, INNER_SECTIONS, TEXT_SECTIONS
from vllm_eks.planner.units import gib


class UnknownMemory(WrongQuestion):
    """A config.json mentions something whose memory the planner cannot determine."""

    def with_weights(self, weights_bytes: int | None) -> "UnknownMemory":
        """Return the error with the part of the memory that is certain: the size of the files, where it is known."""
        return UnknownMemory(f"{self}; its weights alone take {gib(weights_bytes):.1f} GiB") if weights_bytes else self


OUTER_FIELDS = ("torch_dtype", "dtype", "tie_word_embeddings", "quantization_config", "compression_config")
"""Fields that describe the decoder although they stand outside its section."""
LISTS = ("layer_types", "layers_block_type", "block_configs")
"""Lists with an entry for each layer."""
ATTENTION_FREE = ("mamba", "mamba2", "falcon_mamba")
UNLIMITED_POSITIONS = 2**20
"""The context of a model without attention, whose state does not grow, and of one with a bias for distance (Bloom)."""
DEFAULT_POSITIONS = 2048
"""The longest context that vLLM assumes if no field states it (config/model.py, default_max_len)."""


def sections(config: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the config and the sections that lead to its decoder, the decoder's own last.

    Of models that also generate speech, only the text part is served.
    """
    if not is_object(config.get("thinker_config")):
        yield config
    for name in TEXT_SECTIONS:
        inner: object = config.get(name)
        if is_object(inner) and inner:
            yield from sections(inner)
            return


def decoder_fields(config: Mapping[str, Any], *, has_rotary: bool = True) -> dict[str, Any]:
    """Return the decoder's fields under our names.

    Args:
        config: The whole document.
        has_rotary: Whether the class makes a table of positions. Without one, the context has no limit unless a field
        sets one.
    """
    path = list(sections(config))
    own, fields = path[-1], dict[str, Any]()
    for section in path[:-1]:
        fields |= {key: section[key] for key in OUTER_FIELDS if section.get(key) is not None}
    for part in (*(object_or_empty(own.get(name)) for name in INNER_SECTIONS), own):
        fields |= {key: value for key, value in part.items() if value is not None}
    for name, others in ALIASES.items():
        if chosen := next((other for other in (name, *others) if fields.get(other) is not None), None):
            fields[name] = _largest(fields[chosen]) if name in NUMBERS else fields[chosen]
    if "num_hidden_layers" not in fields:
        # Nemotron 3 Ultra has a list of its layers and no count.
        fields["num_hidden_layers"] = next((len(fields[key]) for key in LISTS if is_list(fields.get(key))), None)
    if not is_count(fields.get("max_position_embeddings")):
        has_limit = has_rotary and not is_attention_free(fields)
        fields["max_position_embeddings"] = DEFAULT_POSITIONS if has_limit else UNLIMITED_POSITIONS
    return fields


NUMBERS = frozenset(ALIASES) - {"mlp_activation", "intermediate_size", "moe_intermediate_size"}


def _largest(value: object) -> object:
    """Return the largest entry of a list with a number for each layer or kind, or the value itself."""
    return max((item for item in value if is_count(item)), default=0) if is_list(value) else value


def is_attention_free(fields: Mapping[str, Any]) -> bool:
    """Return whether the model is a Mamba, which has no attention and no limit of positions."""
    return str(fields.get("model_type")) in ATTENTION_FREE
