"""`make bench-fit`: fits the constants of the speed model, and writes vllm_eks/data/speed.json.

First it fits them on the rows of some sources, or of some models, and scores the others. The ranges are those of rows
whose source the constants had not seen.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.accuracy.bench import index
from tests.accuracy.bench.predict import Prediction, Question, predict, question
from tests.accuracy.bench.report import print_scores
from tests.accuracy.bench.rows import PROXIES, SHARED, BenchRow, read_rows, scored_regimes
from tests.accuracy.bench.score import measured_over_predicted, quantile
from tests.accuracy.bench.search import Fitted, fit, fit_weights
from vllm_eks.planner.speed.constants import SPEED, constants_of
from vllm_eks.planner.speed.evidence import LABELS

FOLDS = 6
TAIL = 0.08
"""Share of the held-out rows below a range, and above it."""
RANGES = {"output": "output tok/s", "tpot": "TPOT", "ttft": "TTFT"}
ABOUT = (
    "Constants of the speed model (docs/explanation/speed.md). Written by `make bench-fit` from tests/data/bench. "
    "`rows`: how many rows of which sources each constant has a part in. `range`: measured over predicted values of "
    "rows that were held out."
)


def questions() -> list[Question]:
    """Return all rows that are scored, with those of near relatives of EC2's GPUs."""
    rows = scored_regimes(read_rows(SHARED, PROXIES))
    return [one for one in map(question, rows) if one is not None]


def folds(asked: Sequence[Question], part: Callable[[BenchRow], str]) -> list[list[Question]]:
    """Return the rows in groups of whole sources or models, each group about as large."""
    sizes = Counter(part(one.row) for one in asked)
    groups: list[list[Question]] = [[] for _ in range(FOLDS)]
    for name, _ in sizes.most_common():
        smallest = min(groups, key=len)
        smallest += [one for one in asked if part(one.row) == name]
    return groups


def held_out(asked: Sequence[Question], part: Callable[[BenchRow], str]) -> Mapping[str, Prediction]:
    """Return the predictions of all rows, each by constants that were fitted without its group."""
    found: dict[str, Prediction] = {}
    for group in folds(asked, part):
        unseen = {one.row.id for one in group}
        constants = constants_of(fit([one for one in asked if one.row.id not in unseen]).document)
        found |= {one.row.id: predict(one, constants) for one in group}
    return found


def ranges(asked: Sequence[Question], predictions: Mapping[str, Prediction]) -> dict[str, Any]:
    """Return the ranges of measured over predicted values by label, from predictions of rows of unseen sources.

    A source of n rows counts as n ** 0.5, so that the largest does not decide how far a new one may be away. Each range
    is at least as wide as that of the label before it.
    """
    weights = fit_weights([one.row for one in asked])
    usual = [one.row for one in asked if one.rests_on.label != "estimated"]
    others = [one.row for one in asked if one.rests_on.label == "estimated"]
    measured = [one.row for one in asked if one.rests_on.label == "measured"]
    rows_of = {"measured": measured, "derived": usual, "estimated": others}
    found: dict[str, Any] = {}
    low, high = dict.fromkeys(RANGES, 1.0), dict.fromkeys(RANGES, 1.0)
    for label in LABELS:
        found[label] = {}
        for name, measure in RANGES.items():
            pairs = [
                (ratio, weights[row.id])
                for row in rows_of[label]
                if (ratio := measured_over_predicted(row, predictions[row.id], measure)) is not None
            ]
            low[name] = min(low[name], quantile(pairs, TAIL))
            high[name] = max(high[name], quantile(pairs, 1 - TAIL))
            found[label][name] = {"low": round(low[name], 3), "high": round(high[name], 3)}
    return found


def document(fitted: Fitted, of_ranges: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of data/speed.json."""
    rows = {".".join(path): Counter(row.source for row in of) for path, of in fitted.rows.items()}
    return {
        "about": ABOUT,
        "fitted": datetime.now(UTC).date().isoformat(),
        **fitted.document,
        "range": of_ranges,
        "rows": {name: {"count": sum(of.values()), "sources": dict(of.most_common())} for name, of in rows.items()},
    }


def main() -> None:
    """Score rows that are held out, fit all, and write the file."""
    index.write()
    asked = questions()
    shared = [row for row in read_rows(SHARED) if row.regime != "burst"]
    schemes: dict[str, Mapping[str, Prediction]] = {}
    parts: Mapping[str, Callable[[BenchRow], str]] = {"source": lambda row: row.source, "model": lambda row: row.base}
    for name, part in parts.items():
        schemes[name] = held_out(asked, part)
        print_scores(f"rows held out by {name}", shared, schemes[name], part)
        print_scores(f"rows held out by {name}, by GPU", shared, schemes[name], lambda row: row.gpu)
    fitted = fit(asked)
    SPEED.write_text(json.dumps(document(fitted, ranges(asked, schemes["source"])), indent=1) + "\n")
    constants = constants_of(fitted.document)
    print_scores(
        "all rows, which the constants have seen", shared, {one.row.id: predict(one, constants) for one in asked}
    )


if __name__ == "__main__":
    main()
