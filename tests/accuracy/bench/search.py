"""Searches the constants of the speed model that fit benchmark rows.

The search changes one constant at a time by a factor, and keeps what lowers the loss. The loss is the mean of the
absolute logarithms of predicted over measured values, each at most that of a factor of 3, so that a row that is wrong
or of another kind of run cannot pull. A sweep over n loads counts as n ** 0.5 rows, and a source of n rows as n ** 0.5.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import exp, log
from typing import Any

from tests.accuracy.bench.predict import Question, predict
from tests.accuracy.bench.rows import BenchRow
from tests.accuracy.bench.score import weights_of
from vllm_eks.planner.speed.constants import Constants, constants_of

Document = dict[str, Any]
Path = tuple[str, ...]
"""The keys of a constant in the document."""
FITTED: tuple[Path, ...] = (
    *(("memory_efficiency", name) for name in ("8-bit and wider", "4-bit")),
    *(("flops_efficiency", name) for name in ("fp8", "4-bit", "fp4", "experts", "4-bit experts")),
    *(("link_efficiency", name) for name in ("nvlink", "pcie")),
)
START: Document = {
    "memory_efficiency": {"8-bit and wider": 0.8, "4-bit": 0.6},
    "flops_efficiency": {
        "16-bit": 0.7,
        "fp8": 0.5,
        "4-bit": 0.5,
        "fp4": 0.4,
        "experts": 0.2,
        "4-bit experts": 0.2,
    },
    "link_efficiency": {"nvlink": 0.8, "pcie": 0.25, "network": 0.5},
    "link_microseconds": {"nvlink": 10.0, "pcie": 25.0, "network": 60.0},
    "link_rank_microseconds": {"nvlink": 1.0, "pcie": 5.0, "network": 0.0},
    "routing_evenness": 0.85,
    "activation_passes": 15.0,
    "overhead_microseconds": {
        "layer": 10.0,
        "expert": 5.0,
        "prompt_layer": 500.0,
        "step": {"0.0": 3000.0, "0.8": 1500.0, "0.14": 500.0},
        "request": {"0.0": 100.0, "0.8": 10.0},
        "prompt_token": 5.0,
        "answer": 20000.0,
    },
}
"""Round numbers that the search begins with, and that the fitted constants are pulled to. The others stay: fitted too,
they predict rows that are held out no better. No row crosses a network."""
SET: tuple[Path, ...] = (
    *((group, name) for group in ("link_microseconds", "link_rank_microseconds") for name in ("nvlink", "pcie")),
    ("flops_efficiency", "16-bit"),
    ("routing_evenness",),
    ("activation_passes",),
    *(("overhead_microseconds", name) for name in ("layer", "expert", "prompt_layer", "prompt_token", "answer")),
    *(("overhead_microseconds", "step", name) for name in ("0.0", "0.8", "0.14")),
    *(("overhead_microseconds", "request", name) for name in ("0.0", "0.8")),
)
AT_MOST_ONE = ("memory_efficiency", "flops_efficiency", "link_efficiency", "routing_evenness")
CLIP = log(3)
TTFT_WEIGHT = 0.5
PULL = 0.006
"""Loss for a constant that is a factor of e away from its start, so that few rows move it little."""
LEAST_GAIN = 1e-5
FIRST_FACTOR, LAST_FACTOR = 1.25, 1.06
"""The last one is no finer: a search down to 2 % predicts rows that are held out worse."""


def loss(document: Document, asked: Sequence[Question], weights: Mapping[str, float]) -> float:
    """Return the mean absolute logarithm of predicted over measured values."""
    constants = constants_of(document)
    return sum(row_loss(one, constants, weights) for one in asked) / sum(weights[one.row.id] for one in asked)


def row_loss(asked: Question, constants: Constants, weights: Mapping[str, float]) -> float:
    """Return the share of a row in the loss."""
    row, found, total, count = asked.row, predict(asked, constants), 0.0, 0.0
    pairs = [
        (found.output_tokens_per_second, row.output_tps, 1.0, 1.0),
        (found.tpot_seconds, row.tpot_ms, 1e3, 1.0),
        (found.ttft_seconds, None if row.saturated else row.ttft_ms, 1e3, TTFT_WEIGHT),
    ]
    for predicted, measured, scale, of_measure in pairs:
        if predicted and measured:
            total += of_measure * min(CLIP, abs(log(predicted.best * scale / measured)))
            count += of_measure
    return weights[row.id] * total / count if count else 0.0


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """The constants, and the rows that each has a part in."""

    document: Document
    rows: Mapping[Path, Sequence[BenchRow]]


def fit(asked: Sequence[Question], *, document: Document = START) -> Fitted:
    """Return the constants that the search finds, from those of the document."""
    search = _Search(document, asked)
    factors = dict.fromkeys(FITTED, FIRST_FACTOR)
    while moving := [path for path in FITTED if factors[path] > LAST_FACTOR]:
        for path in moving:
            if not any(search.tries(path, factor) for factor in (factors[path], 1 / factors[path])):
                factors[path] = exp(log(factors[path]) / 2)
    rows = {path: [asked[index].row for index in touched] for path, touched in search.touched.items()}
    return Fitted(document=search.found, rows=rows)


class _Search:
    """The constants, the loss of each row with them, and the rows that each constant has a part in."""

    def __init__(self, document: Document, asked: Sequence[Question]) -> None:
        self.found = deepcopy(document)
        self._asked, self._start = asked, document
        self._weights = fit_weights([one.row for one in asked])
        self._total = sum(self._weights.values())
        self._losses = self._of(range(len(asked)))
        self.touched = {path: self._rows_of(path) for path in (*FITTED, *SET)}

    def tries(self, path: Path, factor: float) -> bool:
        """Change a constant by a factor if that lowers the loss, and return whether it does."""
        start = _get(self.found, path)
        _set(self.found, path, min(1.0, start * factor) if path[0] in AT_MOST_ONE else start * factor)
        losses = self._of(self.touched[path])
        gained = sum(self._losses[index] - value for index, value in losses.items()) / self._total
        if gained > self._pull(path, _get(self.found, path)) - self._pull(path, start) + LEAST_GAIN:
            self._losses |= losses
            return True
        _set(self.found, path, start)
        return False

    def _of(self, rows: Iterable[int]) -> dict[int, float]:
        constants = constants_of(self.found)
        return {index: row_loss(self._asked[index], constants, self._weights) for index in rows}

    def _rows_of(self, path: Path) -> list[int]:
        start = _get(self.found, path)
        _set(self.found, path, start * 0.8)
        changed = [index for index, value in self._of(self._losses).items() if value != self._losses[index]]
        _set(self.found, path, start)
        return changed

    def _pull(self, path: Path, value: float) -> float:
        """Return what a constant costs that is away from where the search began."""
        return PULL * log(value / _get(self._start, path)) ** 2


def fit_weights(rows: Sequence[BenchRow]) -> Mapping[str, float]:
    """Return the weight of each row in the fit."""
    by_cell = weights_of(rows)
    sources = Counter[str]()
    for row in rows:
        sources[row.source] += by_cell[row.id]  # pyright: ignore[reportArgumentType]
    return {row.id: by_cell[row.id] * sources[row.source] ** -0.5 for row in rows}


def _get(document: Document, path: Path) -> float:
    return document[path[0]] if len(path) == 1 else _get(document[path[0]], path[1:])


def _set(document: Document, path: Path, value: float) -> None:
    if len(path) == 1:
        document[path[0]] = float(f"{value:.4g}")
    else:
        _set(document[path[0]], path[1:], value)
