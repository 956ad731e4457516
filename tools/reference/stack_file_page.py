"""`docs/reference/stack-file.md`: all keys of a stack file, from config/."""

import json
from collections.abc import Iterator
from typing import Any

from config.cross_field.limits import DEFAULT_NODE_GROUPS, MAX_NODE_GROUPS, MAX_TAGS, OWN_TAGS
from config.settings.base import ABSENT
from config.stack_keys import PROVIDER_KEYS, SECRET_KEYS, SECTION_KEYS
from config.values.endpoint_rules import MAX_SOURCE_RANGES
from config.values.network_rules import MAX_PUBLIC_CIDRS
from tools.reference.markdown import page, table
from tools.reference.settings_schema import Schema
from tools.reference.stack_schema import section_schema
from vllm_eks.planner.bounds import MOST_REPLICAS
from vllm_eks.stack_files.read import MAX_BYTES
from vllm_eks.stack_files.yaml_builder import MAX_LEVELS, MAX_VALUES

COLUMNS = ("key", "value", "default", "example", "meaning")
LIMITS = (
    (
        "size of the file",
        f"{MAX_BYTES // 1024} KiB, {MAX_LEVELS} levels, {MAX_VALUES:,} values with aliases followed",
    ),
    ("replicas of a model", f"{MOST_REPLICAS:,}"),
    ("ranges in `publicAccessCidrs`", f"{MAX_PUBLIC_CIDRS} (EKS)"),
    ("ranges in `endpoint.sourceRanges`", f"{MAX_SOURCE_RANGES} (rules of a security group)"),
    (
        "tags on a resource",
        f"{MAX_TAGS} (AWS): the stack's own, those of `aws:defaultTags`, and {len(OWN_TAGS)} that vllm-eks sets",
    ),
    (
        "GPU node groups in a stack",
        f"{MAX_NODE_GROUPS}; EKS allows {DEFAULT_NODE_GROUPS} by default, and `pulumi preview` checks the quota",
    ),
)
OBJECTS_OF_VLLM = ("limitMmPerPrompt", "ropeScaling")
"""Keys whose value is an object with vLLM's own names, so that its parts are no keys of the stack file."""
SIMPLE_KINDS = {"boolean": "`true` or `false`", "string": "text", "number": "number", "integer": "whole number"}


def stack_file_page() -> str:
    """Return the page."""
    schemas = {section.name: section_schema(section) for section in SECTION_KEYS}
    charts = schemas["charts"]["properties"]["leaderWorkerSet"]
    keys = {
        "network": _keys(schemas["network"]),
        "cluster": _keys(schemas["cluster"]),
        "models": _keys(schemas["models"]["additionalProperties"]),
        "charts": _keys(charts),
        "images": _keys(schemas["images"]),
        "iam": _keys(schemas["iam"]),
        "observability": _keys(schemas["observability"]),
        "endpoint": _keys(schemas["endpoint"]),
        "clients": _keys(schemas["clients"]["additionalProperties"]),
    }
    described = ("models", "tags", "charts", "images", "iam", "observability", "endpoint", "clients")
    return page(
        "stack-file.md",
        {
            "chart_names": ", ".join(f"`{name}`" for name in schemas["charts"]["properties"]),
            "limits": table(("limit", "value"), LIMITS),
            "provider": table(
                ("key", "default", "example", "meaning"),
                [(f"`{key.name}`", key.absent, f"`{in_yaml(key.example)}`", key.description) for key in PROVIDER_KEYS],
            ),
            "secrets": table(
                ("key", "default", "example", "meaning"),
                [
                    (
                        f"`vllm-eks:{key.name}`",
                        key.absent,
                        f"`pulumi config set --secret {f'--path {key.name}.team-a' if key.is_map else key.name}`",
                        key.description,
                    )
                    for key in SECRET_KEYS
                ],
            ),
        }
        | {name: table(COLUMNS, list(rows)) for name, rows in keys.items()}
        | {f"{name}_description": schemas[name]["description"] for name in described},
    )


def in_yaml(value: object) -> str:
    """Return a value in the syntax of a stack file, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {in_yaml(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(in_yaml, value))}]"
    if isinstance(value, str):
        # In YAML, an unquoted version is a number, and a comma ends a word in a flow list.
        return f'"{value}"' if value[:1].isdigit() and value.count(".") < 3 and "/" not in value else value
    return json.dumps(value)


def _keys(schema: Schema, above: str = "") -> Iterator[tuple[str, ...]]:
    """Yield a row for each key of a section and of its nested sections."""
    required = schema.get("required", ())
    for name, key in schema["properties"].items():
        default = "required" if name in required else _default(key)
        # Pydantic sorts the keys of an example.
        yield f"`{above}{name}`", _value(key), default, f"`{in_yaml(key['examples'][0])}`", key["description"]
        if "properties" in key and name not in OBJECTS_OF_VLLM:
            yield from _keys(key, f"{above}{name}.")


def _default(key: Schema) -> str:
    if ABSENT in key:
        return str(key[ABSENT])
    return f"`{in_yaml(key['default'])}`" if "default" in key else "none"


def _value(key: Schema) -> str:
    """Return the kind of value that a key needs, with its bounds."""
    if "enum" in key:
        return " or ".join(f"`{in_yaml(one)}`" for one in key["enum"])
    kinds: Any = key.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[0]
    if kind == "array":
        least = f", {key['minItems']} or more" if "minItems" in key else ""
        return f"list of {_value(key['items'])}{least}"
    if kind == "object":
        inner = key.get("additionalProperties")
        section = "section" if "properties" in key else f"map to {_value(inner) if inner else 'text'}"
        return f"{section}, or text" if kinds == ["object", "string"] else section
    return f"{SIMPLE_KINDS[kind]}{_bounds(key)}"


def _bounds(key: Schema) -> str:
    if "maximum" in key:
        return f", {key['minimum']:,} to {key['maximum']:,}"
    return f", {key['minimum']:,} or more" if "minimum" in key else ""
