"""pyright is strict everywhere, each suppression has a reason, and `typings/` describes what the libraries have."""

import ast
import importlib
import inspect
import re
import tomllib
from pathlib import Path

import pytest

from tests.house.test_layers import ROOMS, files_of

ROOT = Path(__file__).parents[2]
STUBS = sorted((ROOT / "typings").rglob("*.pyi"))
WITH_REASON = re.compile(r"# pyright: ignore\[report\w+(, report\w+)*\]  \(.+\)$")


def suppressions_without_reason(source: str) -> list[str]:
    """Return suppressions of the type checker without a rule and a reason."""
    lines = [line for line in source.splitlines() if re.search(r"#\s*(type|pyright):", line)]
    return [line.strip() for line in lines if not WITH_REASON.search(line)]


def test_every_room_is_strict() -> None:
    checked = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pyright"]

    assert set(checked["strict"]) == {"__main__.py", *ROOMS}
    assert set(checked["include"]) >= {"__main__.py", *ROOMS}
    assert checked["reportUnnecessaryTypeIgnoreComment"] is True


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_each_suppression_names_its_rule_and_its_reason(room: str) -> None:
    found = {str(file): suppressions_without_reason(file.read_text()) for file in files_of(room)}

    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "x = y  # type: ignore[arg-type]  (why)",
        "x = y  # pyright: ignore",
        "x = y  # pyright: ignore[reportPrivateUsage]",
        "# pyright: basic",
    ],
)
def test_the_rule_sees_a_suppression_that_says_too_little(line: str) -> None:
    assert suppressions_without_reason(line) == [line]
    assert suppressions_without_reason("x = y  # pyright: ignore[reportPrivateUsage]  (no public name)") == []


@pytest.mark.parametrize("stub", STUBS, ids=lambda stub: stub.relative_to(ROOT / "typings").as_posix())
def test_a_stub_matches_its_library(stub: Path) -> None:
    name = ".".join(stub.relative_to(ROOT / "typings").with_suffix("").parts).removesuffix(".__init__")
    library = importlib.import_module(name)

    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            assert parameters_missing(node, getattr(library, node.name)) == set(), node.name
        # Names with an underscore exist only in the stub.
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            made = getattr(library, node.name)
            for method in (each for each in node.body if isinstance(each, ast.FunctionDef) and not each.decorator_list):
                assert parameters_missing(method, getattr(made, method.name)) == set(), f"{node.name}.{method.name}"


def parameters_missing(stated: ast.FunctionDef, real: object) -> set[str]:
    """Return the parameters of a stub that the library's function lacks."""
    if not inspect.isroutine(real):
        return set()
    known = inspect.signature(real).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known.values()):
        return set()
    named = [*stated.args.args, *stated.args.kwonlyargs]
    return {one.arg for one in named if one.arg != "self"} - {*known}
