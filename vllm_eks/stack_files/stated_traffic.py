"""The `traffic` of a model in a stack file: from its values to words, and from words to its values."""

import os
from collections.abc import Mapping
from pathlib import Path

from vllm_eks.json_values import object_or_empty
from vllm_eks.planner.load.words import TrafficWords, key_name
from vllm_eks.planner.load.workloads import WORKLOADS

TEXTS = ("think_time", "input", "output", "workload", "dataset", "ttft", "itl", "e2e")
WHOLE = ("concurrent_users", "shared_prefix")


def words_of(section: object, folder: Path = Path()) -> TrafficWords:
    """Return the words of the `traffic` section of a model.

    Args:
        section: The section. Values of a wrong kind, which `config` reports, are named in `unreadable`.
        folder: The folder of the stack file, in which a dataset is.
    """
    stated = object_or_empty(section)
    texts = {name: _text(name, stated.get(key_name(name))) for name in TEXTS}
    whole = {name: _whole(stated.get(key_name(name))) for name in WHOLE}
    rate = _number(stated.get(key_name("requests_per_second")))
    read: Mapping[str, object] = {**texts, **whole, "requests_per_second": rate}
    dataset = texts["dataset"]
    return TrafficWords(
        requests_per_second=rate,
        concurrent_users=whole["concurrent_users"],
        think_time=texts["think_time"],
        input=texts["input"],
        output=texts["output"],
        workload=texts["workload"],
        dataset=None if dataset is None else folder / dataset,
        shared_prefix=whole["shared_prefix"],
        ttft=texts["ttft"],
        itl=texts["itl"],
        e2e=texts["e2e"],
        unreadable=frozenset(name for name, value in read.items() if value is None and key_name(name) in stated),
    )


def traffic_values(words: TrafficWords, folder: Path) -> dict[str, str | float]:
    """Return the values of the `traffic` section for some words, by key.

    Args:
        words: What someone wrote on the command line. It has no errors.
        folder: The folder of the stack file. The path of a dataset is relative to it.
    """
    numbers = {"requests_per_second": float, "concurrent_users": int, "shared_prefix": int}
    values: dict[str, str | float] = {}
    for name, value in words.values:
        if isinstance(value, Path):
            values[key_name(name)] = os.path.relpath(value, folder)
        elif name in numbers and isinstance(value, str | float | int):
            number = numbers[name](value)
            values[key_name(name)] = int(number) if number == int(number) else number
        else:
            values[key_name(name)] = str(value)
    return values


def _text(name: str, value: object) -> str | None:
    if name in ("input", "output") and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    is_known = name != "workload" or value in WORKLOADS
    return value if isinstance(value, str) and is_known else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
