"""The decoder's fields as vLLM's class of an architecture reads them."""

from collections.abc import Mapping
from typing import Any

from vllm_eks.planner.models.counts import count, is_count
from vllm_eks.planner.models.from_fields.names import decoder_fields
from vllm_eks.planner.models.from_fields.traits import Traits
from vllm_eks.planner.models.from_fields.words import STATE_TYPES

OF_DECODER = {
    "num_hidden_layers": "decoder_layers",
    "num_attention_heads": "decoder_attention_heads",
    "intermediate_size": "decoder_ffn_dim",
}
"""Fields of the decoder where the usual names are those of the encoder (Whisper)."""


def prepared_fields(config: Mapping[str, Any], traits: Traits) -> dict[str, Any]:
    """Return the decoder's fields under our names, changed as the class reads them."""
    fields = decoder_fields(config, has_rotary=traits.has_rotary)
    for name, value in traits.usual_fields.items():
        if fields.get(name) is None:
            fields[name] = value
    if traits.mlp_ratio and not fields.get("intermediate_size"):
        fields["intermediate_size"] = traits.mlp_ratio * count(fields, "hidden_size")
    if traits.has_encoder:
        fields |= {ours: fields[name] for ours, name in OF_DECODER.items() if is_count(fields.get(name))}
    if traits.has_short_states:
        fields |= dict.fromkeys(STATE_TYPES)
    if traits.has_halved_mlp:
        fields["intermediate_size"] = count(fields, "intermediate_size") // 2
    return fields
