"""Rows of public benchmarks: tests/data/bench, or any file of the same form."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vllm_eks.planner.vllm_version import Version

BENCH = Path(__file__).parents[2] / "data" / "bench"
SHARED, PROXIES = BENCH / "shared.jsonl", BENCH / "proxies.jsonl"
UNKNOWN_VERSION: Version = (0, 11, 0)
MONTH_OF_0_11 = 2025 * 12 + 10
"""vLLM 0.11 is of October 2025. Since then there are about 1.4 minor releases a month (0.18 in March 2026)."""
RELEASES_PER_MONTH = 1.4
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

DEFAULTS: dict[str, Any] = {
    "notes": "",
    "experts": 0,
    "experts_per_token": 0,
    "weights_dtype": "bf16",
    "kv_dtype": "auto",
    "tp": 1,
    "pp": 1,
    "dp": 1,
    "ep": False,
    "params_b": 8.0,
    "regime": "closed-loop",
    "input_len": 512.0,
    "output_len": 256.0,
    "saturated": False,
}
"""Values of fields that a row lacks."""


@dataclass(frozen=True, kw_only=True)
class BenchRow:
    """One measured row, with the names of the file."""

    id: str
    source: str
    model: str
    base: str
    params_b: float
    active_params_b: float
    experts: int
    experts_per_token: int
    weights_dtype: str
    kv_dtype: str
    gpu: str
    gpus: int
    tp: int
    pp: int
    dp: int
    ep: bool
    vllm_version: str | None
    regime: str
    concurrency: float | None
    rate: float | None
    num_prompts: int | None
    input_len: float
    output_len: float
    output_tps: float | None
    ttft_ms: float | None
    tpot_ms: float | None
    max_num_seqs: int | None
    max_num_batched_tokens: int | None
    saturated: bool
    prefix_caching: bool | None
    enforce_eager: bool | None
    notes: str

    @property
    def version(self) -> Version:
        """The first vLLM version in the text, else that of the month in the notes.

        `0.11+ (Feb 2026)` is the version of that month.
        """
        if self.vllm_version and (at_least := re.search(r"\d\+ \((\w{3})\w* (\d{4})\)", self.vllm_version)):
            return version_of_month(int(at_least[2]), MONTHS.index(at_least[1]) + 1)
        if self.vllm_version and (found := re.search(r"0\.(\d+)(?:\.(\d+))?", self.vllm_version)):
            return (0, int(found[1]), int(found[2] or 0))
        if month := re.search(r"measured (\d{4})-(\d\d)", self.notes):
            return version_of_month(int(month[1]), int(month[2]))
        return UNKNOWN_VERSION

    @property
    def cell(self) -> tuple[object, ...]:
        """The sweep that the row belongs to, which has one vote."""
        lengths = round(self.input_len, -2), round(self.output_len, -2)
        return (self.source, self.base, self.gpu, self.weights_dtype, self.tp, self.pp, *lengths)


def version_of_month(year: int, month: int) -> Version:
    """Return about the vLLM version of a month."""
    later = year * 12 + month - MONTH_OF_0_11
    return (0, max(5, 11 + round(RELEASES_PER_MONTH * later)), 0)


def read_rows(*files: Path) -> list[BenchRow]:
    """Return the rows of files of JSON objects, one a line."""
    return [row_of(json.loads(line)) for file in files for line in file.read_text().splitlines() if line.strip()]


def row_of(found: Mapping[str, Any]) -> BenchRow:
    """Return the row with these fields. Those that it lacks have their defaults."""
    fields: dict[str, Any] = {name: found.get(name) for name in BenchRow.__dataclass_fields__}
    for name, value in DEFAULTS.items():
        fields[name] = value if fields[name] is None else fields[name]
    fields["gpus"] = fields["gpus"] or fields["tp"] * fields["pp"]
    return BenchRow(**fields)


def scored_regimes(rows: Sequence[BenchRow], regimes: str = "closed-loop,rate,static-batch") -> list[BenchRow]:
    """Return the rows of these regimes."""
    return [row for row in rows if row.regime in regimes.split(",")]
