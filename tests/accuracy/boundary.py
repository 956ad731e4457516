"""Moves the utilization of real start-ups to the limit of vLLM: `make boundary [RUNS=folder]`.

A run that started logged its KV cache, so the rest of vLLM's memory is known: budget - KV cache. The utilization is
changed so that one request of the full context (in a hybrid model also one state per sequence) fits with a margin of
some GiB. vLLM refuses each run with a negative margin, and starts each with a positive one.
"""

import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from tests.accuracy.runs import RUNS, Run, read_runs
from vllm_eks.planner.memory.stages import Layout
from vllm_eks.planner.search.start_rules import states_limit_sequences
from vllm_eks.planner.units import BYTES_PER_GIB, gib

MARGINS_GIB = (-2, -1, 1, 2, 4)
VERDICTS = ("fits", "likely_fits", "refused", "unknown")


@dataclass(frozen=True)
class Edge:
    """A run at a margin, and the planner's verdict."""

    run: Run
    margin_gib: int
    utilization: float

    @property
    def verdict(self) -> str:
        return self.run.at_utilization(self.utilization).plan.verdict


def logged_kv_bytes(run: Run) -> float | None:
    """Return the KV cache of a GPU that vLLM logged, computed from the tokens if the GiB were not logged."""
    truth, layout = run.truth, run.layout
    if truth["kv_cache_gib_per_gpu"]:
        return truth["kv_cache_gib_per_gpu"] * BYTES_PER_GIB
    if not truth["kv_cache_tokens"]:
        return None
    low, high = 0, truth["kv_cache_tokens"]
    while low < high:
        middle = (low + high) // 2
        if layout.cache.printed_tokens(middle, run.options) < truth["kv_cache_tokens"]:
            low = middle + 1
        else:
            high = middle
    return low * layout.tightest.block_bytes


def needed_bytes(run: Run) -> float:
    """Return the KV cache of a GPU that vLLM needs to start."""
    layout, options = run.layout, run.options
    blocks = layout.cache.blocks_per_request(options.max_model_len, options)
    blocks += layout.cache.reserved_blocks(options.version)
    if states_limit_sequences(run.model, options):
        blocks = max(blocks, options.max_num_seqs)
    return blocks * largest_block_bytes(layout)


def largest_block_bytes(layout: Layout) -> int:
    return max(stage.block_bytes for stage in layout.stages)


def edges(run: Run) -> list[Edge] | str:
    """Return the run at each margin, or why it has no limit."""
    if run.unmapped:
        return run.unmapped
    if run.before_0_8:
        return f"the V0 engine: {run.before_0_8}"
    if not run.started:
        return "did not start: what it needed is not logged"
    logged = logged_kv_bytes(run)
    if logged is None:
        return "no KV cache logged"
    total = run.truth["gpu_total_gib"] or run.row["gpu_reported_gib"]
    spare = gib(logged - needed_bytes(run))
    moved = {margin: run.row["gpu_memory_utilization"] + (margin - spare) / total for margin in MARGINS_GIB}
    outside = [margin for margin, utilization in moved.items() if not 0 < utilization <= 1]
    if outside:
        return f"a margin of {outside[0]:+} GiB needs a utilization of {moved[outside[0]]:.2f}"
    return [Edge(run, margin, utilization) for margin, utilization in moved.items()]


def main(folder: Path) -> None:
    """Print each run whose verdict is wrong at a margin, the runs without a limit, and the counts."""
    out = Console(width=200, highlight=False)
    counts: Counter[tuple[int, str]] = Counter()
    without: list[tuple[Run, str]] = []
    for run in read_runs(folder):
        found = edges(run)
        if isinstance(found, str):
            without.append((run, found))
            continue
        verdicts = {edge.margin_gib: edge.verdict for edge in found}
        counts.update(verdicts.items())
        wrong = [f"{at:+} GiB {verdict}" for at, verdict in verdicts.items() if (at > 0) == (verdict == "refused")]
        if wrong:
            where = f"{run.id} {run.row['model']} on {run.row['gpu_class']}, vLLM {run.version}"
            out.print(f"{where}: {', '.join(wrong)}", markup=False)
    out.print("\nnot mapped")
    for run, why in without:
        out.print(f"  {run.id} {run.row['model']}: {why}", markup=False)
    out.print(f"\n{'margin':>8} {'fits':>6} {'likely fits':>12} {'refused':>8} {'unknown':>8}")
    for margin in MARGINS_GIB:
        row = [counts[margin, verdict] for verdict in VERDICTS]
        out.print(f"{margin:+4} GiB {row[0]:>6} {row[1]:>12} {row[2]:>8} {row[3]:>8}")
    tried = sum(counts[1, verdict] for verdict in VERDICTS)
    refused = counts[-1, "refused"] + counts[-2, "refused"]
    accepted = counts[1, "fits"] + counts[1, "likely_fits"]
    out.print(
        f"\n{tried} runs moved, {len(without)} not mapped; -1 and -2 GiB: refused {refused} of {2 * tried} (all); "
        f"+1 GiB: accepted {accepted} of {tried} (nine in ten)"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else RUNS)
