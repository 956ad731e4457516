"""Speculative decoding: what --speculative-config means for memory, and the draft model that it names.

Source: vllm/config/speculative.py of 0.21.0, 0.27.0 and 0.32.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from vllm_eks.planner.models.known_models import ModelFacts, find_model
from vllm_eks.planner.models.unknown_model import UnknownModel

NGRAMS = ("ngram", "ngram_gpu")
WITHOUT_WEIGHTS = frozenset({*NGRAMS, "suffix"})
"""Methods that draft from the text alone."""
WITHOUT_CACHE = frozenset({"medusa", "mlp_speculator"})
"""Methods whose heads keep no KV cache."""
HEADS = frozenset({"eagle", "eagle3", "dflash", "dspark", *WITHOUT_CACHE})
"""Methods whose drafter is a small head on the model, which can be estimated from the model."""
NOT_COUNTED = frozenset({"custom_class", "extract_hidden_states"})
"""Methods whose memory depends on the user's own code, or that have another purpose."""
METHODS = frozenset({"mtp", "draft_model"}) | WITHOUT_WEIGHTS | HEADS | NOT_COUNTED
SUFFIX_TREE_DEPTH = 24
"""suffix_decoding_max_tree_depth, the default number of tokens of the method suffix."""
NAMED_METHODS = {"eagle-": "eagle", "eagle3": "eagle3", "dflash": "dflash", "dspark": "dspark", "medusa": "medusa"}
"""The methods that vLLM recognizes in a draft model's name, in its order."""


@dataclass(frozen=True, kw_only=True)
class Speculation:
    """How vLLM drafts tokens."""

    method: str
    tokens: int
    """Drafted tokens per step."""
    model: str | None = None
    """The draft model or head, or None for the layers of the model's own checkpoint."""
    draft: ModelFacts | None = None
    """The facts of `model`, if it is locked."""
    draft_tensor_parallel_size: int | None = None
    """None means that of the model."""
    any_vocabulary: bool = False
    """use_heterogeneous_vocab: the draft model may have another vocabulary."""

    @property
    def has_weights(self) -> bool:
        """Whether anything is loaded in addition to the model."""
        return self.method not in WITHOUT_WEIGHTS

    @property
    def is_estimated(self) -> bool:
        """Whether the head's size is an estimate from the model's own layers."""
        return self.method in HEADS and self.draft is None


def parse_speculation(given: Mapping[str, object]) -> Speculation:
    """Return the settings in the keys of --speculative-config.

    Raises:
        ValueError: vLLM would refuse them, or the draft's memory is unknown. The message has a fix.
    """
    config = {key.replace("-", "_"): value for key, value in given.items() if value is not None}
    model = config.get("model")
    if model is not None and not isinstance(model, str):
        raise ValueError("model is not text: write the draft model's id")
    method = _method(config.get("method"), model)
    if method in NOT_COUNTED:
        raise ValueError(f"the memory of method {method} is not in the plan: use another method, or remove it")
    if method in WITHOUT_WEIGHTS or method == "mtp":
        model = None if method in WITHOUT_WEIGHTS else model
    elif model is None:
        raise ValueError(f"method {method} has no model: add model, the id of the draft model")
    _check_together(config, method)
    draft = _facts(model)
    if method == "draft_model" and draft is None:
        raise ValueError(f"the draft model {model} is not locked, so its memory is unknown: run vllm-eks lock {model}")
    return Speculation(
        method=method,
        tokens=_tokens(config, method, draft),
        model=model,
        draft=draft,
        draft_tensor_parallel_size=_count(config, "draft_tensor_parallel_size"),
        any_vocabulary=bool(config.get("use_heterogeneous_vocab")),
    )


def _check_together(config: Mapping[str, object], method: str) -> None:
    """Check rules between keys: SpeculativeConfig.__post_init__ and _verify_args.

    Raises:
        ValueError: vLLM would refuse the keys together.
    """
    if "tensor_parallel_size" in config:
        raise ValueError("tensor_parallel_size is not for a drafter: use draft_tensor_parallel_size")
    least, most = _count(config, "prompt_lookup_min"), _count(config, "prompt_lookup_max")
    if method in NGRAMS and least and most and least > most:
        raise ValueError(f"prompt_lookup_min {least} is above prompt_lookup_max {most}: lower it")
    synthetic = [key for key in ("synthetic_acceptance_rates", "synthetic_acceptance_length") if key in config]
    if synthetic and config.get("rejection_sample_method") != "synthetic":
        raise ValueError(f'{synthetic[0]} needs "rejection_sample_method": "synthetic": add it, or remove the key')
    if config.get("use_heterogeneous_vocab") and method != "draft_model":
        raise ValueError(f"use_heterogeneous_vocab is only for draft models, and the method is {method}: remove it")


def _method(given: object, model: str | None) -> str:
    if isinstance(given, str):
        method = "ngram" if given == "[ngram]" else "mtp" if given.endswith("_mtp") else given
        if method not in METHODS:
            raise ValueError(f"{given!r} is not a method: write one of {', '.join(sorted(METHODS - NOT_COUNTED))}")
        if method != "draft_model" or model is None:
            return method
    elif given is not None:
        raise ValueError("method is not text: write for example ngram, eagle3 or mtp")
    if model in ("ngram", "[ngram]"):
        return "ngram"
    # A draft model's name determines the method if none is given (and overrides draft_model).
    return next((method for part, method in NAMED_METHODS.items() if part in (model or "").lower()), "draft_model")


def _facts(model: str | None) -> ModelFacts | None:
    try:
        return find_model(model) if model else None
    except UnknownModel:
        return None


def _tokens(config: Mapping[str, object], method: str, draft: ModelFacts | None) -> int:
    tokens = _count(config, "num_speculative_tokens")
    if tokens is not None:
        return tokens
    if method == "suffix":
        return _count(config, "suffix_decoding_max_tree_depth") or SUFFIX_TREE_DEPTH
    if draft and draft.architecture.draft_layers:
        return draft.architecture.draft_layers
    raise ValueError("num_speculative_tokens is missing: add it, for example 3")


def _count(config: Mapping[str, object], key: str) -> int | None:
    value = config.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{key} {value!r} is not a whole number of 1 or more")
    return value
