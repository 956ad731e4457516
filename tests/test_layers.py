"""The import rules of the layout: data goes one way, and only `__main__.py` sees all of it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = {"checks", "cli", "components", "config", "planner"}
MAY_NOT_IMPORT = {
    "planner": {"pulumi", "config", "components", "checks", "cli"},
    "components": {"config", "planner", "checks", "cli"},
    "checks": {"config", "components", "cli"},
    "config": {"components", "checks", "cli"},
    "config/stack_settings.py": {"pulumi"},
    "config/model_settings.py": {"pulumi"},
    "config/rules.py": {"pulumi"},
    "config/checked_stack.py": {"pulumi"},
    "config/stack_file.py": {"pulumi"},
}
MAY_READ_PULUMI_CONFIG = {"config/loader.py", "__main__.py"}


def roots_imported_by(source: str) -> set[str]:
    """Return the top-level packages a module imports; pulumi_aws and its like count as pulumi."""
    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    roots = {name.split(".")[0] for name in plain | named}
    return {"pulumi" if root.startswith("pulumi_") else root for root in roots}


def files_of(room: str) -> list[Path]:
    return [ROOT / room] if room.endswith(".py") else sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", MAY_NOT_IMPORT)
def test_a_room_imports_only_what_it_may(room: str) -> None:
    files = files_of(room)

    assert files
    for file in files:
        assert not roots_imported_by(file.read_text()) & MAY_NOT_IMPORT[room], file


def test_only_the_loader_and_main_read_pulumi_config() -> None:
    for room in ROOMS:
        for file in files_of(room):
            if file.relative_to(ROOT).as_posix() not in MAY_READ_PULUMI_CONFIG:
                assert "pulumi.Config(" not in file.read_text(), file


def loaded_with(file: Path, seen: set[Path]) -> set[str]:
    """Return the packages that importing one of our modules loads; what is imported inside functions is left out."""
    seen.add(file)
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found |= {name.partition(".")[0] for name in names}
        ours = (ROOT / f"{name.replace('.', '/')}.py" for name in names)
        for other in (one for one in ours if one.is_file() and one not in seen):
            found |= loaded_with(other, seen)
    return found


def test_a_wrong_stack_file_is_judged_before_pulumi_is_loaded() -> None:
    loaded = loaded_with(ROOT / "cli" / "main.py", set()) | loaded_with(ROOT / "cli" / "preview_command.py", set())
    assert {"config", "planner"} <= loaded
    assert not {name for name in loaded if name.startswith("pulumi")}
    assert "pulumi" in loaded_with(ROOT / "cli" / "recording.py", set())


@pytest.mark.parametrize(
    ("source", "roots"),
    [
        ("import pulumi_aws as aws", {"pulumi"}),
        ("from pulumi.runtime import rpc", {"pulumi"}),
        ("def late():\n    from planner.plan import plan", {"planner"}),
        ("import json, config.models", {"json", "config"}),
    ],
)
def test_the_rule_sees_every_way_of_importing(source: str, roots: set[str]) -> None:
    assert roots_imported_by(source) == roots
