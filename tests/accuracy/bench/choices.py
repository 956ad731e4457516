"""Drawn questions: which machine of H100, H200 and B200 is the cheapest that meets an inter-token latency.

The candidates are the machines with rows of one model, lengths and concurrency, the newest of each. The choice is by
predicted values, the judgement by measured ones.
"""

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.accuracy.bench.machines import EC2_TYPES
from tests.accuracy.bench.predict import Prediction
from tests.accuracy.bench.rows import BenchRow
from vllm_eks.planner.hardware.instances import find_instance

GPUS = ("H100", "H200", "B200")
LEAST_CANDIDATES = 4
MISS = 1.10
"""A chosen machine misses the service level if its measured latency is above it by more than this."""
CLOSE = 1.15
"""A chosen machine is close to the cheapest one up to this ratio of prices."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The choices of many questions."""

    questions: int
    misses: int
    close: int
    """Choices that meet the service level, or miss it by little, and cost about as little as possible."""


def usd_per_hour(row: BenchRow) -> float:
    """Return the price of the GPUs that a row uses: its part of the node's on-demand price."""
    instance = find_instance(EC2_TYPES[row.gpu])
    return instance.ranking_usd_per_hour / instance.gpus * row.gpus


def choose(rows: Sequence[BenchRow], predictions: Mapping[str, Prediction], *, count: int, seed: int) -> Outcome:
    """Return how the choices of this many drawn questions do."""
    groups: dict[tuple[object, ...], dict[tuple[object, ...], BenchRow]] = defaultdict(dict)
    for row in sorted(rows, key=lambda one: one.version):
        if row.gpu in GPUS and row.regime == "closed-loop" and row.tpot_ms and row.dp == 1:
            question = row.base, round(row.input_len, -2), round(row.output_len, -2), row.concurrency
            groups[question][row.gpu, row.weights_dtype, row.tp, row.ep] = row
    asked = [list(group.values()) for group in groups.values() if len(group) >= LEAST_CANDIDATES]
    draw = random.Random(seed)
    misses = close = 0
    for _ in range(count):
        group = draw.choice(asked)
        latencies = sorted(_measured(row) for row in group)
        level = draw.uniform(latencies[0], latencies[-1])
        chosen = _cheapest(group, {row.id: _predicted(row, predictions) for row in group}, level)
        right = _cheapest(group, {row.id: _measured(row) for row in group}, level)
        missed = _measured(chosen) > level * MISS
        misses += missed
        close += not missed and usd_per_hour(chosen) <= usd_per_hour(right) * CLOSE
    return Outcome(questions=count, misses=misses, close=close)


def _measured(row: BenchRow) -> float:
    return (row.tpot_ms or 0.0) / 1e3


def _predicted(row: BenchRow, predictions: Mapping[str, Prediction]) -> float:
    found = predictions[row.id].tpot_seconds
    return found.best if found else float("inf")


def _cheapest(rows: Sequence[BenchRow], seconds: Mapping[str, float], level: float) -> BenchRow:
    """Return the cheapest row within the level, or the fastest one if none is. Of equal prices, the faster."""
    within = [row for row in rows if seconds[row.id] <= level] or [min(rows, key=lambda row: seconds[row.id])]
    return min(within, key=lambda row: (usd_per_hour(row), seconds[row.id]))
