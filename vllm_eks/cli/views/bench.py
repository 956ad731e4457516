"""A benchmark and a calibration as text and JSON."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from vllm_eks.bench.calibration import KEY, Calibration
from vllm_eks.bench.measured import Latency
from vllm_eks.bench.prediction import Percentiles, Prediction
from vllm_eks.bench.saved import Benchmark
from vllm_eks.cli.views.screen import say, table
from vllm_eks.cli.views.speed_labels import label_text
from vllm_eks.planner.ranges import Range

NOT_KNOWN = "not known"
MEANS = ("", "measured", "predicted", "range", "ratio")
PERCENTILE_COLUMNS = ("milliseconds (predicted)", "p50", "p90", "p99")
"""Of two tables, because one has no room in 80 columns."""


def show_benchmark(
    benchmark: Benchmark, predicted: Prediction | None, percentiles: Percentiles | None, saved: Path, out: Console
) -> None:
    """Print what was measured beside what was predicted."""
    measured = benchmark.measured
    say(out, f"{benchmark.name}: {benchmark.setup.text}, {replicas_text(benchmark.replicas)}")
    say(out, benchmark.load.text)
    means = table(out, *MEANS, right=frozenset(MEANS[1:]))
    output = predicted and predicted.output_tokens_per_second
    rate = predicted and predicted.requests_per_second
    means.add_row(*_rate("output tokens/s", measured.output_tokens_per_second, output, "{:,.0f}"))
    means.add_row(*_rate("requests/s", measured.requests_per_second, rate, "{:,.2f}"))
    replayed: Percentiles = percentiles or {}
    times = {
        "time to first token": (measured.ttft_seconds, predicted and predicted.ttft_seconds, replayed.get("ttft")),
        "time per output token": (measured.tpot_seconds, predicted and predicted.tpot_seconds, None),
        "inter-token latency": (measured.itl_seconds, None, replayed.get("itl")),
        "whole answer": (measured.e2e_seconds, None, replayed.get("e2e")),
    }
    percentile_table = table(out, *PERCENTILE_COLUMNS, right=frozenset(PERCENTILE_COLUMNS[1:]))
    for name, (latency, expected, at_percentiles) in times.items():
        mean = _predicted(latency.mean, expected, "{:,.1f}", 1000)
        means.add_row(f"{name}, ms", _milliseconds(latency.mean), *mean)
        percentile_table.add_row(name, *_percentiles(latency, at_percentiles))
    out.print(means)
    out.print()
    out.print(percentile_table)
    out.print()
    for line in remarks(benchmark, predicted):
        say(out, line)
    say(out, f"saved in {saved}; correct the predictions with --calibrate {saved}")


def replicas_text(replicas: int) -> str:
    """Return a number of replicas as text."""
    return "1 replica" if replicas == 1 else f"{replicas} replicas"


def remarks(benchmark: Benchmark, predicted: Prediction | None) -> list[str]:
    """Return what the reader of the table should know."""
    found: list[str] = []
    if benchmark.measured.failed:
        found.append(f"{benchmark.measured.failed} requests failed: the measured values are of the others")
    if predicted is None:
        found.append("the speed of this model on this machine is not predicted")
    else:
        found.append(f"predicted: {label_text(predicted.label)}, limited by {predicted.limit}{_corrected(predicted)}")
        if predicted.is_saturated:
            found.append("requests arrive faster than the endpoint is predicted to answer them: the wait grows")
    if benchmark.beside_the_model:
        found.append("the client ran on the model's own node and shared its CPUs: no other node has room for the image")
    return found


def _corrected(predicted: Prediction) -> str:
    return "" if predicted.step_factor == 1 else f", corrected by {KEY} {predicted.step_factor:g}"


def _rate(name: str, measured: float, predicted: Range | None, form: str) -> list[str]:
    return [name, form.format(measured), *_predicted(measured, predicted, form, 1)]


def _percentiles(measured: Latency, predicted: Mapping[int, float] | None) -> list[str]:
    cells = {one: _milliseconds(seconds) for one, seconds in measured.percentiles.items()}
    if predicted is None:
        return list(cells.values())
    return [f"{cell} ({_milliseconds(predicted[one])})" for one, cell in cells.items()]


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.1f}"


def _predicted(measured: float, predicted: Range | None, form: str, unit: float) -> list[str]:
    """Return the cells of a prediction: its best value, its range, and the measured value over it."""
    if predicted is None:
        return ["", "", ""]
    low, best, high = (form.format(unit * value) for value in (predicted.low, predicted.best, predicted.high))
    return [best, f"{low} to {high}", f"{measured / predicted.best:.2f}"]


def benchmark_json(
    benchmark: Benchmark, predicted: Prediction | None, percentiles: Percentiles | None, saved: Path
) -> dict[str, Any]:
    """Return the object of `--json`."""
    measured = benchmark.measured
    return {
        "stack": benchmark.stack,
        "model": benchmark.name,
        "replicas": benchmark.replicas,
        "requests": benchmark.load.requests,
        "completed": measured.completed,
        "failed": measured.failed,
        "client_beside_the_model": benchmark.beside_the_model,
        "measured": {
            "output_tokens_per_second": measured.output_tokens_per_second,
            "requests_per_second": measured.requests_per_second,
            "ttft_seconds": _latency_json(measured.ttft_seconds),
            "tpot_seconds": _latency_json(measured.tpot_seconds),
            "itl_seconds": _latency_json(measured.itl_seconds),
            "e2e_seconds": _latency_json(measured.e2e_seconds),
        },
        "predicted": prediction_json(predicted) if predicted else None,
        "predicted_percentiles": {
            f"{latency}_seconds": {f"p{one}": seconds for one, seconds in values.items()}
            for latency, values in percentiles.items()
        }
        if percentiles
        else None,
        "saved": str(saved),
    }


def _latency_json(latency: Latency) -> Mapping[str, float]:
    return {"mean": latency.mean, **{f"p{one}": value for one, value in latency.percentiles.items()}}


def prediction_json(predicted: Prediction) -> dict[str, Any]:
    """Return a prediction, each value with its range."""
    return {
        "output_tokens_per_second": _range_json(predicted.output_tokens_per_second),
        "requests_per_second": _range_json(predicted.requests_per_second),
        "ttft_seconds": _range_json(predicted.ttft_seconds),
        "tpot_seconds": _range_json(predicted.tpot_seconds),
        "limit": predicted.limit,
        "label": predicted.label,
        "saturated": predicted.is_saturated,
        "step_factor": predicted.step_factor,
    }


def _range_json(value: Range) -> Mapping[str, float]:
    return {"low": value.low, "best": value.best, "high": value.high}


def show_calibration(found: Calibration, benchmark: Benchmark, name: str, out: Console) -> None:
    """Print the factor, and what it changes."""
    measured = benchmark.measured
    tpot = f"{_milliseconds(measured.tpot_seconds.mean)} ms"
    before, after = found.uncorrected, found.corrected
    say(out, f"models.{name}.{KEY} is {found.factor:g} in Pulumi.{benchmark.stack}.yaml")
    say(
        out,
        f"time per output token: measured {tpot}, predicted {_milliseconds(before.tpot_seconds.best)} ms without the "
        f"factor and {_milliseconds(after.tpot_seconds.best)} ms with it",
    )
    say(
        out,
        f"output tokens/s: measured {measured.output_tokens_per_second:,.0f}, predicted "
        f"{before.output_tokens_per_second.best:,.0f} without the factor and "
        f"{after.output_tokens_per_second.best:,.0f} with it",
    )


def calibration_json(found: Calibration, name: str) -> dict[str, Any]:
    """Return the object of `--calibrate --json`."""
    return {
        "model": name,
        "step_factor": found.factor,
        "uncorrected": prediction_json(found.uncorrected),
        "corrected": prediction_json(found.corrected),
    }
