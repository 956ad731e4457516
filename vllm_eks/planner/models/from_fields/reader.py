"""Reads an architecture from the fields of its config.json, whatever its name is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_object, list_or_empty, object_or_empty
from vllm_eks.planner.models.architecture import Architecture, Vision
from vllm_eks.planner.models.config_checks import field_errors
from vllm_eks.planner.models.counts import count, is_count
from vllm_eks.planner.models.from_fields.experts import moe_layers, read_experts
from vllm_eks.planner.models.from_fields.layer_kinds import layer_kinds
from vllm_eks.planner.models.from_fields.mixers_of_layers import read_mixer
from vllm_eks.planner.models.from_fields.names import UnknownMemory, is_attention_free, sections
from vllm_eks.planner.models.from_fields.prepare import prepared_fields
from vllm_eks.planner.models.from_fields.repeats import unfold
from vllm_eks.planner.models.from_fields.shapes import extra_parameters, shape_of_layer
from vllm_eks.planner.models.from_fields.tables import read_tables
from vllm_eks.planner.models.from_fields.tower_formulas import tower_row, vision_of_row
from vllm_eks.planner.models.from_fields.towers import has_prefix_images, read_towers
from vllm_eks.planner.models.from_fields.traits import Traits, traits_of
from vllm_eks.planner.models.from_fields.unread import unread_sizes
from vllm_eks.planner.models.layer_shape import LayerShape
from vllm_eks.planner.models.mixers import Attention, Beside, CompressedLatent, GroupedQuery, Latent, LayerKind
from vllm_eks.planner.models.quantization_config import parse_quantization
from vllm_eks.planner.models.rope import context_limits

GATED_ACTIVATIONS = ("silu", "swish", "swiglu", "swigluoai", "situ", "geglu", "gelu_pytorch_tanh", "silu_and_mul")
"""Activations of an MLP with a gate, which has three matrices. Others have two."""
UNREAD = ("indexer_n_heads", "ple_layer_ids")
"""Fields of Qwen 4 whose tensors and caches have not been compared: its own indexer and embeddings of n-grams."""
DENSE_SIZES = (
    "dense_intermediate_size",
    "intermediate_size_mlp",
    "prefix_dense_intermediate_size",
    "intermediate_size",
)
"""Size of the dense layers of a mixture, the most specific name first."""


def read_fields(config: Mapping[str, Any], name: str, *, where: str) -> Architecture:
    """Return the architecture that a config.json of any name describes, with confidence `estimated`.

    Args:
        config: The whole document.
        name: Its architecture's name.
        where: The model id or folder, for messages.

    Raises:
        WrongQuestion: Fields are missing, or mention something that the planner does not know.
    """
    traits = traits_of(name)
    fields = prepared_fields(config, traits)
    if traits.why_unknown:
        raise UnknownMemory(f"{where}: the planner cannot determine the memory of {name}: {traits.why_unknown}")
    if unread := [key for key in UNREAD if fields.get(key)]:
        raise UnknownMemory(f"{where}: config.json has {unread[0]}, and the planner cannot determine its memory")
    errors = list(field_errors(config, fields))
    if errors:
        raise WrongQuestion(f"{where}: config.json {'; it '.join(errors)}")
    weighted = unfold(fields, traits.repeats, where=where)
    layers, hidden = count(fields, "num_hidden_layers"), count(fields, "hidden_size")
    kinds = layer_kinds(fields, layers, where=where)
    fields["attn_output_gate"] = fields.get("attn_output_gate", traits.has_attention_gate)
    attention = tuple(
        _with_cross(read_mixer(fields, kind, index, caches_heads=traits.whole_attention, where=where), traits)
        for index, kind in enumerate(kinds)
    )
    matrices = 3 if _is_gated(fields, traits) else 2
    of_experts = matrices if traits.has_gated_experts is None else 2 + traits.has_gated_experts
    experts = read_experts(fields, matrices=of_experts, where=where)
    if not traits.is_listed and (unread := unread_sizes(fields)):
        raise UnknownMemory(
            f"{where}: config.json has {', '.join(unread)}, which the planner does not read, and {name} was not "
            "compared with vLLM's class"
        )
    sparse = moe_layers(fields, kinds, where=where) if experts else frozenset[int]()
    experts = replace(experts, least_shard=traits.least_expert_shard) if experts and sparse else None
    # Where MLPs are layers of their own (Nemotron-H), the others have none.
    apart = "mlp" in kinds or "moe" in kinds or traits.repeats == "shared"
    sizes = tuple(
        0 if apart and kind != "mlp" else _dense_size(fields, kind, index, sparse, where)
        for index, kind in enumerate(kinds)
    )
    if experts and fields.get("enable_moe_block"):
        # Gemma 4 has a dense MLP in addition to the experts of each layer.
        experts = replace(experts, shared_intermediate_size=count(fields, "intermediate_size"))
    shapes = tuple(
        shape_of_layer(fields, one, size, experts if index in sparse else None, traits, matrices=matrices)
        for index, (one, size) in enumerate(zip(attention[:weighted], sizes[:weighted], strict=True))
    ) + (LayerShape(),) * (layers - (layers if weighted is None else weighted))
    positions = count(fields, "max_position_embeddings") + traits.unused_positions
    first = _first_attention(attention)
    context, older_context = context_limits(fields, model_type=str(fields.get("model_type") or ""))
    heads = first.heads if first else count(fields, "num_attention_heads") or 1
    kv_heads = first.kv_heads if isinstance(first, GroupedQuery) else heads
    return Architecture(
        name=name,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=first.head_dim if isinstance(first, GroupedQuery) else hidden // heads,
        vocab_size=count(fields, "vocab_size"),
        intermediate_size=max(sizes),
        context_tokens=context,
        older_context_tokens=older_context,
        tie_word_embeddings=_is_tied(config, traits),
        has_qkv_bias=bool(fields.get("attention_bias", False)),
        norm_values_per_layer=2 * hidden,
        dtype=str(fields.get("torch_dtype") or fields.get("dtype") or "bfloat16"),
        attention=attention,
        experts=experts,
        moe_layers=sparse,
        rotary_tables=read_tables(fields, attention, traits),
        vision=_vision(config, fields, name, traits, hidden, where),
        quantization=parse_quantization({**fields, **config}),
        has_prefix_images=has_prefix_images(config, fields),
        draft_layers=count(fields, "num_nextn_predict_layers", "mtp_num_hidden_layers"),
        embedding_everywhere=traits.embedding_everywhere,
        embedding_is_whole=traits.embedding_is_whole,
        head_everywhere=traits.head_everywhere,
        confidence="estimated",
        expert_module=traits.expert_module,
        without_pipeline=_without_pipeline(config, name, traits),
        is_attention_free=is_attention_free(fields),
        shapes=shapes,
        expert_blocks=count(fields, "num_blocks") if traits.shares_experts else 0,
        layers_of_block=2 if traits.repeats == "halves" else 1,
        extra_parameters=extra_parameters(fields, kinds, traits),
        position_parameters=positions * hidden if traits.has_learned_positions else 0,
    )


def _with_cross(mixer: Attention, traits: Traits) -> Attention:
    return replace(mixer, has_cross=True) if traits.has_encoder and isinstance(mixer, GroupedQuery) else mixer


def _vision(
    config: Mapping[str, Any], fields: Mapping[str, Any], name: str, traits: Traits, hidden: int, where: str
) -> Vision | None:
    usual = read_towers(config, traits, text_hidden=hidden)
    row = tower_row(name)
    return vision_of_row(row, config, fields, usual, text_hidden=hidden, where=where) if row else usual


def _first_attention(attention: tuple[Attention, ...]) -> GroupedQuery | Latent | CompressedLatent | None:
    """Return the attention of the first layer that has any."""
    inner = (one.attention if isinstance(one, Beside) else one for one in attention)
    return next((one for one in inner if isinstance(one, GroupedQuery | Latent | CompressedLatent)), None)


def _is_gated(fields: Mapping[str, Any], traits: Traits) -> bool:
    if traits.has_gated_mlp is not None:
        return traits.has_gated_mlp
    return str(fields.get("mlp_activation") or "silu") in GATED_ACTIVATIONS


def _is_tied(config: Mapping[str, Any], traits: Traits) -> bool:
    """Return whether embedding and head are one tensor: the outermost section's setting counts.

    For models that also generate speech, the decoder's own section counts.
    """
    if traits.ties_always is not None:
        return traits.ties_always
    path = list(sections(config))
    path = path[-1:] if is_object(config.get("thinker_config")) else path
    stated = [section["tie_word_embeddings"] for section in path if "tie_word_embeddings" in section]
    return bool(stated[0] if stated else traits.ties_by_default)


def _without_pipeline(config: Mapping[str, Any], name: str, traits: Traits) -> str:
    """Return why vLLM's class does not start with pipeline parallelism, or nothing."""
    if not traits.has_pipeline:
        return f"vLLM's class {name} has no pipeline parallelism"
    if not traits.has_tied_pipeline and _is_tied(config, traits):
        return f"vLLM's class {name} has no pipeline parallelism with tied embeddings"
    if traits.reads_tie and not any("tie_word_embeddings" in section for section in sections(config)):
        return f"stages of vLLM's class {name} read tie_word_embeddings, which config.json does not have"
    return ""


