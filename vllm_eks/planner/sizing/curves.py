"""Latency against load of the machines of an answer, to plot."""

from collections.abc import Sequence
from dataclasses import dataclass

from vllm_eks.planner.load.service_level import NAMES, Latency, Limit, ServiceLevel
from vllm_eks.planner.sizing.sized import SizedPlan

MOST_CURVES = 3
"""Curves of one plot, the recommended machines first."""
PLOTTED_LOADS = 10
"""Replays of a curve, besides those of the search."""
BEYOND = 1.2
"""A plot ends this far above the largest load of the recommended machines, or above the load if that is larger."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The latency of some machines at a number of loads."""

    row: SizedPlan
    points: tuple[tuple[float, float], ...]
    """(load of all replicas, seconds), by load in ascending order."""

    def seconds_at(self, load: float) -> float | None:
        """Return the latency between the two nearest points, or None beyond them."""
        for (low, before), (high, after) in zip(self.points, self.points[1:], strict=False):
            if low <= load <= high:
                return before + (after - before) * (load - low) / (high - low)
        return None


@dataclass(frozen=True, kw_only=True)
class LoadPlot:
    """Curves of one latency at one percentile."""

    latency: Latency
    percentile: int
    limit: Limit | None
    load: float
    """The load that was asked for."""
    most_load: float
    """The right end."""
    most_seconds: float
    """The upper end."""
    curves: tuple[Curve, ...]

    @property
    def title(self) -> str:
        """The name of the latency."""
        return f"{NAMES[self.latency]} p{self.percentile}"


def load_plot(rows: Sequence[SizedPlan], level: ServiceLevel, *, fine: bool) -> LoadPlot:
    """Return the curves of the first limit of the service level, or of TTFT p90 without one.

    Args:
        rows: The machines, the recommended ones first.
        level: The service level.
        fine: Replay more loads for smooth curves.
    """
    latency, limit = next(iter(level.limits.items()), ("ttft", None))
    percentile = limit.percentile if limit else 90
    first = rows[0]
    load = first.load_per_replica * first.plan.replicas
    most_load = BEYOND * max(load, first.total_largest_load)
    curves = tuple(_curve(row, latency, percentile, most_load, fine=fine) for row in rows[:MOST_CURVES])
    # A queue that grows has no latency. Near the limit the curves differ most.
    shown = 2 * limit.seconds if limit else 4 * first.at_load.percentile(latency, percentile)
    return LoadPlot(
        latency=latency,
        percentile=percentile,
        limit=limit,
        load=load,
        most_load=most_load,
        most_seconds=shown,
        curves=curves,
    )


def _curve(row: SizedPlan, latency: Latency, percentile: int, most_load: float, *, fine: bool) -> Curve:
    replicas = row.plan.replicas
    if fine:
        for number in range(1, PLOTTED_LOADS + 1):
            share = min(most_load / replicas, row.replica.most_load) * number / PLOTTED_LOADS
            load = share if row.replica.traffic.is_open else max(1.0, float(round(share)))
            row.replica.at(load)
    points = {load * replicas: seen.percentile(latency, percentile) for load, seen in row.replica.replays.items()}
    return Curve(row=row, points=tuple(sorted(points.items())))
