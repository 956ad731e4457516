"""The import rules of the layout: data flows in one direction, and only `__main__.py` imports everything."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = {"checks", "components", "config"}
ROOMS = PROGRAM | {"vllm_eks"}
MAY_NOT_IMPORT = {
    "vllm_eks": PROGRAM,
    "vllm_eks/planner": {"pulumi"},
    "components": {"config", "checks"},
    "checks": {"config", "components"},
    "config": {"components", "checks"},
    "config/settings": {"pulumi"},
    "config/values": {"pulumi"},
    "config/cross_field": {"pulumi"},
    "config/checked_stack.py": {"pulumi"},
    "vllm_eks/stack_files": {"pulumi"},
}
FLOORS = (
    {
        "vllm_eks.data",
        "vllm_eks.errors",
        "vllm_eks.json_fields",
        "vllm_eks.json_files",
        "vllm_eks.json_values",
        "vllm_eks.pins.eks",
        "vllm_eks.text_files",
    },
    {"bounds", "ranges", "units", "value_limits", "vllm_version"},
    {"models", "hardware", "load"},
    {"engine"},
    {"memory"},
    {"speed"},
    {"search"},
    {"sizing"},
)
"""The planner's packages from the bottom up, after the modules outside it and its own single ones. A package imports
only packages below it."""
MAY_READ_PULUMI_CONFIG = {"config/load.py", "__main__.py"}


def modules_imported_by(source: str) -> Iterator[str]:
    """Yield the imports of a module, anywhere in it. `from a import b` also counts as `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots_imported_by(source: str) -> set[str]:
    """Return the top-level packages that a module imports. pulumi_aws and similar count as pulumi."""
    roots = {name.split(".")[0] for name in modules_imported_by(source)}
    return {"pulumi" if root.startswith("pulumi_") else root for root in roots}


def files_of(room: str) -> list[Path]:
    return [ROOT / room] if room.endswith(".py") else sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_no_package_imports_developer_dependencies(room: str) -> None:
    assert [file for file in files_of(room) if roots_imported_by(file.read_text()) & {"tests", "tools"}] == []


@pytest.mark.parametrize("room", MAY_NOT_IMPORT)
def test_a_package_imports_only_allowed_packages(room: str) -> None:
    files = files_of(room)

    assert files
    for file in files:
        assert not roots_imported_by(file.read_text()) & MAY_NOT_IMPORT[room], file


def floor_of(name: str) -> int | None:
    """Return the level of a module, or None outside the planner."""
    below = name.removeprefix("vllm_eks.planner.").split(".")[0] if name.startswith("vllm_eks.planner.") else None
    for number, rooms in enumerate(FLOORS):
        if below in rooms or any(name == room or name.startswith(f"{room}.") for room in rooms if "." in room):
            return number
    return None


def test_the_planner_has_at_most_six_floors_and_imports_downwards() -> None:
    assert len(FLOORS) - 2 <= 6
    for file in files_of("vllm_eks/planner"):
        room = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        own = floor_of(room)
        if file.name == "__init__.py":
            continue
        assert own is not None, f"{room} is on no floor"
        for name in modules_imported_by(file.read_text()):
            if name.startswith("vllm_eks."):
                other = floor_of(name)
                same_room = name.split(".")[:3] == room.split(".")[:3]
                assert other is not None or name == "vllm_eks.planner", f"{room} imports {name}"
                assert other is None or other < own or same_room, f"{room} imports {name}, which is no floor below"


def depths(room: str) -> Mapping[str, int]:
    """Return the depth of imports inside a package, by module."""
    files = {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files_of(room)}
    imported = {name: {*modules_imported_by(file.read_text())} & files.keys() for name, file in files.items()}
    found: dict[str, int] = {}

    def depth(name: str, above: tuple[str, ...] = ()) -> int:
        assert name not in above, f"{name} imports itself by {' -> '.join(above)}"
        if name not in found:
            found[name] = 1 + max((depth(one, (*above, name)) for one in imported[name]), default=0)
        return found[name]

    for name in files:
        depth(name)
    return found


@pytest.mark.parametrize("room", ["models", "hardware", "load", "engine", "memory", "speed", "search", "sizing"])
def test_import_chains_inside_a_planner_package_are_short(room: str) -> None:
    assert max(depths(f"vllm_eks/planner/{room}").values()) <= 6


def test_only_the_loader_and_main_read_pulumi_config() -> None:
    for room in ROOMS:
        for file in files_of(room):
            if file.relative_to(ROOT).as_posix() not in MAY_READ_PULUMI_CONFIG:
                assert "pulumi.Config(" not in file.read_text(), file


def test_only_the_pods_scripts_change_sys_path() -> None:
    changing = {
        file.relative_to(ROOT).as_posix()
        for room in (*ROOMS, "tests")
        for file in files_of(room)
        if file.is_relative_to(ROOT / "vllm_eks" / "pods") is False and "sys.path." in file.read_text()
    }
    assert changing <= {"tests/e2e/engine_lab.py", "tests/e2e/real_pods.py", "tests/house/test_layers.py"}


def loaded_with(file: Path, seen: set[Path]) -> set[str]:
    """Return the packages that importing a module loads, without imports inside functions."""
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


def test_a_wrong_stack_file_is_reported_before_pulumi_is_loaded() -> None:
    judging = ("vllm_eks/cli/main.py", "vllm_eks/cli/preview.py", "config/checked_stack.py")
    loaded = set().union(*(loaded_with(ROOT / file, set()) for file in judging))
    assert {"config", "pydantic"} <= loaded
    assert not {name for name in loaded if name.startswith("pulumi")}
    assert "pulumi" in loaded_with(ROOT / "vllm_eks" / "preview" / "recording.py", set())


@pytest.mark.parametrize(
    ("source", "roots"),
    [
        ("import pulumi_aws as aws", {"pulumi"}),
        ("from pulumi.runtime import rpc", {"pulumi"}),
        ("def late():\n    from vllm_eks.planner import units", {"vllm_eks"}),
        ("import json, config.models", {"json", "config"}),
    ],
)
def test_the_rule_sees_every_way_of_importing(source: str, roots: set[str]) -> None:
    assert roots_imported_by(source) == roots
