"""docs/how-to/edits.md on the real engine: the preview of each edit of a deployed stack, against the page's row.

tests/program/test_edits.py holds the same rows under mocks. Here the engine, the Kubernetes provider and the state are
real. The AWS provider is a stand-in with the Terraform provider's rules for replacement.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.engine_lab import (
    COMPONENTS,
    LAB,
    REPLACING,
    make_boundary,
    make_reservation,
    nothing_is_left,
    why_not,
)
from tests.e2e.front_doors import certificate, hosted_zone, new_stack, open_door_lab, remove_crds
from tests.e2e.stand_in_charts import stand_in_charts
from tests.program.edit_rows import CERTIFICATE, EDITED_FROM, EDITS, HOSTED_ZONE, ROWS, Change, stack_file
from tests.program.edits import kind_of

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

COLUMNS = {"update": "in place", "create": "created", "delete": "deleted"} | dict.fromkeys(REPLACING, "replaced")
RELEASE_TOO = {"`capacityReservationId`"}
"""Rows whose release changes only because the launch template gets a new version, which mocks do not show. The row's
note says it."""
STARTS = {change: [row for row in EDITED_FROM if EDITED_FROM[row] is change] for change in EDITED_FROM.values()}
"""The rows that begin with each other stack."""
KEY_OF_CLIENT = "team-a-0123456789abcdef0123456789"
INSIDE = ("aws:eks/cluster:Cluster", "aws:eks/addon:Addon")
"""What the page calls the control plane if pulumi-eks's component makes it."""


@dataclass(frozen=True)
class Charts:
    """Folders of charts."""

    stand_ins: Mapping[str, Mapping[str, str]]
    newer: Path


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    with open_door_lab() as found:
        yield found


@pytest.fixture(scope="module")
def ids(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the rows name, and the IDs that the emulated account gives it."""
    folder = tmp_path_factory.mktemp("certificate")
    return {
        "arn:aws:iam::123456789012:policy/boundary": make_boundary(lab),
        "cr-0123456789abcdef0": make_reservation(lab),
        CERTIFICATE: certificate(lab, folder, "models.example.com", "llm.example.com"),
        HOSTED_ZONE: hosted_zone(lab),
    }


@pytest.fixture(scope="module")
def charts(tmp_path_factory: pytest.TempPathFactory) -> Charts:
    """The stand-ins for charts that the lab does not have, and another version of one that it has."""
    folder = tmp_path_factory.mktemp("charts")
    newer = shutil.copytree(LAB / "charts" / "lws", folder / "lws")
    about = yaml.safe_load((newer / "Chart.yaml").read_text())
    (newer / "Chart.yaml").write_text(yaml.safe_dump(about | {"version": "0.10.1"}))
    return Charts(stand_ins=stand_in_charts(folder / "stand-ins"), newer=newer)


@dataclass(frozen=True)
class Deployed:
    """A deployed stack, and the edit with which it began."""

    stack: Any
    start: Change | None
    ids: Mapping[str, str]
    charts: Charts

    def configure(self, row: str | None = None) -> None:
        """Put the stack file with the edit of a row in place."""
        text = stack_file(both(*([self.start] if self.start else []), *([EDITS[row]] if row else [])))
        for name, real in self.ids.items():
            text = text.replace(name, real)
        settings = yaml.safe_load(text)
        config = settings["config"]
        # The row's chart is a version of the publisher's, which the lab cannot download.
        own = {"leaderWorkerSet": {"path": str(self.charts.newer)}} if "vllm-eks:charts" in config else {}
        config["vllm-eks:charts"] = {**self.charts.stand_ins, **own}
        # The row's keys are encrypted for another stack.
        clients = list(config.pop("vllm-eks:clientKeys", ()))
        self.stack.configure(settings)
        for client in clients:
            path = ["--path", f"vllm-eks:clientKeys.{client}", KEY_OF_CLIENT]
            self.stack._pulumi(["config", "set", "--secret", "--stack", self.stack.name, *path]).check()


@pytest.fixture(scope="module", params=[None, *STARTS], ids=lambda start: STARTS[start][0] if start else "as it is")
def deployed(request: pytest.FixtureRequest, lab: Any, ids: dict[str, str], charts: Charts) -> Iterator[Deployed]:
    """The stack that most rows edit, and then the stacks that some rows begin with. Each is destroyed at its end."""
    start: Change | None = request.param
    name = f"edits-{list(STARTS).index(start)}" if start else "edits"
    found = Deployed(new_stack(lab, name, {"config": {}}), start, ids, charts)
    found.configure()
    found.stack.up().check()
    yield found
    found.configure()
    found.stack.destroy().check()
    remove_crds(lab)
    assert nothing_is_left(lab)


def both(*changes: Change) -> Change:
    """Return one edit that makes all of these."""

    def change(config: dict[str, Any]) -> None:
        for one in changes:
            one(config)

    return change


def word(step: Any) -> str:
    """Return the page's name of what a step changes."""
    if step.type in INSIDE and "-control-plane-" in step.name:
        return "control plane"
    return kind_of(step.type, step.name, has_own_chart=step.name.endswith("-release"))


def on_the_page(row: str) -> dict[str, set[str]]:
    """Return the row's cells. A group whose nodes are rolled is changed in place."""
    replaced, rolled, in_place, made, gone = ({one for one in cell.strip().split(", ") if one} for cell in ROWS[row])
    release = {"model release"} if row in RELEASE_TOO else set[str]()
    return {"replaced": replaced, "in place": in_place | rolled | release, "created": made, "deleted": gone}


def test_the_engine_s_preview_matches_the_page(deployed: Deployed) -> None:
    rows = STARTS[deployed.start] if deployed.start else [row for row in EDITS if row not in EDITED_FROM]
    wrong: list[str] = []
    for row in rows:
        deployed.configure(row)
        found: dict[str, set[str]] = {"replaced": set(), "in place": set(), "created": set(), "deleted": set()}
        for step in deployed.stack.preview().check().changed:
            if not step.type.startswith(COMPONENTS):
                found[COLUMNS[step.op]].add(word(step))
        if found != on_the_page(row):
            wrong.append(f"{row}: the engine {found}, the page {on_the_page(row)}")
    assert wrong == []
