"""The JSON Schema of one section, from its pydantic model: without references, as the stack file spells the keys."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]


def settings_schema(settings: type[BaseModel]) -> Schema:
    """Return the schema of a section. Its properties keep `x-absent`; nothing in it is null."""
    whole = settings.model_json_schema()
    return _plain(whole, whole.get("$defs", {}))


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """Return a schema with its references resolved, and without titles and alternatives that are null."""
    # In draft 7 a reference hides its siblings, so the definition comes first and the field's own words after it.
    merged: Schema = dict(schema)
    if reference := merged.pop("$ref", None):
        merged = {**definitions[reference.rpartition("/")[2]], **merged}
    elif kinds := merged.pop("anyOf", None):
        merged = {**merged, **_one_kind(kinds, definitions), **merged}
    merged = {key: value for key, value in merged.items() if key not in ("title", "$defs")}
    if merged.get("default", ...) is None or isinstance(merged.get("default"), (dict, list)):
        del merged["default"]
    if "properties" in merged:
        merged["properties"] = {name: _plain(one, definitions) for name, one in merged["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if isinstance(merged.get(keyword), dict):
            merged[keyword] = _plain(merged[keyword], definitions)
    return merged


def _one_kind(kinds: list[Schema], definitions: Mapping[str, Schema]) -> Schema:
    """Return what is left of alternatives without null; a section's own `anyOf` of required keys stays."""
    left = [kind for kind in kinds if kind.get("type") != "null"]
    return _plain(left[0], definitions) if len(left) == 1 else {"anyOf": left}
