"""Data passes between packages as whole typed values: no `**` of a dict, and `make borders` lists every such type.

A `**` hides a renamed field from the type checker, on both sides.
"""

import ast
from pathlib import Path

import pytest

from tools.border_types import Tree, fields_of
from tools.rename_borders import MIN_CROSSING_RENAMES, batches

ROOT = Path(__file__).parents[2]
PROGRAM = [
    ROOT / "__main__.py",
    *(path for room in ("checks", "components", "config", "vllm_eks") for path in sorted((ROOT / room).rglob("*.py"))),
]
SPLATS = {
    "checks/api.py": 3,  # boto3's methods, which have no static type
    "config/sections.py": 1,  # pydantic's own way to build a model with gaps
    "vllm_eks/aws/account.py": 3,  # boto3's methods
    "vllm_eks/aws/session.py": 1,  # boto3's methods
    "vllm_eks/doctor/api.py": 2,  # the query of a URL
    "vllm_eks/leftovers/services.py": 1,  # boto3's methods
    "vllm_eks/pins/offered.py": 1,  # boto3's methods
    "vllm_eks/pods/engine_tokens.py": 2,  # a method of vLLM, whose further arguments differ by version
    "vllm_eks/preview/embedded_engine.py": 1,  # any call that is submitted to an executor
}
"""File -> number of calls with a `**` of a dict."""


def splats_in(source: str) -> int:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return sum(keyword.arg is None for call in calls for keyword in call.keywords)


def records_of_splats_in(source: str) -> list[str]:
    """Return the classes that are called with `**`. Records must be read field by field (`vllm_eks.json_fields`)."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    called = [call.func for call in calls if any(keyword.arg is None for keyword in call.keywords)]
    names = [func.attr if isinstance(func, ast.Attribute) else ast.unparse(func) for func in called]
    return [name for name in names if name == "cls" or name.lstrip("_")[:1].isupper()]


@pytest.fixture(scope="module")
def borders() -> set[str]:
    tree = Tree(ROOT)
    return {one.whole_name for one in fields_of(tree, tree.borders())}


def test_no_dict_is_splatted_into_a_call() -> None:
    found = {path.relative_to(ROOT).as_posix(): splats_in(path.read_text()) for path in PROGRAM}

    assert {name: count for name, count in found.items() if count} == SPLATS


def test_no_record_is_built_from_a_dict_as_it_comes() -> None:
    found = {path.relative_to(ROOT).as_posix(): records_of_splats_in(path.read_text()) for path in PROGRAM}

    assert {name: records for name, records in found.items() if records} == {}


def test_the_rule_sees_a_record_built_from_a_dict() -> None:
    source = "Row(**row); weights._Row(**row); cls(**row); client.describe(**asked); Row(flags=row['flags'])"

    assert records_of_splats_in(source) == ["Row", "_Row", "cls"]


def test_the_rule_sees_a_splat() -> None:
    assert splats_in("ClusterArgs(name, **facts, region=region)") == 1
    assert splats_in("{**tags, 'Name': name}; run(*names)") == 0


def test_the_program_is_formatted_like_everything_else() -> None:
    assert "fmt:" not in (ROOT / "__main__.py").read_text()


def test_types_used_in_main_are_among_the_borders(borders: set[str]) -> None:
    assert len(borders) >= MIN_CROSSING_RENAMES
    assert borders >= {
        "ClusterConnection.security_group_ids",
        "ClusterSpec.kubernetes_version",
        "FoundControlPlane.endpoint",
        "NodeSite.cluster",
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
