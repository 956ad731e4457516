"""`make bench-accuracy [ROWS=file]`: predicts benchmark rows, writes the predictions, and scores them."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.accuracy.bench.predict import Prediction, predict_all
from tests.accuracy.bench.report import print_scores
from tests.accuracy.bench.rows import SHARED, read_rows, scored_regimes
from vllm_eks.planner.ranges import Range

PREDICTIONS = "predictions.json"


def _written(found: Prediction) -> Mapping[str, float | None]:
    values: dict[str, float | None] = {}
    measures: dict[str, Range | None] = {
        "output_tokens_per_second": found.output_tokens_per_second,
        "ttft_s": found.ttft_seconds,
        "tpot_s": found.tpot_seconds,
    }
    for name, value in measures.items():
        values[name] = value and value.best
        values[f"{name}_low"] = value and value.low
        values[f"{name}_high"] = value and value.high
    return values


def _write(rows: Path, text: str) -> Path:
    """Write the predictions beside the rows, or into the current folder if that one is not writable."""
    beside = rows.with_name(f"{rows.stem}.{PREDICTIONS}")
    try:
        beside.write_text(text)
    except OSError:
        beside = Path(beside.name)
        beside.write_text(text)
    return beside


def main(arguments: list[str]) -> None:
    """Predict, write and score."""
    file = Path(arguments[0]) if arguments else SHARED
    rows = read_rows(file)
    predictions = predict_all(rows)
    out = _write(file, json.dumps({key: _written(one) for key, one in predictions.items()}, indent=1) + "\n")
    scored = scored_regimes(rows)
    print_scores(f"{file}, predictions in {out}", scored, predictions)


if __name__ == "__main__":
    main(sys.argv[1:])
