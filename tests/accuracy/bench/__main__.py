"""`make bench-accuracy [ROWS=file]`: predicts benchmark rows, writes the predictions, and scores them."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.accuracy.bench.predict import Prediction, predict_all
from tests.accuracy.bench.rows import SHARED, read_rows, scored_regimes
from tests.accuracy.bench.score import MEASURES, Cell, score
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


def _line(name: str, cell: Cell) -> str:
    texts = [f"{name:26s} {cell.rows:5d} {cell.missing:4d}"]
    for measure in MEASURES:
        if not cell.ratios[measure]:
            texts.append(f"{'-':>37s}")
            continue
        texts.append(
            f"{100 * cell.median(measure):6.1f}% /{100 * cell.ninth_decile(measure):6.1f}% "
            f"({len(cell.ratios[measure]):4d}) x{cell.bias(measure):5.2f} {100 * cell.held(measure):4.0f}%"
        )
    return "  ".join(texts)


def main(arguments: list[str]) -> None:
    """Predict, write and score."""
    file = Path(arguments[0]) if arguments else SHARED
    rows = read_rows(file)
    predictions = predict_all(rows)
    out = file.with_name(f"{file.stem}.{PREDICTIONS}") if arguments else Path(PREDICTIONS)
    out.write_text(json.dumps({key: _written(one) for key, one in predictions.items()}, indent=1) + "\n")
    scored = scored_regimes(rows)
    head = "  ".join(f"{measure + ' median/p90 (n) bias in range':>37s}" for measure in MEASURES)
    print(f"{file}: {len(scored)} rows that are scored, predictions in {out}\n{'':26s} {'rows':>5s} miss  {head}")
    for name, cell in score(scored, predictions, lambda row: row.gpu).items():
        print(_line(name, cell))


if __name__ == "__main__":
    main(sys.argv[1:])
