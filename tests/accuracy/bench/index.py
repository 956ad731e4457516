"""Writes vllm_eks/data/measured_speeds.json: the ids of the rows of each model and machine that EC2 rents."""

import json
from collections import defaultdict
from dataclasses import asdict
from typing import Any

from tests.accuracy.bench.predict import question
from tests.accuracy.bench.rows import SHARED, read_rows, scored_regimes
from vllm_eks.planner.speed.evidence import MEASURED, MeasuredMachine

SOURCE = "tests/data/bench/shared.jsonl, which names the place of publication of each row"


def index() -> dict[str, Any]:
    """Return the content of the file."""
    found: dict[MeasuredMachine, list[str]] = defaultdict(list)
    for row in scored_regimes(read_rows(SHARED)):
        asked = question(row)
        # A row whose model stands for another one of its size is no measurement of that model.
        if asked and asked.is_same_model:
            found[asked.machine].append(row.id)
    ordered = sorted(found.items(), key=lambda item: json.dumps(asdict(item[0])))
    return {"source": SOURCE, "machines": [asdict(machine) | {"rows": sorted(ids)} for machine, ids in ordered]}


def write() -> None:
    """Write the file."""
    MEASURED.write_text(json.dumps(index(), indent=1) + "\n")


if __name__ == "__main__":
    write()
