"""Compares the planner with reports of vLLM: `make accuracy`."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from tests.accuracy.runs import RUNS, Run, read_runs
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.units import BYTES_PER_GIB, gib


@dataclass(frozen=True)
class Score:
    """The planner's result for a run, and vLLM's."""

    run: Run

    @property
    def layout(self) -> Layout:
        return self.run.layout

    @property
    def weights_gib(self) -> float:
        return gib(self.layout.tightest.loaded_bytes)

    @property
    def kv_gib(self) -> tuple[float, float, float]:
        kv = self.layout.tightest.kv_cache
        return gib(kv.low), gib(kv.best), gib(kv.high)

    @property
    def tokens(self) -> tuple[int, int, int]:
        low, best, high = (self.layout.cache.printed_tokens(blocks, self.run.options) for blocks in self.layout.blocks)
        return low, best, high

    @property
    def weights_error(self) -> float | None:
        """Relative error. None if the size comes from the row itself, or is not logged."""
        logged = self.run.truth["weights_gib_per_gpu"]
        if not logged or self.run.row["weights_source"] == "this run":
            return None
        return self.weights_gib / logged - 1

    @property
    def tokens_of_logged_gib_error(self) -> float | None:
        """The difference of the tokens computed from the logged KV GiB and the logged tokens."""
        logged_gib, logged = self.run.truth["kv_cache_gib_per_gpu"], self.run.truth["kv_cache_tokens"]
        if not logged or not logged_gib or logged_gib <= 0:
            return None
        blocks = self.layout.tightest.blocks(logged_gib * BYTES_PER_GIB)
        return self.layout.cache.printed_tokens(blocks, self.run.options) / logged - 1

    @property
    def truth_and_range(self) -> tuple[float, tuple[float, float, float]] | None:
        """The logged and the planned KV cache: in tokens, or in GiB if no tokens were logged."""
        if self.run.truth["kv_cache_tokens"]:
            return self.run.truth["kv_cache_tokens"], self.tokens
        if self.run.truth["kv_cache_gib_per_gpu"]:
            return self.run.truth["kv_cache_gib_per_gpu"], self.kv_gib
        return None

    @property
    def kv_error(self) -> float | None:
        """Relative error of the KV tokens or GiB. None if there was no room at all."""
        found = self.truth_and_range
        return found[1][1] / found[0] - 1 if found and found[0] > 0 else None

    @property
    def in_range(self) -> bool | None:
        found = self.truth_and_range
        return found[1][0] <= found[0] <= found[1][2] if found else None

    @property
    def half_width(self) -> float | None:
        found = self.truth_and_range
        return (found[1][2] - found[1][0]) / 2 / found[1][1] if found and found[1][1] > 0 else None

    @property
    def width_gib(self) -> float | None:
        """From the low to the high KV cache of a GPU."""
        return self.kv_gib[2] - self.kv_gib[0] if self.in_range is not None else None

    @property
    def verdict(self) -> str:
        if self.run.started == self.run.plan.fits:
            return "right"
        return "too cautious" if self.run.started else "DANGEROUS: called a fit"


@dataclass(frozen=True)
class Scores:
    """A table of runs, scored."""

    new: list[Score]
    """vLLM 0.8 or later, or of unknown version."""
    old: list[Score]
    """The V0 engine, which is not counted."""
    unmapped: list[Run]

    @property
    def held(self) -> list[bool]:
        """For each run with a logged KV cache, whether it is in the range."""
        return [one.in_range for one in self.new if one.in_range is not None]

    @property
    def dangerous(self) -> int:
        return sum(one.verdict.startswith("DANGEROUS") for one in self.new)

    @property
    def right(self) -> int:
        return sum(one.verdict == "right" for one in self.new)


def scored(folder: Path = RUNS) -> Scores:
    """Return the scores of a table, those of the V0 engine, and the runs that cannot be planned."""
    runs = read_runs(folder)
    mapped = [run for run in runs if run.unmapped is None]
    return Scores(
        new=[Score(run) for run in mapped if run.before_0_8 is None],
        old=[Score(run) for run in mapped if run.before_0_8 is not None],
        unmapped=[run for run in runs if run.unmapped is not None],
    )


def worst(errors: list[float | None]) -> float:
    """Return the largest of the known deviations."""
    return max((abs(error) for error in errors if error is not None), default=0.0)


def middle(errors: list[float | None]) -> float:
    """Return the median of the known deviations."""
    return median(abs(error) for error in errors if error is not None)


def ninth_decile(errors: list[float | None]) -> float:
    """Return the deviation that nine in ten of the known ones are below."""
    known = [abs(error) for error in errors if error is not None]
    return quantiles(known, n=10, method="inclusive")[-1] if len(known) > 1 else worst(errors)
