"""What vLLM's config classes accept for the values of flags: names, bounds, and the keys and kinds of JSON objects.

The parser accepts more than these classes do, so that vLLM ends with an error only after it has loaded. Used by
tests/flag_tables/make_table.py.
"""

import ast
import dataclasses
import enum
import importlib
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

SAMPLES: dict[str, tuple[Any, ...]] = {
    "boolean": (True, False),
    "integer": (2, 3, 4),
    "number": (0.7,),
    "text": ("x",),
    "list": ([],),
    "object": ({},),
    "null": (None,),
}
"""Kind of JSON value -> samples. One that is accepted is enough."""
CONTAINERS = {list: "list", tuple: "list", set: "list", dict: "object"}
FURTHER_NAMES = ("auto", "none", "None")
"""Words that a class may accept beside the members of an enum."""
BOUNDS = {"ge": "least", "le": "most", "gt": "above", "lt": "below"}
REGISTRIES = {
    "--tokenizer-mode": ("vllm.tokenizers.registry", "_VLLM_TOKENIZERS"),
    "--config-format": ("vllm.transformers_utils.config", "_CONFIG_FORMAT_TO_CONFIG_PARSER"),
    "--load-format": ("vllm.model_executor.model_loader", "_LOAD_FORMAT_TO_MODEL_LOADER"),
    "--quantization": ("vllm.model_executor.layers.quantization", "QUANTIZATION_METHODS"),
}
"""Flags of any text, for which vLLM finds nothing unless it is in a table of its own, or a plugin's."""
INTERNAL = ("target_model_config", "target_parallel_config", "draft_model_config", "draft_parallel_config")
"""Fields of SpeculativeConfig that vLLM sets by itself."""


def value_limits() -> dict[str, dict[str, Any]]:
    """Return properties of the values of each flag, by main spelling: names, bounds, values (of keys)."""
    found: dict[str, dict[str, Any]] = {}
    for flag, holder, name in _flag_fields():
        field = next((one for one in dataclasses.fields(holder) if one.name == name), None)
        if field is None:
            continue
        row = _bounds(field) | _names(flag, holder, field)
        nested = next((one for one in _parts(field.type) if dataclasses.is_dataclass(one)), None)
        if nested:
            row["values"] = _values(nested)
        if flag == "--speculative-config" and 'k.replace("-", "_"): v for k, v' in _source():
            row["folds_keys"] = True
        found[flag] = row
    return found


def _source() -> str:
    return Path(importlib.import_module("vllm.engine.arg_utils").__file__ or "").read_text()


def _flag_fields() -> Iterator[tuple[str, Any, str]]:
    """Yield each flag with the config class and the field that it sets, from the calls that make the parser."""
    arg_utils, tree = importlib.import_module("vllm.engine.arg_utils"), ast.parse(_source())
    classes = {
        ast.unparse(node.targets[0]): ast.unparse(node.value.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "get_kwargs"
    }
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        if node.func.attr != "add_argument":
            continue
        spellings = [one.value for one in node.args if isinstance(one, ast.Constant)]
        flag = next((one for one in spellings if isinstance(one, str) and one.startswith("--")), None)
        used = [
            part for keyword in node.keywords for part in ast.walk(keyword.value) if isinstance(part, ast.Subscript)
        ]
        for part in used:
            holder = classes.get(ast.unparse(part.value))
            if flag and holder and isinstance(part.slice, ast.Constant):
                yield flag, getattr(arg_utils, holder), str(part.slice.value)
                break


def _parts(hint: Any) -> Iterator[Any]:
    """Yield the members of a union."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        for one in typing.get_args(hint):
            yield from _parts(one)
    elif origin is typing.Annotated or type(hint).__name__ == "_SkipValidation":
        yield from _parts(typing.get_args(hint)[0])
    else:
        yield hint


def _bounds(field: Any) -> dict[str, Any]:
    metadata = field.default.metadata if isinstance(field.default, FieldInfo) else ()
    return {
        word: getattr(one, name)
        for one in metadata
        for name, word in BOUNDS.items()
        if getattr(one, name, None) is not None
    }


def _names(flag: str, holder: Any, field: Any) -> dict[str, Any]:
    """Return the names that a text may be, if vLLM has a list of them."""
    if flag in REGISTRIES:
        module, name = REGISTRIES[flag]
        registered = getattr(importlib.import_module(module), name)
        return {"names": sorted({*registered, *map(str, _literals(field))})}
    if not any(map(_is_enum, _parts(field.type))):
        return {}
    names = [str(name) for name in _choices(holder, field)]
    folds = all(_accepts(holder, field, name.swapcase()) for name in names)
    return {"names": names} | ({"folds_names": True} if folds else {})


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)


def _literals(field: Any) -> list[Any]:
    hints = _parts(field.type)
    return [value for one in hints if typing.get_origin(one) is typing.Literal for value in typing.get_args(one)]


def _choices(holder: Any, field: Any) -> list[Any]:
    """Return the texts and numbers that a field accepts, or none if it accepts any."""
    enums = [one for one in _parts(field.type) if _is_enum(one)]
    names = [name for one in enums for name in (*one.__members__, *(member.value for member in one))]
    plain = [one for one in (*_literals(field), *names, *FURTHER_NAMES) if isinstance(one, str | int)]
    accepted = [one for one in dict.fromkeys(plain) if not isinstance(one, bool) and _accepts(holder, field, one)]
    return sorted(accepted, key=str)


def _values(holder: Any) -> dict[str, dict[str, Any]]:
    """Return the kinds, names and bounds of each key of a JSON object."""
    return {
        field.name: _value(holder, field)
        for field in dataclasses.fields(holder)
        if field.init and field.name not in INTERNAL
    }


def _value(holder: Any, field: Any) -> dict[str, Any]:
    hints = list(_parts(field.type))
    kinds = {kind for kind, samples in SAMPLES.items() if any(_accepts(holder, field, one) for one in samples)}
    kinds |= {CONTAINERS[origin] for one in hints if (origin := typing.get_origin(one) or one) in CONTAINERS}
    row: dict[str, Any] = _bounds(field)
    is_named = bool(_literals(field)) or any(map(_is_enum, hints))
    if is_named and "text" not in kinds and (choices := _choices(holder, field)):
        row["choices"] = choices
        kinds |= {"text" if isinstance(one, str) else "integer" for one in choices}
    nested = next((one for one in hints if dataclasses.is_dataclass(one)), None)
    if nested:
        row["values"] = _values(nested)
        kinds.add("object")
    if "integer" in kinds:
        kinds.discard("boolean")  # pydantic takes true for 1
    if "number" in kinds:
        kinds.discard("integer")
    return (
        row
        if kinds >= set(SAMPLES) - {"boolean", "integer"} and "number" in kinds
        else {"kinds": [kind for kind in SAMPLES if kind in kinds]} | row
    )


def _accepts(holder: Any, field: Any, sample: object) -> bool:
    """Return whether a config class accepts a value for a field, leaving rules between fields aside."""
    try:
        TypeAdapter(holder).validate_json(json.dumps({field.name: sample}))
    except ValidationError as error:
        return all(one["loc"][:1] != (field.name,) for one in error.errors())
    except Exception:  # a rule between fields
        return True
    return True
