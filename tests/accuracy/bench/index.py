"""Writes vllm_eks/data/measured_speeds.json: the ids of the rows of each model and machine that EC2 rents."""

import json
from collections import Counter, defaultdict
from dataclasses import asdict
from typing import Any

from tests.accuracy.bench.predict import question
from tests.accuracy.bench.rows import SHARED, read_rows, scored_regimes
from vllm_eks.planner.speed.evidence import MEASURED, MeasuredMachine

SOURCE = "tests/data/bench/shared.jsonl, which names the place of publication of each row"


def index() -> dict[str, Any]:
    """Return the content of the file."""
    found: dict[MeasuredMachine, list[str]] = defaultdict(list)
    gpus: Counter[tuple[str, float]] = Counter()
    for row in scored_regimes(read_rows(SHARED)):
        asked = question(row)
        if asked is None:
            continue
        gpus[(asked.machine.gpu, asked.machine.gbytes_per_second)] += 1
        # A row with the facts of another model of its size is no measurement of that model.
        if asked.is_same_model:
            found[asked.machine].append(row.id)
    ordered = sorted(found.items(), key=lambda item: json.dumps(asdict(item[0])))
    counts = [{"gpu": gpu, "gbytes_per_second": speed, "rows": count} for (gpu, speed), count in gpus.most_common()]
    return {"source": SOURCE, "gpus": counts, "machines": [asdict(one) | {"rows": sorted(ids)} for one, ids in ordered]}


def write() -> None:
    """Write the file."""
    MEASURED.write_text(json.dumps(index(), indent=1) + "\n")


if __name__ == "__main__":
    write()
