"""Weights of one rank: the parts on its pipeline stage, and how tensor parallelism splits them."""

from vllm_eks.planner.engine.encoder_ranks import encoder_ranks
from vllm_eks.planner.engine.flag_rules import runs_in_32_bits
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import PIXTRAL_WITHOUT_TABLES
from vllm_eks.planner.hardware.instances import Gpu
from vllm_eks.planner.memory import constants
from vllm_eks.planner.memory.mxfp4 import expert_growth
from vllm_eks.planner.memory.offload import offloaded_bytes
from vllm_eks.planner.memory.terms import Term
from vllm_eks.planner.models.architecture import Vision
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.layer_weights import absorbed_bytes
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.units import gib
from vllm_eks.planner.vllm_version import Version


def weights_term(
    model: ModelFacts,
    gpu: Gpu,
    options: ResolvedOptions,
    *,
    layers: range,
    tensor_parallel_size: int,
    is_first: bool,
    is_last: bool,
) -> Term:
    """Return the weights of one rank: the shards of its layers, and the embedding, head and vision tower if present."""
    architecture, parts, tp = model.architecture, model.parts, tensor_parallel_size
    share = expert_share(architecture.experts.count, tp, options) if architecture.experts else 1 / tp
    shards = 1 if options.enable_expert_parallel else tp
    share *= expert_growth(architecture, gpu.sm, shards, options.version)
    if blocks := architecture.expert_blocks:
        # A stage has all sets that its layers use. Each layer counts its share of one.
        share *= min(len(layers), blocks) / len(layers) * architecture.num_hidden_layers / blocks
    kv_heads = architecture.num_key_value_heads
    layer_bytes = [
        parts.layers[i].rank_bytes(tensor_parallel_size=tp, kv_heads=kv_heads, expert_share=share) for i in layers
    ]
    size = sum(layer_bytes)
    other_parts = _other_parts_layers(model, is_first=is_first, is_last=is_last)
    if architecture.vision and options.has_tower(architecture.vision.kind):
        # Every stage creates the tower, except with the second model runner of 0.33, where only the first does.
        ranks = encoder_ranks(architecture, options, tp)
        held = _tower_bytes(parts.vision_bytes, architecture.vision, ranks=ranks, tp=tp)
        held += tp * _position_bytes(architecture.vision, options.version)
        share = len(layers) / architecture.num_hidden_layers if architecture.vision.is_staged else 1
        other_parts["vision tower"] = held * share
    if architecture.embedding_is_whole and "embedding" in other_parts:
        other_parts["embedding"] *= tp
    size += sum(other_parts.values()) / tp + (parts.final_norm_bytes if is_last else 0)
    size += parts.position_bytes if "embedding" in other_parts else 0
    size = size * model.weights_scale + absorbed_bytes(architecture) / tp * len(layers)
    growth = 2.0 if runs_in_32_bits(architecture, gpu.sm, options.flags) else 1.0
    moved = offloaded_bytes([one * model.weights_scale * growth for one in layer_bytes], options.flags.offload)
    size = size * growth - moved
    return Term(
        name="weights",
        bytes=weights_deviation(model) * size,
        rule=f"layers {layers.start}-{layers.stop - 1} over TP={tp}"
        + (f", {', '.join(other_parts)}" if other_parts else "")
        + (f", {gib(moved):.2f} GiB in host memory" if moved else "")
        + f" ({model.weights_source}: {gib(model.weights_bytes):.2f} GiB in total)",
    )


def _tower_bytes(total_bytes: float, vision: Vision, *, ranks: int, tp: int) -> float:
    """Return the bytes of the tower before TP splits them, with the parts that TP does not split multiplied by TP."""
    if ranks == 1:
        split = total_bytes * vision.projector_parameters / vision.parameters if vision.is_sharded else 0.0
        return total_bytes * tp - (tp - 1) * split
    kept = vision.whole_parameters + (vision.attention_parameters if vision.num_attention_heads % tp else 0)
    whole = total_bytes * kept / vision.parameters if vision.parameters else 0.0
    return total_bytes + (tp - 1) * whole


def _position_bytes(vision: Vision, version: Version) -> int:
    """Return the bytes of Pixtral's two tables of 32-bit positions, which each rank has, or 0 for other towers."""
    if vision.kind != "pixtral" or version >= PIXTRAL_WITHOUT_TABLES:
        return 0
    return 2 * 4 * vision.profile_patches * (vision.hidden_size // vision.num_attention_heads)


def _other_parts_layers(model: ModelFacts, *, is_first: bool, is_last: bool) -> dict[str, float]:
    """Return the embedding and the head on a stage, by name, in bytes before TP splits them.

    Some classes create them on every stage, although only the first and last use them. A tied embedding is also the
    head.
    """
    architecture, parts = model.architecture, model.parts
    on_stage: dict[str, float] = {}
    if is_first or architecture.embedding_everywhere or (is_last and parts.tied):
        on_stage["embedding"] = parts.embedding_bytes
        if parts.extra_bytes:
            on_stage["other embeddings"] = parts.extra_bytes
    if (is_last or architecture.head_everywhere) and not parts.tied:
        on_stage["head"] = parts.head_bytes
    return on_stage


def expert_share(experts: int, tensor_parallel_size: int, options: ResolvedOptions) -> float:
    """Return the largest share of the routed experts on any rank.

    Expert parallelism does not split experts, and the first ranks hold the remainder.
    """
    if options.enable_expert_parallel:
        return -(-experts // tensor_parallel_size) / experts
    return 1 / tensor_parallel_size


def weights_deviation(model: ModelFacts) -> Range:
    """Return the range of loaded bytes over computed bytes."""
    if model.architecture.confidence == "estimated":
        known = model.weights_source != "computed"
        return constants.WEIGHTS_ESTIMATED_OF_KNOWN_TOTAL if known else constants.WEIGHTS_ESTIMATED
    if model.weights_source == "headers":
        return constants.WEIGHTS_FROM_HEADERS
    if model.weights_source == "index":
        return constants.WEIGHTS_FROM_INDEX
    plain = model.architecture.kind == "dense" and not model.architecture.vision
    return constants.WEIGHTS_COMPUTED_DENSE if plain else constants.WEIGHTS_COMPUTED_OTHER
