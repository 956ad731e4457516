"""What the options of a model's endpoint may look like; as in `config.values.rules`."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from vllm_eks.errors import closest_name
from vllm_eks.json_values import is_object
from vllm_eks.planner import bounds

ADAPTER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
PARSER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
MODALITIES: Mapping[str, tuple[str, ...]] = {
    "image": ("width", "height"),
    "video": ("num_frames", "width", "height"),
    "audio": ("length",),
    "vision_chunk": (),
}
"""Modality -> the sizes that vLLM takes beside count (vllm/config/multimodal.py); vision_chunk is Kimi K2.5's."""
SERVED_NAME = re.compile(r"[A-Za-z0-9][\w.:/@-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,199}")
DATE_OF_PULUMI = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}")
"""What Pulumi makes of a date without quotes."""
ADAPTER_PLACE = re.compile(r"[\w.-]+/[\w.-]+")


def parser_name(value: str) -> str:
    """Accept what may be a parser's name; the version decides which exist (`config.cross_field.versions`)."""
    if not PARSER_NAME.fullmatch(value):
        raise ValueError(f"{value!r} is not a parser's name: write one such as hermes, or auto")
    return value


def mm_limits(value: dict[str, Any]) -> dict[str, Any]:
    """Accept the most items of each modality in a request: a number, or vLLM's own object with count and sizes."""
    for modality, limit in value.items():
        if modality not in MODALITIES:
            near = closest_name(modality, MODALITIES)
            advice = f"did you mean {near}?" if near else f"write one of {', '.join(MODALITIES)}"
            raise ValueError(f"{modality!r} is not a modality of vLLM: {advice}")
        sizes = limit if is_object(limit) else {"count": limit}
        if "count" not in sizes:
            raise ValueError(f"{modality}: count is missing: give the most of them in a request")
        for name, size in sizes.items():
            known = ("count", *MODALITIES[modality])
            if name not in known:
                raise ValueError(f"{modality}: {name!r} is not one of its sizes: write {', '.join(known)}")
            least = 0 if name == "count" else 1
            if isinstance(size, bool) or not isinstance(size, int) or size < least:
                where = modality if sizes is not limit else f"{modality}.{name}"
                raise ValueError(f"{where}: {size!r} is not a whole number of {least} or more")
            if name == "count" and size > bounds.MOST_ITEMS:
                most = bounds.MOST_ITEMS
                raise ValueError(f"{modality}: {size} is too large: no request has as many, so write {most} or less")
    return value


def mm_schema() -> dict[str, Any]:
    """Return the JSON Schema of each modality, as `mm_limits` accepts it."""
    count = {"type": "integer", "minimum": 0, "maximum": bounds.MOST_ITEMS}
    return {
        modality: {
            "type": ["integer", "object"],
            "minimum": 0,
            "maximum": bounds.MOST_ITEMS,
            "additionalProperties": False,
            "required": ["count"],
            "properties": {"count": count} | {size: {"type": "integer", "minimum": 1} for size in sizes},
        }
        for modality, sizes in MODALITIES.items()
    }


def mm_counts(limits: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Return the most items of each modality."""
    if limits is None:
        return None
    return {modality: limit["count"] if _is_sizes(limit) else limit for modality, limit in limits.items()}


def mm_sizes(limits: Mapping[str, Any] | None) -> dict[str, dict[str, int]] | None:
    """Return the sizes that vLLM holds memory back for, where some are given."""
    sizes = {
        modality: {name: size for name, size in limit.items() if name != "count"}
        for modality, limit in (limits or {}).items()
        if _is_sizes(limit) and len(limit) > 1
    }
    return sizes or None


def _is_sizes(limit: object) -> TypeGuard[dict[str, int]]:
    """Return whether a limit that `mm_limits` accepted has sizes beside its count."""
    return isinstance(limit, dict)


def served_names(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept further names that clients may send, such as a Hugging Face id."""
    for index, name in enumerate(value):
        if not SERVED_NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name for a model: use letters, digits and ._:/@-, as in gpt-4o or org/model"
            )
        if name in value[:index]:
            raise ValueError(f"{name!r} is listed twice: remove one")
    return value


def revision(value: str) -> str:
    """Accept a commit, or the name of a branch or a tag: what the Hub takes as a revision."""
    if DATE_OF_PULUMI.match(value):
        raise ValueError(f"{value!r} is a date: give the commit's full hash of 40 digits")
    if not REVISION.fullmatch(value) or ".." in value:
        raise ValueError(f"{value!r} is not a revision: give the commit's full hash of 40 digits")
    if SHORT_COMMIT.fullmatch(value) and not value.isdecimal():
        raise ValueError(
            f"{value!r} is a shortened commit, which the Hub does not take: give its full hash of 40 digits"
        )
    return value


def lora_modules(value: dict[str, str]) -> dict[str, str]:
    """Accept adapters: the name clients ask for, and a Hugging Face id."""
    for name, place in value.items():
        if not ADAPTER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for an adapter: use letters, digits, ., _ and -")
        if not ADAPTER_PLACE.fullmatch(place):
            raise ValueError(f"{name}: {place!r} is not a Hugging Face id: write organization/name")
    return value
