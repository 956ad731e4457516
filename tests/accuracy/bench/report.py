"""Prints scores of benchmark predictions."""

from collections.abc import Callable, Mapping, Sequence

from tests.accuracy.bench.predict import Prediction
from tests.accuracy.bench.rows import BenchRow
from tests.accuracy.bench.score import MEASURES, Cell, score


def print_scores(
    title: str,
    rows: Sequence[BenchRow],
    predictions: Mapping[str, Prediction],
    group: Callable[[BenchRow], str] = lambda row: row.gpu,
) -> None:
    """Print a table of scores by group: median and p90 error, rows, bias, and the share of rows in the range."""
    head = "  ".join(f"{measure + ' median/p90 (n) bias in range':>38s}" for measure in MEASURES)
    print(f"{title}: {len(rows)} rows\n{'':28s} {'rows':>5s} miss  {head}")
    for name, cell in score(rows, predictions, group).items():
        print(_line(name, cell), flush=True)


def _line(name: str, cell: Cell) -> str:
    texts = [f"{name:28s} {cell.rows:5d} {cell.missing:4d}"]
    for measure in MEASURES:
        if not cell.ratios[measure]:
            texts.append(f"{'-':>38s}")
            continue
        texts.append(
            f"{100 * cell.median(measure):6.1f}% /{100 * cell.ninth_decile(measure):6.1f}% "
            f"({len(cell.ratios[measure]):4d}) x{cell.bias(measure):5.2f} {100 * cell.held(measure):5.0f}%"
        )
    return "  ".join(texts)
