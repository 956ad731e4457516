"""Checks options of a model's endpoint, like `config.values.rules`."""

import re
from typing import Any

from vllm_eks.planner import bounds
from vllm_eks.planner.engine.mm_limits import MODALITIES
from vllm_eks.planner.engine.rope_scaling import LISTS, NEEDED, PARAMETERS, parse_rope_scaling

ADAPTER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
PARSER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
SERVED_NAME = re.compile(r"[A-Za-z0-9][\w.:/@-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,199}")
DATE_FROM_PULUMI = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}")
"""A date without quotes after Pulumi has parsed it."""
ADAPTER_PLACE = re.compile(r"[\w.-]+/[\w.-]+")


def parser_name(value: str) -> str:
    """Accept a valid parser name. `config.cross_field.versions` checks whether the version has it."""
    if not PARSER_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a valid parser name: use one such as hermes, or auto")
    return value


def mm_schema() -> dict[str, Any]:
    """Return the JSON Schema of each modality, as planner.engine.mm_limits accepts it."""
    count = {"type": "integer", "minimum": 0, "maximum": bounds.MOST_ITEMS}
    return {
        modality: {
            "type": ["integer", "object"],
            "minimum": 0,
            "maximum": bounds.MOST_ITEMS,
            "additionalProperties": False,
            "properties": {"count": count} | {size: {"type": "integer", "minimum": 1} for size in sizes},
        }
        for modality, sizes in MODALITIES.items()
    }


def rope_scaling(value: dict[str, Any]) -> dict[str, Any]:
    """Accept a rope scaling with vLLM's names, with `rope_type` or its old name `type`."""
    parse_rope_scaling(value)
    return value


def rope_schema() -> dict[str, Any]:
    """Return the JSON Schema of each parameter, as `rope_scaling` accepts it."""
    number = {"type": "number", "exclusiveMinimum": 0}
    parameters = {name: {"type": "array", "items": number} if name in LISTS else number for name in PARAMETERS}
    return {"rope_type": {"enum": list(NEEDED)}, "type": {"enum": list(NEEDED)}, **parameters}


def served_names(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept other names that clients may send, such as a Hugging Face ID."""
    for index, name in enumerate(value):
        if not SERVED_NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a valid model name: use letters, digits and ._:/@-, such as gpt-4o or org/model"
            )
        if name in value[:index]:
            raise ValueError(f"{name!r} is listed twice: remove one")
    return value


def revision(value: str) -> str:
    """Accept a commit, a branch or a tag: any revision that the Hub accepts."""
    if DATE_FROM_PULUMI.match(value):
        raise ValueError(f"{value!r} is a date: set the full commit hash (40 digits)")
    if not REVISION.fullmatch(value) or ".." in value:
        raise ValueError(f"{value!r} is not a revision: set the full commit hash (40 digits)")
    if SHORT_COMMIT.fullmatch(value) and not value.isdecimal():
        raise ValueError(
            f"{value!r} is a shortened commit hash, which the Hub does not accept: set the full hash (40 digits)"
        )
    return value


def lora_modules(value: dict[str, str]) -> dict[str, str]:
    """Accept LoRA adapters: the name that clients send, and a Hugging Face ID."""
    for name, place in value.items():
        if not ADAPTER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a valid adapter name: use letters, digits, ., _ and -")
        if not ADAPTER_PLACE.fullmatch(place):
            raise ValueError(f"{name}: {place!r} is not a Hugging Face ID: use organization/name")
    return value
