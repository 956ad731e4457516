"""The kind of each decoder layer, derived from the fields that describe hybrids and windows."""

from collections.abc import Mapping, Sequence
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object, list_or_empty, object_or_empty
from vllm_eks.planner.models.counts import count, is_count
from vllm_eks.planner.models.from_fields.names import UnknownMemory, is_attention_free
from vllm_eks.planner.models.mixers import LAYER_WORDS, LayerKind

PATTERN_LETTERS: Mapping[str, LayerKind] = {"M": "mamba", "*": "full", "-": "mlp", "E": "moe"}
"""Nemotron-H, hybrid_override_pattern."""
LAST_LAYER_IS_FULL = ("gemma4",)
"""Starts of the model_type of decoders whose last layer has full attention, whatever layer_types says
(transformers configuration_gemma4.py, "Forcing last layer to full_attention")."""
WORD_LISTS = ("layer_types", "layers_block_type", "block_types", "layer_block_types", "mixer_types")


def layer_kinds(fields: Mapping[str, Any], layers: int, *, where: str) -> tuple[LayerKind, ...]:
    """Return the kind of each layer.

    Raises:
        WrongQuestion: A list has another length, or a word that the planner does not know.
    """
    for key in WORD_LISTS:
        if words := list_or_empty(fields.get(key)):
            kinds = _of_words(words[:layers], key, layers, where)
            if str(fields.get("model_type")).startswith(LAST_LAYER_IS_FULL):
                kinds = (*kinds[:-1], "full")
            # Some files call every layer of a model with windows "attention".
            return kinds if set(kinds) != {"full"} or "types" in key else _windows(fields, kinds)
    found = _of_patterns(fields, layers, where)
    return _windows(fields, found)


def _of_words(words: Sequence[Any], key: str, layers: int, where: str) -> tuple[LayerKind, ...]:
    unknown = sorted({str(word) for word in words if str(word) not in LAYER_WORDS})
    if unknown:
        raise UnknownMemory(f"{where}: config.json has {key} {', '.join(unknown)}, which the planner does not know")
    return _checked(tuple(LAYER_WORDS[str(word)] for word in words), key, layers, where)


def _checked(kinds: tuple[LayerKind, ...], key: str, layers: int, where: str) -> tuple[LayerKind, ...]:
    if len(kinds) != layers:
        raise WrongQuestion(
            f"{where}: config.json has a {key} of {len(kinds)} layers, but num_hidden_layers is {layers}"
        )
    return kinds


def _of_patterns(fields: Mapping[str, Any], layers: int, where: str) -> tuple[LayerKind, ...]:
    """Return the kinds by the other ways to state them, with `full` for layers with any attention."""
    pattern = fields.get("hybrid_override_pattern")
    if isinstance(pattern, str) and pattern:
        letters = pattern.replace("|", "")
        if set(letters) - set(PATTERN_LETTERS):
            raise WrongQuestion(
                f"{where}: config.json has hybrid_override_pattern {pattern!r}: write only the letters M, *, - and E"
            )
        return _checked(tuple(PATTERN_LETTERS[letter] for letter in letters), "hybrid_override_pattern", layers, where)
    if is_list(marks := fields.get("attn_type_list")):
        return _checked(tuple("full" if mark else "linear" for mark in marks), "attn_type_list", layers, where)
    if is_list(marks := fields.get("hybrid_layer_pattern")):
        return _checked(tuple("window" if mark else "full" for mark in marks), "hybrid_layer_pattern", layers, where)
    delta = object_or_empty(fields.get("linear_attn_config"))
    if is_list(numbers := delta.get("kda_layers")):
        return tuple("linear" if index + 1 in numbers else "full" for index in range(layers))
    if is_list(indices := fields.get("full_attn_idxs")) and count(fields, "conv_L_cache"):
        return tuple("full" if index in indices else "conv" for index in range(layers))
    if period := count(fields, "attn_layer_period"):
        offset = int(fields.get("attn_layer_offset") or 0)
        return tuple("full" if index % period == offset else "mamba" for index in range(layers))
    if is_list(indices := fields.get("attn_layer_indices")):
        return tuple("full" if index in indices else "mamba" for index in range(layers))
    if (interval := count(fields, "full_attention_interval")) and count(fields, "linear_num_value_heads"):
        return tuple("full" if (index + 1) % interval == 0 else "linear" for index in range(layers))
    if (size := count(fields, "layer_group_size")) > 1:
        full_from = layers // size * size
        return tuple("full" if (index + 1) % size == 0 or index >= full_from else "linear" for index in range(layers))
    if count(fields, "mamba_d_ssm", "mamba_n_heads") and count(fields, "num_attention_heads"):
        return ("beside",) * layers
    if is_attention_free(fields):
        return ("mamba",) * layers
    return ("full",) * layers


def _windows(fields: Mapping[str, Any], kinds: tuple[LayerKind, ...]) -> tuple[LayerKind, ...]:
    """Return the kinds with `window` for the full layers that a sliding window bounds."""
    if not is_count(fields.get("sliding_window")) or fields.get("use_sliding_window") is False or "window" in kinds:
        return kinds
    slides = [_slides(fields, index) for index in range(len(kinds))]
    return tuple("window" if kind == "full" and slides[index] else kind for index, kind in enumerate(kinds))


def _slides(fields: Mapping[str, Any], index: int) -> bool:
    pattern = fields.get("sliding_window_pattern") or fields.get("_sliding_window_pattern")
    if isinstance(pattern, str) and pattern:
        return pattern[index % len(pattern)] == "L"
    step = pattern if is_count(pattern) else fields.get("global_attn_every_n_layers")
    if isinstance(step, int) and step > 0:
        return (index + 1) % step != 0
    if is_object(fields.get("interleaved_sliding_window")):
        return True
    return index >= count(fields, "max_window_layers") if "use_sliding_window" in fields else True
