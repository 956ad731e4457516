"""A rope scaling that replaces the one in a model's config.json, as vLLM applies it.

Source: config/model.py (_apply_dict_overrides) of 0.21.0, 0.27.0 and 0.32.0: --hf-overrides replaces all rope
parameters of a text model, but is merged into those of a `text_config`. rope_scaling became rope_parameters with
transformers 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vllm_eks.errors import closest_name
from vllm_eks.json_values import is_list, is_object, object_or_empty
from vllm_eks.planner.vllm_version import Version

ROPE_PARAMETERS: Version = (0, 12, 0)
"""vLLM reads rope_parameters since this version, and rope_scaling before it (general knowledge)."""
YARN_KEEPS_LENGTH: Version = (0, 30, 0)
"""Since this version YaRN no longer lengthens the context by itself: the config's own length counts."""
NEEDED: Mapping[str, tuple[str, ...]] = {
    "linear": ("factor",),
    "dynamic": ("factor",),
    "yarn": ("factor", "original_max_position_embeddings"),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"),
    "longrope": ("short_factor", "long_factor", "original_max_position_embeddings"),
}
"""Kind of scaling -> the parameters that it needs (rotary_embedding/__init__.py, get_rope)."""
LISTS = ("short_factor", "long_factor")
OTHERS = ("rope_theta", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim")
PARAMETERS = (*dict.fromkeys(name for names in NEEDED.values() for name in names), *OTHERS)


@dataclass(frozen=True, kw_only=True)
class RopeScaling:
    """The scaling that a stack asks for."""

    kind: str
    parameters: tuple[tuple[str, float | tuple[float, ...]], ...]
    """Its parameters by vLLM's names, without the kind."""

    @property
    def by_name(self) -> dict[str, Any]:
        """The parameters with the kind, as a config.json has them."""
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in self.parameters}
        return {"rope_type": self.kind, **values}

    @property
    def stretched_tokens(self) -> int | None:
        """The context that YaRN stretches to, or None for another kind."""
        values = dict(self.parameters)
        original, factor = values.get("original_max_position_embeddings"), values.get("factor")
        if self.kind != "yarn" or not isinstance(original, int) or not isinstance(factor, int | float):
            return None
        return round(original * factor)


def parse_rope_scaling(given: Mapping[str, object]) -> RopeScaling:
    """Return the scaling in a stack's `ropeScaling`.

    Raises:
        ValueError: A parameter is unknown, missing or not a number. The message has a fix.
    """
    kind = given.get("rope_type", given.get("type"))
    values = {name: value for name, value in given.items() if name not in ("rope_type", "type")}
    for name in values:
        if name not in PARAMETERS:
            near = closest_name(name, ("rope_type", *PARAMETERS))
            advice = f"did you mean {near}?" if near else "remove it"
            raise ValueError(f"{name!r} is not a parameter of rope scaling: {advice}")
    if kind is None:
        raise ValueError(f"rope_type is missing: set one of {', '.join(NEEDED)}")
    if not isinstance(kind, str) or kind not in NEEDED:
        raise ValueError(f"rope_type {kind!r} is not one of {', '.join(NEEDED)}")
    missing = [name for name in NEEDED[kind] if name not in values]
    if missing:
        raise ValueError(f"{kind} needs {', '.join(missing)}: copy them from the model's documentation")
    return RopeScaling(kind=kind, parameters=tuple((name, _number(name, value)) for name, value in values.items()))


def _number(name: str, value: object) -> float | tuple[float, ...]:
    if name in LISTS:
        if not is_list(value) or not value:
            raise ValueError(f"{name} is not a list of numbers: copy it from the model's documentation")
        return tuple(_positive(name, one) for one in value)
    if name == "original_max_position_embeddings" and (not isinstance(value, int) or isinstance(value, bool)):
        raise ValueError(f"{name} {value!r} is not a whole number of tokens")
    return _positive(name, value)


def _positive(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise ValueError(f"{name} {value!r} is not a number above 0")
    return value


def has_own_rope(config: Mapping[str, Any]) -> bool:
    """Return whether vLLM keeps the parameters that the scaling omits, because the decoder has its own section."""
    return is_object(config.get("text_config"))


def hf_overrides(scaling: RopeScaling, config: Mapping[str, Any], version: Version) -> dict[str, Any]:
    """Return --hf-overrides with which this version serves the model with the scaling.

    Args:
        scaling: The scaling.
        config: The model's config.json.
        version: The vLLM version.
    """
    parameters = scaling.by_name
    if version < ROPE_PARAMETERS:
        parameters.pop("rope_theta", None)
        changed: dict[str, Any] = {"rope_scaling": parameters}
    else:
        changed = {"rope_parameters": _known_theta(config) | parameters}
    if scaling.stretched_tokens and version >= YARN_KEEPS_LENGTH:
        changed["max_position_embeddings"] = scaling.stretched_tokens
    return {"text_config": changed} if has_own_rope(config) else changed


def lacks_theta(scaling: RopeScaling, config: Mapping[str, Any], version: Version) -> bool:
    """Return whether vLLM would lose the model's rope_theta, because neither the scaling nor the facts have it."""
    replaced = version >= ROPE_PARAMETERS and not has_own_rope(config)
    return replaced and "rope_theta" not in dict(scaling.parameters) and not _known_theta(config)


def _known_theta(config: Mapping[str, Any]) -> dict[str, Any]:
    theta = config.get("rope_theta", object_or_empty(config.get("rope_parameters")).get("rope_theta"))
    return {"rope_theta": theta} if isinstance(theta, int | float) else {}


def with_scaling(scaling: RopeScaling, config: Mapping[str, Any], version: Version) -> dict[str, Any]:
    """Return the config.json as vLLM has it after --hf-overrides."""
    changed = hf_overrides(scaling, config, version)
    nested = object_or_empty(changed.get("text_config"))
    if nested:
        return {**config, "text_config": _changed(object_or_empty(config.get("text_config")), nested)}
    return {key: value for key, value in config.items() if key != "rope_scaling"} | changed


def _changed(text: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section with its rope parameters merged, as vLLM does for sections."""
    kept = {key: value for key, value in text.items() if key != "rope_scaling"}
    old = object_or_empty(text.get("rope_parameters"))
    merged = {key: {**old, **value} if key == "rope_parameters" else value for key, value in changes.items()}
    return kept | merged
