"""What crosses a room is a type, passed whole: no `**` of a dict, and the list of `make borders` holds every border."""

import ast
from pathlib import Path

import pytest

from tools.border_types import Tree, fields_of
from tools.rename_borders import FEWEST, batches

ROOT = Path(__file__).parents[2]
PROGRAM = [
    ROOT / "__main__.py",
    *(path for room in ("checks", "components", "config") for path in sorted((ROOT / room).rglob("*.py"))),
]
SPLATS = {
    "checks/api.py": 3,  # boto3's methods, which have no static type
    "config/sections.py": 1,  # pydantic's own way to build a model with gaps
}
"""File -> how many calls take a `**` of a dict."""


def splats_in(source: str) -> int:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sum(keyword.arg is None for call in calls for keyword in call.keywords)


@pytest.fixture(scope="module")
def borders() -> set[str]:
    tree = Tree(ROOT)
    return {one.whole_name for one in fields_of(tree, tree.borders())}


def test_no_dict_is_splatted_into_a_call() -> None:
    found = {path.relative_to(ROOT).as_posix(): splats_in(path.read_text()) for path in PROGRAM}

    assert {name: count for name, count in found.items() if count} == SPLATS


def test_the_rule_sees_a_splat() -> None:
    assert splats_in("ClusterArgs(name, **facts, region=region)") == 1
    assert splats_in("{**tags, 'Name': name}; run(*names)") == 0


def test_the_program_is_formatted_as_everything_else() -> None:
    assert "fmt:" not in (ROOT / "__main__.py").read_text()


def test_what_main_hands_on_is_among_the_borders(borders: set[str]) -> None:
    assert len(borders) >= FEWEST
    assert borders >= {
        "ClusterConnection.security_group_ids",
        "ClusterSpec.kubernetes_version",
        "FoundControlPlane.endpoint",
        "GpuNodeGroupArgs.nodes",
        "ImagesSettings.hook",
        "ModelRelease.values",
        "NetworkSpec.zones",
        "NodeSpec.close_together",
        "Secrets.api_key",
        "ServingSpec.flags",
        "StackConfig.deployer",
        "StackFacts.network",
        "WeightsSpec.copy_seconds",
    }


def test_a_rename_that_hides_others_is_not_made_with_them() -> None:
    tree = Tree(ROOT)
    fields = list(fields_of(tree, tree.borders()))
    plain, holding = ({one.whole_name for one in batch} for batch in batches(tree, fields))

    assert plain | holding == {one.whole_name for one in fields}
    assert "NetworkSpec.existing" in holding
    assert "NetworkSpec.cidr" in plain
