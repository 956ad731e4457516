"""Wrong stack files, each with its exact report: `Pulumi.<case>.yaml` and `<case>.txt`.

Every report is a `pulumi.RunError`, which the Pulumi CLI prints without a traceback.
"""

import shutil
from pathlib import Path

import pytest

from tests.support.stack_config import report_of

ROOT = Path(__file__).parents[3]
WRONG = ROOT / "tests" / "data" / "wrong_stacks"
CASES = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in WRONG.glob("Pulumi.*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_stack_file_gets_exactly_its_report(folder: Path, case: str) -> None:
    shutil.copy(WRONG / f"Pulumi.{case}.yaml", folder)

    assert report_of(folder, case) + "\n" == (WRONG / f"{case}.txt").read_text()


def test_no_report_mentions_python_or_pydantic() -> None:
    reports = " ".join((WRONG / f"{case}.txt").read_text() for case in CASES)

    assert len(CASES) >= 70
    for jargon in ("pydantic", "Traceback", "input_type", "Input should", "validation error", "Value error", "None"):
        assert jargon not in reports
