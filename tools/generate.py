"""Writes all generated files: `make generate`. A test checks that they are up to date."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.dashboards.pages import DASHBOARD_FILES
from tools.reference.chart_values_page import chart_values_page
from tools.reference.command_line_page import command_line_page
from tools.reference.planner_pages import json_page, outputs_page, refusal_codes_page
from tools.reference.project_file import project_file
from tools.reference.stack_file_page import stack_file_page
from tools.reference.stack_schema import stack_schema
from tools.size_examples import size_page

ROOT = Path(__file__).parents[1]


def _schema() -> str:
    return json.dumps(stack_schema(), indent=1, ensure_ascii=False) + "\n"


GENERATED: Mapping[str, Callable[[], str]] = {
    "config/schema.json": _schema,
    "Pulumi.yaml": lambda: project_file((ROOT / "Pulumi.yaml").read_text()),
    "docs/reference/stack-file.md": stack_file_page,
    "docs/reference/command-line.md": command_line_page,
    "docs/reference/chart-values.md": chart_values_page,
    "docs/reference/refusal-codes.md": refusal_codes_page,
    "docs/reference/outputs.md": outputs_page,
    "docs/reference/json.md": json_page,
    "docs/how-to/size.md": size_page,
    **DASHBOARD_FILES,
}
"""Each file by its path in the repository, with the function that returns its text."""


def main() -> None:
    """Write the files that are out of date, and print their names."""
    for name, text in GENERATED.items():
        path, wanted = ROOT / name, text()
        if not path.exists() or path.read_text() != wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted)
            print(f"wrote {name}")


if __name__ == "__main__":
    main()
