"""How the constants of the memory model do on runs that they were not made from: `make leave-out [RUNS=folder]`.

What a run logs leaves one number to the constants: budget - weights - KV cache. For each model and each source in turn,
its runs are left out, and what is fitted is fitted on the others: for each kind of memory outside torch the median of
what the planner errs there, and one factor on the width of all ranges, so that nine in ten hold. Then the runs left out
are scored.
"""

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from rich.console import Console

from tests.accuracy.boundary import logged_kv_bytes
from tests.accuracy.runs import RUNS, Run
from tests.accuracy.score import middle, ninth_decile, scored
from vllm_eks.planner.memory.terms import fuses_allreduce
from vllm_eks.planner.units import gib

LEAST_ROWS = 3
"""Of a kind, from which a correction is fitted."""


@dataclass(frozen=True)
class Row:
    """A run with a logged KV cache, in GiB of one GPU."""

    run: Run
    logged: float
    low: float
    best: float
    high: float

    @property
    def kind(self) -> str:
        """Which constant of the memory outside torch applies."""
        options, tp, pp = self.run.options, self.run.row["tp"], self.run.row["pp"]
        gpu = self.run.machine.one_gpu
        if tp == 1:
            return "one GPU from 0.17" if options.version >= (0, 17, 0) else "one GPU"
        if fuses_allreduce(gpu, options, tensor_parallel_size=tp, pipeline_parallel_size=pp):
            return "fused all-reduce"
        if not gpu.has_nvlink:
            return "PCIe"
        return "NVLink, 2 to 4" if tp <= 4 else "NVLink, 8"

    @property
    def error(self) -> float:
        return self.best - self.logged

    def widths(self, correction: float) -> float:
        """Return how many half widths of the range the logged value is away from the corrected best one."""
        away = self.logged - (self.best - correction)
        half = self.high - self.best if away > 0 else self.best - self.low
        return abs(away) / half if half else float("inf")


def rows(folder: Path = RUNS) -> list[Row]:
    """Return the runs since vLLM 0.8 with a logged KV cache."""
    found = []
    for one in scored(folder).new:
        logged = logged_kv_bytes(one.run)
        if logged is not None:
            found.append(Row(one.run, gib(logged), *one.kv_gib))
    return found


def corrections(known: Sequence[Row]) -> dict[str, float]:
    """Return the median error of each kind with enough rows."""
    errors: dict[str, list[float]] = defaultdict(list)
    for row in known:
        errors[row.kind].append(row.error)
    return {kind: median(values) for kind, values in errors.items() if len(values) >= LEAST_ROWS}


def width_factor(known: Sequence[Row], fitted: dict[str, float]) -> float:
    """Return the factor on all widths with which nine in ten of the rows are inside, at least 1."""
    away = [row.widths(fitted.get(row.kind, 0.0)) for row in known]
    return max(1.0, quantiles(away, n=10, method="inclusive")[-1])


@dataclass(frozen=True)
class LeftOut:
    """The rows of one group, scored by what the others say."""

    held: int
    rows: int
    errors: tuple[float, ...]
    """Relative, of the KV cache."""
    factor: float


def left_out(every: Sequence[Row], group: Callable[[Row], str]) -> dict[str, LeftOut]:
    """Return the score of each group when it is left out."""
    found = {}
    for name in sorted({group(row) for row in every}):
        known, apart = [row for row in every if group(row) != name], [row for row in every if group(row) == name]
        fitted = corrections(known)
        factor = width_factor(known, fitted)
        held = sum(row.widths(fitted.get(row.kind, 0.0)) <= factor for row in apart)
        errors = [(row.error - fitted.get(row.kind, 0.0)) / row.logged for row in apart if row.logged > 0]
        found[name] = LeftOut(held, len(apart), tuple(errors), factor)
    return found


def main(folder: Path) -> None:
    """Print each group left out, and the sums."""
    out = Console(width=200, highlight=False)
    every = rows(folder)
    fitted = corrections(every)
    out.print(f"{len(every)} runs; median error by kind: " + ", ".join(f"{k} {v:+.2f} GiB" for k, v in fitted.items()))
    out.print(f"factor on all widths: {width_factor(every, fitted):.2f}")
    for title, group in (("model", lambda row: row.run.row["model"]), ("source", lambda row: row.run.source)):
        out.print(f"\nleft out by {title}")
        found = left_out(every, group)
        for name, one in found.items():
            errors = f", KV cache {100 * median(one.errors):+.1f} %" if one.errors else ""
            out.print(f"  {name}: range holds {one.held} of {one.rows}{errors}, factor {one.factor:.2f}", markup=False)
        held, total = sum(one.held for one in found.values()), sum(one.rows for one in found.values())
        errors = [error for one in found.values() for error in one.errors]
        out.print(
            f"  together: range holds {held} of {total}; KV cache {100 * middle([*errors]):.1f} % off at the median, "
            f"{100 * ninth_decile([*errors]):.1f} % at the ninth decile"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else RUNS)
