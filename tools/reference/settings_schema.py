"""The JSON Schema of one section, from its pydantic model, without references and with the keys of the stack file."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]


def settings_schema(settings: type[BaseModel]) -> Schema:
    """Return the schema of a section. Its properties keep `x-absent`, and nothing in it is null."""
    whole = settings.model_json_schema()
    return _plain(whole, whole.get("$defs", {}))


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Schema]) -> Schema:
    """Return a schema with its references resolved, and without titles and null alternatives."""
    # In draft 7 a reference hides its siblings, so apply the definition first and then the field's own keywords.
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
    """Return the alternatives without null. A section's own `anyOf` of required keys is kept."""
    left = [kind for kind in kinds if kind.get("type") != "null"]
    return _plain(left[0], definitions) if len(left) == 1 else {"anyOf": left}
