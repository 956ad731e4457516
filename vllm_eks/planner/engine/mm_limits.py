"""--limit-mm-per-prompt: the maximum number of items of each modality in a request, and the sizes that vLLM profiles
with."""

import re
from collections.abc import Mapping
from typing import Any, TypeGuard

from vllm_eks.errors import closest_name
from vllm_eks.json_values import is_object, parse_json
from vllm_eks.planner import bounds

MODALITIES: Mapping[str, tuple[str, ...]] = {
    "image": ("width", "height"),
    "video": ("num_frames", "width", "height"),
    "audio": ("length",),
    "vision_chunk": (),
}
"""Modality -> the sizes that vLLM accepts in addition to count (vllm/config/multimodal.py); vision_chunk is Kimi
K2.5's."""
ANY = 999
"""vLLM's default of count."""
OLD_FORM = re.compile(r"[a-z_]+=\d+(,[a-z_]+=\d+)*")
"""The form of vLLM up to 0.8, image=2,video=1."""


def parse_limits(text: str) -> dict[str, Any]:
    """Return the limits in a text: vLLM's JSON in either form, or image=2,video=1.

    Raises:
        ValueError: The text is neither, or vLLM would refuse it.
    """
    if OLD_FORM.fullmatch(text):
        return checked_limits({name: int(count) for name, count in (part.split("=") for part in text.split(","))})
    try:
        document: object = parse_json(text)
    except ValueError:
        document = None
    if not is_object(document):
        raise ValueError(f"{text!r} is not a JSON object: write for example '{{\"image\": 2}}'")
    return checked_limits(document)


def checked_limits(value: dict[str, Any]) -> dict[str, Any]:
    """Check the maximum number of items of each modality: a number, or vLLM's own object with count and sizes.

    Raises:
        ValueError: A modality or a size is not one of vLLM's, or not a number in its bounds.
    """
    for modality, limit in value.items():
        if modality not in MODALITIES:
            near = closest_name(modality, MODALITIES)
            advice = f"did you mean {near}?" if near else f"use one of {', '.join(MODALITIES)}"
            raise ValueError(f"{modality!r} is not a modality in vLLM: {advice}")
        sizes = limit if is_object(limit) else {"count": limit}
        for name, size in sizes.items():
            known = ("count", *MODALITIES[modality])
            if name not in known:
                raise ValueError(f"{modality}: {name!r} is not one of its sizes: use {', '.join(known)}")
            least = 0 if name == "count" else 1
            if isinstance(size, bool) or not isinstance(size, int) or size < least:
                where = modality if sizes is not limit else f"{modality}.{name}"
                raise ValueError(f"{where}: {size!r} is not a whole number of {least} or more")
            if name == "count" and size > bounds.MOST_ITEMS:
                most = bounds.MOST_ITEMS
                raise ValueError(f"{modality}: {size} is too large: no request has so many, so set {most} or less")
    return value


def mm_counts(limits: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Return the maximum number of items of each modality."""
    if limits is None:
        return None
    return {modality: limit.get("count", ANY) if _is_sizes(limit) else limit for modality, limit in limits.items()}


def mm_sizes(limits: Mapping[str, Any] | None) -> dict[str, dict[str, int]] | None:
    """Return the sizes for which vLLM reserves memory, if any are given."""
    given = {
        modality: {name: size for name, size in limit.items() if name != "count"}
        for modality, limit in (limits or {}).items()
        if _is_sizes(limit)
    }
    return {modality: sizes for modality, sizes in given.items() if sizes} or None


def _is_sizes(limit: object) -> TypeGuard[dict[str, int]]:
    """Return whether a limit that `checked_limits` accepted has sizes in addition to its count."""
    return isinstance(limit, dict)
