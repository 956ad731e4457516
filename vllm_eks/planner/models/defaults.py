"""The values that transformers uses for fields that a published config.json omits (Gemma 3 omits its attention
heads)."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from vllm_eks.data import DATA
from vllm_eks.json_files import read_json_object
from vllm_eks.json_values import is_object, object_or_empty
from vllm_eks.planner.models.from_fields.words import ALIASES, INNER_SECTIONS

TABLE = DATA / "transformers_defaults.json"
"""Defaults by model_type, and the model_type of sections (tools/transformers_defaults.py)."""

SAME_FIELD = {name: (ours, *others) for ours, others in ALIASES.items() for name in (ours, *others)}
"""Each name of a field -> all of its names."""

TIE = "tie_word_embeddings"
"""The outer config's setting has priority over the decoder's default."""


@cache
def _table() -> Mapping[str, Any]:
    return read_json_object(TABLE)


def fill_defaults(config: Mapping[str, Any], model_type: str = "") -> dict[str, Any]:
    """Return a config.json with the fields that transformers fills in, in all its sections.

    A field in the file stays as it is, under any of its names, even if it is null.

    Args:
        config: The document, or one of its sections.
        model_type: The kind of the section where it does not name one.
    """
    kind = str(config.get("model_type") or model_type)
    sections = object_or_empty(_table()["sections"].get(kind))
    inner = (name for part in INNER_SECTIONS for name in object_or_empty(config.get(part)))
    stated = {other for name in (*config, *inner) for other in SAME_FIELD.get(name, (name,))}
    defaults = object_or_empty(_table()["model_types"].get(kind))
    filled: dict[str, Any] = {**{key: value for key, value in defaults.items() if key not in stated}, **config}
    for name, value in config.items():
        if is_object(value) and (name in sections or name.endswith("_config")):
            section = fill_defaults(value, str(sections.get(name) or ""))
            if TIE in filled and TIE not in value:
                section.pop(TIE, None)
            filled[name] = section
    return filled
