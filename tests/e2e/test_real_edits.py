"""docs/how-to/edits.md on the real engine: the preview of each edit of a deployed stack, against the page's row.

tests/program/test_edits.py holds the same rows under mocks. Here the engine, the Kubernetes provider and the state are
real. The AWS provider is a stand-in with the Terraform provider's rules for replacement.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.e2e.engine_lab import (
    COMPONENTS,
    REPLACING,
    make_boundary,
    make_reservation,
    nothing_is_left,
    open_lab,
    why_not,
)
from tests.program.edit_rows import EDITED_FROM, EDITS, ROWS, Change, stack_file
from tests.program.edits import kind_of

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

COLUMNS = {"update": "in place", "create": "created", "delete": "deleted"} | dict.fromkeys(REPLACING, "replaced")
RELEASE_TOO = {"`capacityReservationId`"}
"""Rows whose release changes only because the launch template gets a new version, which mocks do not show. The row's
note says it."""
NO_CHART = {"`charts`", "`observability.prometheus` to `install`", "`observability.logs`"}
"""The lab has the charts of every stack only, at their pinned versions."""
NO_TYPE = {"`endpoint` added", "`endpoint.scheme`", "`endpoint.domain`"}
"""The lab's AWS provider has no load balancers."""
NO_KEY = {"`clientKeys`, `clients`"}
"""A stack file has these keys only encrypted, and the lab's stack has another key than the row."""
NOT_HERE = NO_CHART | NO_TYPE | NO_KEY
"""Rows that the lab cannot preview."""
assert EDITS.keys() >= NOT_HERE
STARTS = [None, *(row for row in EDITED_FROM if row not in NOT_HERE)]
INSIDE = ("aws:eks/cluster:Cluster", "aws:eks/addon:Addon")
"""What the page calls the control plane if pulumi-eks's component makes it."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    with open_lab() as found:
        yield found


@pytest.fixture(scope="module")
def ids(lab: Any) -> dict[str, str]:
    """What the rows name, and the IDs that the emulated account gives it."""
    return {
        "arn:aws:iam::123456789012:policy/boundary": make_boundary(lab),
        "cr-0123456789abcdef0": make_reservation(lab),
    }


@pytest.fixture(scope="module", params=STARTS, ids=lambda start: "as it is" if start is None else start)
def deployed(request: pytest.FixtureRequest, lab: Any) -> Iterator[tuple[Any, str | None]]:
    """The stack that most rows edit, and then the stacks that some rows begin with. Each is destroyed at its end."""
    start: str | None = request.param
    name = f"edits-{list(EDITED_FROM).index(start)}" if start else "edits"
    stack = lab.stack(name, yaml.safe_load(stack_file(EDITED_FROM.get(start or ""))))
    stack.up().check()
    yield stack, start
    stack.configure(yaml.safe_load(stack_file(EDITED_FROM.get(start or ""))))
    stack.destroy().check()
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


def test_the_engine_s_preview_matches_the_page(deployed: tuple[Any, str | None], ids: dict[str, str]) -> None:
    stack, start = deployed
    rows = [start] if start else [row for row in EDITS if row not in EDITED_FROM and row not in NOT_HERE]
    wrong: list[str] = []
    for row in rows:
        changes = [EDITED_FROM[start]] if start else []
        text = stack_file(both(*changes, EDITS[row]))
        for name, real in ids.items():
            text = text.replace(name, real)
        stack.configure(yaml.safe_load(text))
        found: dict[str, set[str]] = {"replaced": set(), "in place": set(), "created": set(), "deleted": set()}
        for step in stack.preview().check().changed:
            if not step.type.startswith(COMPONENTS):
                found[COLUMNS[step.op]].add(word(step))
        if found != on_the_page(row):
            wrong.append(f"{row}: the engine {found}, the page {on_the_page(row)}")
    assert wrong == []
