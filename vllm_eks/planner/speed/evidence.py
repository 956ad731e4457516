"""On what an estimate of speed rests: measured rows of the same model and machine, rows of similar ones, or neither."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from vllm_eks.json_files import read_json_object
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.speed.constants import SPEED

Label = Literal["measured", "derived", "estimated"]
"""`measured`: the model, its number format, GPU and parallel sizes have public measurements. `derived`: the GPU has
measurements of other models. `estimated`: the model has not been checked on such machines or architectures."""

LABELS: tuple[Label, ...] = ("measured", "derived", "estimated")


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Measured over predicted values: ranges that hold four of five measurements that the constants had not seen."""

    output: Range
    """Of output tokens and requests per second."""
    ttft: Range
    tpot: Range


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The label of an estimate, its rows and its range."""

    label: Label
    row_ids: tuple[str, ...]
    """Ids of public measurements in tests/data/bench, of the same model and machine."""
    spread: Spread


@cache
def spreads() -> Mapping[str, Spread]:
    """Return the ranges of data/speed.json by label."""
    by_label = read_json_object(SPEED)["range"]
    return {label: _spread(by_label[label]) for label in LABELS}


def _spread(row: Mapping[str, list[float]]) -> Spread:
    return Spread(output=_range(row["output_tokens_per_second"]), ttft=_range(row["ttft"]), tpot=_range(row["tpot"]))


def _range(ends: list[float]) -> Range:
    return Range(ends[0], 1.0, ends[1])


def evidence(
    model: ModelFacts, instance: InstanceType, *, tensor_parallel_size: int, pipeline_parallel_size: int
) -> Evidence:
    """Return what the speed of this model on this machine rests on."""
    label: Label = "derived" if pipeline_parallel_size == 1 else "estimated"
    return Evidence(label=label, row_ids=(), spread=spreads()[label])
