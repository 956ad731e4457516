"""On what an estimate of speed rests: measured rows of the same model and machine, rows of similar ones, or neither."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from vllm_eks.data import DATA
from vllm_eks.json_fields import Fields
from vllm_eks.json_files import read_json_object
from vllm_eks.json_values import list_or_empty
from vllm_eks.planner.hardware.instances import InstanceType
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.models.quantization import Quantization
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.speed.constants import SPEED, speed_document

MEASURED = DATA / "measured_speeds.json"
ENOUGH_ROWS = 10
"""Rows of a GPU, from which an estimate for another model on it counts as derived."""

Label = Literal["calibrated", "measured", "derived", "estimated"]
"""`calibrated`: a benchmark of this stack corrects the speed (`measuredStepFactor`). `measured`: the model, its number
format, GPU and parallel sizes have public measurements. `derived`: the GPU has measurements of other models.
`estimated`: it has few, or the layout or architecture has few: pipeline stages, hybrids, architectures that are read
from their fields alone."""

LABELS: tuple[Label, ...] = ("measured", "derived", "estimated")
"""Those that rest on public measurements."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Measured over predicted values: ranges that hold about four of five measurements that the constants had not
    seen."""

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


@dataclass(frozen=True, kw_only=True)
class MeasuredMachine:
    """What identifies the model and the machine of measured rows."""

    gpu: str
    gbytes_per_second: float
    """Memory bandwidth, which tells the two kinds of A100 apart."""
    weights: str
    """Number format of the weights."""
    tensor_parallel_size: int
    pipeline_parallel_size: int
    layers: int
    hidden_size: int
    experts: int


def machine(
    model: ModelFacts, instance: InstanceType, *, tensor_parallel_size: int, pipeline_parallel_size: int
) -> MeasuredMachine:
    """Return what measured rows of this model on this machine are found by.

    Models with the same number of layers, hidden size and experts count as the same, such as Llama 3.1 and 3.3.
    """
    architecture = model.architecture
    return MeasuredMachine(
        gpu=instance.gpu,
        gbytes_per_second=instance.gpu_memory_bandwidth_gbytes_per_second or 0.0,
        weights=weights_format(architecture.quantization),
        tensor_parallel_size=tensor_parallel_size,
        pipeline_parallel_size=pipeline_parallel_size,
        layers=architecture.num_hidden_layers,
        hidden_size=architecture.hidden_size,
        experts=architecture.experts.count if architecture.experts else 0,
    )


def weights_format(quantization: Quantization) -> str:
    """Return a short name of a number format: 16-bit, fp8, int4, fp4."""
    if not quantization.is_quantized:
        return "16-bit"
    return f"{'fp' if quantization.is_float else 'int'}{quantization.weight_bits}"


@cache
def _measured() -> Mapping[str, object]:
    return read_json_object(MEASURED)


@cache
def measured_rows() -> Mapping[MeasuredMachine, tuple[str, ...]]:
    """Return the ids of the measured rows of each model and machine."""
    rows = [Fields(row, where=str(MEASURED)) for row in list_or_empty(_measured().get("machines"))]
    return {_machine(fields): fields.texts("rows") for fields in rows}


def _machine(fields: Fields) -> MeasuredMachine:
    return MeasuredMachine(
        gpu=fields.required("gpu", str),
        gbytes_per_second=fields.required("gbytes_per_second", float),
        weights=fields.required("weights", str),
        tensor_parallel_size=fields.required("tensor_parallel_size", int),
        pipeline_parallel_size=fields.required("pipeline_parallel_size", int),
        layers=fields.required("layers", int),
        hidden_size=fields.required("hidden_size", int),
        experts=fields.required("experts", int),
    )


@cache
def _rows_of_gpus() -> Mapping[tuple[str, float], int]:
    rows = [Fields(row, where=str(MEASURED)) for row in list_or_empty(_measured().get("gpus"))]
    return {
        (one.required("gpu", str), one.required("gbytes_per_second", float)): one.required("rows", int) for one in rows
    }


def evidence(
    model: ModelFacts, instance: InstanceType, *, tensor_parallel_size: int, pipeline_parallel_size: int
) -> Evidence:
    """Return what the speed of this model on this machine rests on."""
    asked = machine(
        model, instance, tensor_parallel_size=tensor_parallel_size, pipeline_parallel_size=pipeline_parallel_size
    )
    rows = measured_rows().get(asked, ())
    architecture = model.architecture
    is_usual = pipeline_parallel_size == 1 and not architecture.has_states and architecture.confidence == "known"
    label: Label = "estimated"
    if rows:
        label = "measured"
    elif is_usual and _rows_of_gpus().get((asked.gpu, asked.gbytes_per_second), 0) >= ENOUGH_ROWS:
        label = "derived"
    return Evidence(label=label, row_ids=rows, spread=spreads()[label])


@cache
def spreads() -> Mapping[Label, Spread]:
    """Return the ranges of data/speed.json by label."""
    fields = Fields(speed_document()["range"], where=f"{SPEED}: range")
    return {label: _spread(fields.json_object(label), where=f"{SPEED}: range.{label}") for label in LABELS}


def _spread(row: object, *, where: str) -> Spread:
    fields = Fields(row, where=where)

    def ends(name: str) -> Range:
        inner = Fields(fields.json_object(name), where=f"{where}.{name}")
        return Range(inner.required("low", float), 1.0, inner.required("high", float))

    return Spread(output=ends("output"), ttft=ends("ttft"), tpot=ends("tpot"))
