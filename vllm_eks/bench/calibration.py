"""Moves one constant for a stack: the measured time of an engine step over the predicted one."""

from dataclasses import dataclass

from vllm_eks.bench.prediction import Prediction, predict
from vllm_eks.bench.saved import Benchmark, setup_of
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import LARGEST_STEP_FACTOR, SMALLEST_STEP_FACTOR
from vllm_eks.planner.search.plan import Plan

KEY = "measuredStepFactor"
FEWEST_REQUESTS = 50
"""A factor that every later prediction uses should not rest on fewer."""
SHORTEST_ANSWER_TOKENS = 16
"""In shorter answers the time of a token is mostly that of other requests' prompts."""
MOST_FAILED = 0.01
HALVINGS = 30


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A factor, with the predictions without and with it."""

    factor: float
    uncorrected: Prediction
    corrected: Prediction


def calibrate(plan: Plan, benchmark: Benchmark, *, where: str) -> Calibration:
    """Return the factor with which the predicted time of an output token is the measured one.

    Args:
        plan: The present plan of the stack's model.
        benchmark: What was measured.
        where: The benchmark's file, for messages.

    Raises:
        WrongQuestion: The benchmark is of another setup, too small, or too far from the prediction to be of the same
            thing. Or the speed is not predicted.
    """
    _require_usable(plan, benchmark, where)
    measured = benchmark.measured.tpot_seconds.mean
    uncorrected = _predicted(plan, benchmark, 1.0)
    slow, fast = _tpot(plan, benchmark, LARGEST_STEP_FACTOR), _tpot(plan, benchmark, SMALLEST_STEP_FACTOR)
    if not fast <= measured <= slow:
        raise WrongQuestion(
            f"{where}: {1000 * measured:.1f} ms for an output token are too far from the predicted "
            f"{1000 * uncorrected.tpot_seconds.best:.1f} ms for a correction (factors from {SMALLEST_STEP_FACTOR:g} to "
            f"{LARGEST_STEP_FACTOR:g}): look for another cause, such as a busy node"
        )
    factor = _factor(plan, benchmark, measured)
    return Calibration(factor=factor, uncorrected=uncorrected, corrected=_predicted(plan, benchmark, factor))


def _require_usable(plan: Plan, benchmark: Benchmark, where: str) -> None:
    setup, measured = setup_of(plan), benchmark.measured
    if benchmark.setup != setup:
        raise WrongQuestion(
            f"{where} measured {benchmark.setup.text}, and Pulumi.{benchmark.stack}.yaml has {setup.text}: measure "
            f"again"
        )
    if measured.completed < FEWEST_REQUESTS:
        raise WrongQuestion(
            f"{where}: {measured.completed} requests are too few: measure with --requests {FEWEST_REQUESTS} or more"
        )
    if measured.failed > MOST_FAILED * measured.completed:
        raise WrongQuestion(
            f"{where}: {measured.failed} of {measured.failed + measured.completed} requests failed: measure again with "
            f"a lower load"
        )
    tokens = measured.output_tokens / measured.completed
    if tokens < SHORTEST_ANSWER_TOKENS:
        raise WrongQuestion(
            f"{where}: answers of {tokens:.0f} tokens are too short: measure with --output {SHORTEST_ANSWER_TOKENS} or "
            f"more"
        )


def _factor(plan: Plan, benchmark: Benchmark, measured: float) -> float:
    """Find the factor. At a rate, slower steps also mean more requests at once, so it is not the ratio of the times."""
    low, high = SMALLEST_STEP_FACTOR, LARGEST_STEP_FACTOR
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if _tpot(plan, benchmark, middle) < measured:
            low = middle
        else:
            high = middle
    return round(high, 3)


def _tpot(plan: Plan, benchmark: Benchmark, factor: float) -> float:
    return _predicted(plan, benchmark, factor).tpot_seconds.best


def _predicted(plan: Plan, benchmark: Benchmark, factor: float) -> Prediction:
    predicted = predict(plan, benchmark.load, replicas=benchmark.replicas, step_factor=factor)
    if predicted is None:
        raise WrongQuestion(f"the speed of {benchmark.setup.text} is not predicted, so there is nothing to correct")
    return predicted
