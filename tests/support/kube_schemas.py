"""JSON schemas for kubeconform, from an API server's own description, including custom resources."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SCHEMA_PATH = "{{.ResourceKind}}{{.KindSuffix}}.json"
"""The file names that kubeconform expects: the suffix is the group's first word, if any, and the version."""


def write_schemas(openapi: dict[str, Any], folder: Path, kinds: set[str]) -> None:
    """Write the schema of each version of the kinds to the folder, as SCHEMA_PATH names them."""
    definitions = openapi["definitions"]
    for definition in definitions.values():
        forbid_unknown_fields(definition)
    # The API server also accepts numbers where it writes quantities as strings.
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": ["string", "number"]}
    for name, definition in definitions.items():
        for known in definition.get("x-kubernetes-group-version-kind", []):
            if known["kind"] in kinds:
                words = (known["kind"].lower(), known["group"].partition(".")[0], known["version"])
                path = "-".join(filter(None, words)) + ".json"
                needed = {found: definitions[found] for found in {name, *needs(definitions, name)}}
                schema = {"$ref": f"#/definitions/{name}", "definitions": needed}
                (folder / path).write_text(json.dumps(schema))


def forbid_unknown_fields(schema: Any) -> None:
    """Make a schema as strict as `kubectl apply --validate=strict`, with int-or-string in JSON Schema."""
    if isinstance(schema, list):
        for item in schema:
            forbid_unknown_fields(item)
    if not isinstance(schema, dict):
        return
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string") is True:
        schema.pop("format", None)
        schema["type"] = ["integer", "string"]
    open_ended = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields") is True
    if isinstance(schema.get("properties"), dict) and not open_ended:
        schema["additionalProperties"] = False
    for value in schema.values():
        forbid_unknown_fields(value)


def needs(definitions: dict[str, Any], name: str) -> set[str]:
    """Return the names of all definitions that one refers to, directly or indirectly."""
    found: set[str] = set()
    open_names = [name]
    while open_names:
        for reference in references(definitions[open_names.pop()]):
            if reference not in found:
                found.add(reference)
                open_names.append(reference)
    return found


def references(schema: Any) -> Iterator[str]:
    """Yield the names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from references(item)
