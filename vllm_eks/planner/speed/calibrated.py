"""The evidence of a stack whose speed was measured once, and whose step times are corrected by the result."""

from dataclasses import replace

from vllm_eks.planner.ranges import Range
from vllm_eks.planner.speed.evidence import Evidence, Spread

CALIBRATED = Spread(output=Range(0.83, 1.0, 1.3), ttft=Range(0.64, 1.0, 1.82), tpot=Range(0.81, 1.0, 1.23))
"""Measured over predicted values at other loads of a setup, after one benchmark of it has set the factor: four of five
of 8,384 pairs of rows in tests/data/bench, from 64 setups of model, format, GPU, sizes and version.
`python -m tests.accuracy.bench.calibrated` computes them."""


def calibrated(before: Evidence) -> Evidence:
    """Return the evidence of a calibrated stack. Its range is never wider than without the benchmark."""
    return replace(
        before,
        label="calibrated",
        spread=Spread(
            output=_narrower(before.spread.output, CALIBRATED.output),
            ttft=_narrower(before.spread.ttft, CALIBRATED.ttft),
            tpot=_narrower(before.spread.tpot, CALIBRATED.tpot),
        ),
    )


def _narrower(one: Range, other: Range) -> Range:
    return Range(max(one.low, other.low), one.best, min(one.high, other.high))
