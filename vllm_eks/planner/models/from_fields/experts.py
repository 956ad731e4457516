"""The mixture of experts of a config.json, and the layers that have it."""

from collections.abc import Mapping
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, list_or_empty
from vllm_eks.planner.models.architecture import Experts
from vllm_eks.planner.models.counts import count, is_count
from vllm_eks.planner.models.from_fields.names import UnknownMemory
from vllm_eks.planner.models.mixers import LayerKind

SHARED_SIZES = (
    "shared_expert_intermediate_size",
    "moe_shared_expert_intermediate_size",
    "share_expert_dim",
    "shared_expert_size",
    "moe_shared_expert_size",
)
"""Size of the shared experts together, in most files."""
SHARED_SIZES_OF_EACH = ("shared_intermediate_size",)
"""Granite and MiniMax M3: the size of each shared expert, which may come without a count."""
LATENT_SIZES = ("moe_latent_size", "routed_expert_hidden_size")
"""Width of the experts' input where it is below the hidden size (Nemotron 3 Super, Kimi K3)."""
UNREAD_MARKS = ("expert", "moe_")


def read_experts(fields: Mapping[str, Any], *, matrices: int, where: str) -> Experts | None:
    """Return the experts, or None for a dense model.

    Raises:
        WrongQuestion: The fields mention experts, but not how many or how large.
    """
    number = count(fields, "num_experts")
    if number < 2 or fields.get("use_moe") is False or fields.get("enable_moe_block") is False:
        _refuse_unread(fields, number, where)
        return None
    size = _size_of_each(fields)
    if not size:
        raise WrongQuestion(f"{where}: config.json has {number} experts but not their size (moe_intermediate_size)")
    return Experts(
        count=number,
        per_token=count(fields, "num_experts_per_tok") or 1,
        intermediate_size=size,
        shared_intermediate_size=_shared_size(fields, size),
        matrices=matrices,
        input_size=count(fields, *LATENT_SIZES) or None,
    )


def _refuse_unread(fields: Mapping[str, Any], number: int, where: str) -> None:
    """Refuse a file that has experts under names that the planner does not know."""
    if number or fields.get("use_moe") is False or fields.get("enable_moe_block") is False:
        return
    counted = sorted(
        key
        for key, value in fields.items()
        if is_count(value) and value > 1 and "expert" in key and ("num" in key or key.startswith("n_"))
    )
    if counted:
        raise UnknownMemory(
            f"{where}: config.json has {', '.join(counted)}, but no number of experts that the planner knows"
        )


def _size_of_each(fields: Mapping[str, Any]) -> int:
    if size := count(fields, "moe_intermediate_size"):
        return size
    if sizes := _listed_sizes(fields):
        # Ernie 4.5 VL has as many experts for images as for text, with their own size.
        return sum(sizes) if is_list(fields.get("moe_num_experts")) else max(sizes)
    sizes = [size for size in list_or_empty(fields.get("intermediate_size")) if is_count(size)]
    return max(sizes, default=0) or count(fields, "intermediate_size")


def _shared_size(fields: Mapping[str, Any], size: int) -> int:
    """Return the size of all shared experts together."""
    number = count(fields, "n_shared_experts")
    if total := count(fields, *SHARED_SIZES):
        return total
    if each := count(fields, *SHARED_SIZES_OF_EACH):
        return each * max(1, number)
    return number * max(_listed_sizes(fields), default=size)


def _listed_sizes(fields: Mapping[str, Any]) -> list[int]:
    return [one for one in list_or_empty(fields.get("moe_intermediate_size")) if is_count(one)]


def moe_layers(fields: Mapping[str, Any], kinds: tuple[LayerKind, ...], *, where: str) -> frozenset[int]:
    """Return the layers with experts: all, except the first ones or those in between in some models."""
    layers = len(kinds)
    if "moe" in kinds or "mlp" in kinds:
        return frozenset(index for index, kind in enumerate(kinds) if kind == "moe")
    return _marked(fields, layers, where)


def _marked(fields: Mapping[str, Any], layers: int, where: str) -> frozenset[int]:
    everywhere = range(layers)
    if words := list_or_empty(fields.get("mlp_layer_types")):
        return frozenset(index for index in everywhere if index < len(words) and "dense" not in str(words[index]))
    for key in ("moe_layers", "moe_layer_indices"):
        if numbers := list_or_empty(fields.get(key)):
            return frozenset(number for number in numbers if isinstance(number, int))
    listed = fields.get("moe_layers_enum")
    if isinstance(listed, str) and listed:
        return frozenset(int(number) for number in listed.split(",") if number.strip().isdigit())
    for key in ("moe_layer_freq", "is_moe_layer", "moe_layer_pattern"):
        marks = fields.get(key)
        if is_list(marks) and marks:
            if len(marks) < layers:
                raise WrongQuestion(f"{where}: config.json has a {key} for {len(marks)} of {layers} layers")
            return frozenset(index for index in everywhere if marks[index])
    return frozenset(index for index in everywhere if _has_experts(fields, index, layers))


def _has_experts(fields: Mapping[str, Any], index: int, layers: int) -> bool:
    if period := count(fields, "expert_layer_period"):
        return index % period == int(fields.get("expert_layer_offset") or 0)
    first_dense = count(fields, "first_k_dense_replace")
    last = fields.get("moe_layer_end_index")
    if isinstance(last, int) and last >= 0 and index > last:
        return False
    dense_only = list_or_empty(fields.get("mlp_only_layers"))
    frequency = count(fields, "moe_layer_freq", "moe_layer_interval") or 1
    step = count(fields, "decoder_sparse_step", "interleave_moe_layer_step", "moe_every_n_layer") or 1
    sparse = (index + 1) % step == 0 if step > 1 else index % frequency == 0
    if count(fields, "moe_layer_interval"):
        sparse = (index + 1) % frequency == 0
    return index >= first_dense and sparse and index not in dense_only