def _dense_size(fields: Mapping[str, Any], kind: LayerKind, index: int, sparse: frozenset[int], where: str) -> int:
    """Return the size of the dense MLP of a layer, 0 without one."""
    if index in sparse or kind == "moe":
        return 0
    blocks = list_or_empty(fields.get("block_configs"))
    if index < len(blocks):
        return _block_size(object_or_empty(object_or_empty(blocks[index]).get("ffn")), fields)
    sizes = [size for size in list_or_empty(fields.get("intermediate_size")) if is_count(size)]
    if sizes:
        return sizes[index % len(sizes)]
    if is_attention_free(fields):
        return 0
    size = count(fields, *DENSE_SIZES)
    if not size:
        raise WrongQuestion(f"{where}: config.json needs a whole number above 0 for intermediate_size")
    return size


def _block_size(ffn: Mapping[str, Any], fields: Mapping[str, Any]) -> int:
    """Return the MLP size of one of DeciLM's blocks (nemotron_nas.py, _ffn_mult_to_intermediate_size)."""
    if ffn.get("no_op"):
        return 0
    if size := count(ffn, "intermediate_size"):
        return size
    size = int(2 * float(ffn.get("ffn_mult") or 0) * count(fields, "hidden_size") / 3)
    return -(-size // 256) * 256
