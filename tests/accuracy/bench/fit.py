"""`make bench-fit`: fits the constants of the speed model, and writes vllm_eks/data/speed.json.

First it fits them on the rows of some sources, or of some models, and scores the others. The ranges are those of rows
whose source the constants had not seen.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from datetime import UTC, datetime
from typing import Any

from tests.accuracy.bench import index
from tests.accuracy.bench.predict import Prediction, Question, predict, question
from tests.accuracy.bench.report import print_scores
from tests.accuracy.bench.rows import PROXIES, SHARED, BenchRow, read_rows, scored_regimes
from tests.accuracy.bench.score import measured_over_predicted, quantile, weights_of
from tests.accuracy.bench.search import FITTED, Fitted, fit, fit_weights
from vllm_eks.planner.speed.constants import SPEED, constants_of
from vllm_eks.planner.speed.evidence import LABELS

FOLDS = 6
TAIL = 0.1
"""Share of the held-out rows below a range, and above it."""
RANGES = {"output": "output tok/s", "tpot": "TPOT", "ttft": "TTFT"}
ABOUT = (
    "Constants of the speed model (docs/explanation/speed.md). Written by `make bench-fit` from tests/data/bench. "
    "`fitted`: the constants that the rows decide; the others are round numbers. `rows`: how many rows of which "
    "sources each constant has a part in. `range`: measured over predicted values of rows that were held out."
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


def held_out(
    pool: Executor, asked: Sequence[Question], part: Callable[[BenchRow], str]
) -> Iterator[Future[Mapping[str, Prediction]]]:
    """Begin to predict all rows, each by constants that are fitted without its group."""
    for group in folds(asked, part):
        yield pool.submit(_held_out, asked, group)


def _held_out(asked: Sequence[Question], group: Sequence[Question]) -> Mapping[str, Prediction]:
    unseen = {one.row.id for one in group}
    constants = constants_of(fit([one for one in asked if one.row.id not in unseen]).document)
    return {one.row.id: predict(one, constants) for one in group}


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


def held(rows: Sequence[Question], predictions: Mapping[str, Prediction], of_ranges: Mapping[str, Any]) -> str:
    """Return the share of rows in these ranges, of each measure. Each row has its weight in a score."""
    weights, texts = weights_of([one.row for one in rows]), list[str]()
    for name, measure in RANGES.items():
        total = inside = 0.0
        for one in rows:
            ratio = measured_over_predicted(one.row, predictions[one.row.id], measure)
            if ratio is not None:
                ends = of_ranges[one.rests_on.label][name]
                total += weights[one.row.id]
                inside += weights[one.row.id] * (ends["low"] <= ratio <= ends["high"])
        texts.append(f"{measure} {inside / total:.0%}")
    return ", ".join(texts)


def kind(row: BenchRow) -> str:
    """Return the class of a row: dense or mixture, and the format of its weights."""
    return f"{'mixture' if row.experts else 'dense'} {row.weights_dtype}{' PP' if row.pp > 1 else ''}"


def document(fitted: Fitted, of_ranges: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of data/speed.json."""
    rows = {".".join(path): Counter(row.source for row in of) for path, of in fitted.rows.items()}
    return {
        "about": ABOUT,
        "date": datetime.now(UTC).date().isoformat(),
        **fitted.document,
        "fitted": [".".join(path) for path in FITTED],
        "range": of_ranges,
        "rows": {name: {"count": sum(of.values()), "sources": dict(of.most_common())} for name, of in rows.items()},
    }


def main() -> None:
    """Score rows that are held out, fit all, and write the file."""
    index.write()
    asked = questions()
    shared = [row for row in read_rows(SHARED) if row.regime != "burst"]
    parts: Mapping[str, Callable[[BenchRow], str]] = {"source": lambda row: row.source, "model": lambda row: row.base}
    schemes: dict[str, Mapping[str, Prediction]] = {}
    with ProcessPoolExecutor() as pool:
        whole = pool.submit(fit, asked)
        begun = {name: list(held_out(pool, asked, part)) for name, part in parts.items()}
        for name, part in parts.items():
            schemes[name] = {key: found for group in begun[name] for key, found in group.result().items()}
            print_scores(f"rows held out by {name}", shared, schemes[name], part)
            print_scores(f"rows held out by {name}, by GPU", shared, schemes[name], lambda row: row.gpu)
            print_scores(f"rows held out by {name}, by class", shared, schemes[name], kind)
        fitted = whole.result()
    of_ranges = ranges(asked, schemes["source"])
    SPEED.write_text(json.dumps(document(fitted, of_ranges), indent=1) + "\n")
    ec2 = [one for one in asked if one.row.id in {row.id for row in shared}]
    for name, predictions in schemes.items():
        print(f"in the new ranges, held out by {name}: {held(ec2, predictions, of_ranges)}")
    constants = constants_of(fitted.document)
    print_scores(
        "all rows, which the constants have seen", shared, {one.row.id: predict(one, constants) for one in asked}
    )


if __name__ == "__main__":
    main()
