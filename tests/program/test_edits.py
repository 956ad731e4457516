"""docs/how-to/edits.md: each row matches two runs of the program and the providers' schemas."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.program.edit_rows import EDITED_FROM, EDITS, ROOT, ROWS, Change, stack_file
from tests.program.edits import NODE_GROUP, Effect, effect, schema
from tests.support.files import rewrite
from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file


@dataclass
class Runs:
    """A stack that is edited."""

    folder: Path
    known: dict[str, Recording] = field(default_factory=dict)
    """By text of the stack file, because one edit may end where another begins."""

    def record_once(self, change: Change) -> Recording:
        text = stack_file(change)
        if text not in self.known:
            self.known[text] = self.record(change)
        return self.known[text]

    def record(self, change: Change | None = None) -> Recording:
        rewrite(self.folder / "Pulumi.test.yaml", stack_file(change))
        return record(self.folder, read_stack_file(self.folder, "test").for_offline_preview())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("edited")
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "charts", folder / "charts")
    return Runs(folder)


@pytest.fixture(scope="module")
def before(runs: Runs) -> Recording:
    return runs.record()


def test_every_edit_has_its_row_and_every_row_its_edit() -> None:
    assert set(ROWS) - {"edit", "---"} >= set(EDITS)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_has_the_effect_in_its_row(runs: Runs, before: Recording, edit: str) -> None:
    if start := EDITED_FROM.get(edit):
        before = runs.record_once(start)

    def both(config: dict[str, Any]) -> None:
        if start:
            start(config)
        EDITS[edit](config)

    found = effect(before, runs.record_once(both)).cells()
    assert found == [cell.strip() for cell in ROWS[edit]], f"| {edit} | {' | '.join(found)} |"


def test_a_second_run_changes_nothing_though_the_key_is_made_at_each(runs: Runs) -> None:
    first, second = (runs.record(lambda config: config.pop("vllm-eks:apiKey")) for _ in range(2))
    (stash,), (again,) = (run.of_type("pulumi:index:Stash") for run in (first, second))
    assert stash.inputs != again.inputs
    # The Secret's own content is the Stash's output, which the engine keeps: tests/e2e/test_real_engine.py.
    assert effect(first, second).in_place <= {"secret"}


def test_a_run_without_an_edit_changes_nothing(runs: Runs, before: Recording) -> None:
    nothing = Effect(*(frozenset() for _ in range(5)))
    assert effect(before, runs.record()) == nothing
    assert effect(before, before) == nothing


def test_an_edited_chart_reaches_the_release(runs: Runs, before: Recording) -> None:
    template = runs.folder / "charts" / "vllm" / "templates" / "service.yaml"
    text = template.read_text()
    template.write_text(text + "# a comment\n")
    try:
        # The digest is of the chart next to the program's own code, not of the copy in the folder.
        assert effect(before, runs.record()).in_place <= {"model release"}
    finally:
        template.write_text(text)


def test_no_edit_replaces_the_control_plane_or_a_release_but_those_that_say_so() -> None:
    dear = {"control plane", "model release", "controller release", "system node group"}
    assert {edit for edit in EDITS if dear & set(ROWS[edit][0].replace(",", " ").split("  "))} <= {"`cidr`"}


def test_gpu_groups_are_replaced_delete_first(before: Recording) -> None:
    groups = [one for one in before.of_type(NODE_GROUP) if "vllm-eks/model" in (one.inputs.get("labels") or {})]
    assert [one.request.deleteBeforeReplace for one in groups] == [True]


def test_the_table_of_schemas_has_every_type_of_the_program(before: Recording) -> None:
    assert {one.type for one in before.registrations if one.type.startswith(("aws:", "kubernetes:"))} <= schema().keys()
