"""Renames each field that passes between packages, in a copy of the tree, and checks that pyright reports every rename.

    make borders

Only the definition is renamed. The name must then be an error elsewhere in the program. The table shows in which
packages. Many fields are renamed at once, because pyright names the class with the field, or reports the argument of a
call that names the class.
"""

import argparse
import ast
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tools.border_types import ROOMS, Field, Tree, fields_of

ROOT = Path(__file__).parents[1]
RENAMED = "_that_was_renamed"
SETTINGS = {"include": [*ROOMS], "pythonVersion": "3.11", "venv": ".venv", "typeCheckingMode": "standard"}
MIN_CROSSING_RENAMES = 60
"""With fewer renames in another package than this, the search for such types is broken."""


def batches(tree: Tree, fields: Iterable[Field]) -> tuple[list[Field], list[Field]]:
    """Return the fields with plain values, and those with other such types, because a rename hides what is read through
    it."""
    borders = {name for _, name in tree.borders()}
    plain: list[Field] = []
    holding: list[Field] = []
    for one in fields:
        names = set(re.findall(r"\w+", one.annotation))
        (holding if names & borders else plain).append(one)
    return plain, holding


def found_in(tree: Tree, fields: Sequence[Field]) -> dict[Field, set[str]]:
    """Return, by field, the files where pyright reports its rename.

    Fields that are not found are renamed again without the found ones, as long as that finds more.
    """
    seen: dict[Field, set[str]] = {one: set() for one in fields}
    for batch in batches(tree, fields):
        todo = list(batch)
        while todo:
            print(f"pyright on {len(todo)} renames", file=sys.stderr, flush=True)
            errors = errors_after(todo, tree)
            seen |= {one: errors.get((one.class_, one.name), set()) for one in todo}
            left = [one for one in todo if not seen[one]]
            todo = [] if len(left) == len(todo) else left
    return seen


def errors_after(renames: Iterable[Field], tree: Tree) -> Mapping[tuple[str, str], set[str]]:
    """Return, by class and field, the files where pyright reports the renames in a copy."""
    with tempfile.TemporaryDirectory() as name:
        copy = Path(name).resolve()
        for room in ROOMS:
            if room.endswith(".py"):
                shutil.copy(tree.root / room, copy)
            else:
                shutil.copytree(tree.root / room, copy / room, ignore=shutil.ignore_patterns("__pycache__", "data"))
        for one in sorted(renames, reverse=True):
            _rename(copy / one.file, one)
        (copy / "pyrightconfig.json").write_text(json.dumps(SETTINGS | {"venvPath": str(tree.root)}))
        command = [sys.executable, "-m", "pyright", "--project", str(copy), "--outputjson"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for error in json.loads(ran.stdout)["generalDiagnostics"]:
            path = Path(error["file"])
            at = error["range"]["start"]
            for class_, field_name in _named(error["message"], path, at["line"] + 1, at["character"]):
                for base in tree.with_bases(class_):
                    found[base, field_name].add(path.relative_to(copy).as_posix())
        return found


def _named(message: str, path: Path, line: int, column: int) -> Iterator[tuple[str, str]]:
    """Yield the class and field in an error of pyright."""
    attribute = re.search(r'attribute "(\w+)" for class "(?:type\[)?(\w+)', message)
    if attribute:
        yield attribute[2], attribute[1]
    parameter = re.search(r'No parameter named "(\w+)"', message)
    if parameter:
        # The error is at the argument. The class is the one that is called there.
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    if (keyword.arg, keyword.lineno, keyword.col_offset) == (parameter[1], line, column):
                        yield ast.unparse(node.func).rpartition(".")[2], parameter[1]


def _rename(path: Path, one: Field) -> None:
    lines = path.read_text().splitlines(keepends=True)
    line, end = lines[one.line - 1], one.column + len(one.name)
    if line[one.column : end] != one.name:
        raise ValueError(f"{path}:{one.line} does not define {one.name}")
    lines[one.line - 1] = line[:end] + RENAMED + line[end:]
    path.write_text("".join(lines))


def main() -> int:
    """Print the table. Return 1 if a rename is not reported."""
    parser = argparse.ArgumentParser(description="Rename fields that pass between packages. Pyright must report each.")
    parser.add_argument("--list", action="store_true", help="only list the fields")
    options = parser.parse_args()
    tree = Tree(ROOT)
    fields = list(fields_of(tree, tree.borders()))
    if options.list:
        print("\n".join(f"{one.file}: {one.whole_name}" for one in fields))
        return 0
    seen = found_in(tree, fields)
    width = max(len(one.whole_name) for one in fields)
    for one in sorted(fields):
        rooms = sorted({file.partition("/")[0] for file in seen[one] - {one.file}})
        where = ", ".join(rooms) or ("its own file only" if seen[one] else "NOT FOUND")
        print(f"{one.whole_name:{width}}  {one.file:45}  {where}")
    found = [one for one in fields if seen[one]]
    crossing = [one for one in found if any(file.partition("/")[0] != one.room for file in seen[one])]
    print(f"{len(fields)} renames: {len(found)} found, of which {len(crossing)} in another room")
    return 0 if len(found) == len(fields) and len(crossing) >= MIN_CROSSING_RENAMES else 1


if __name__ == "__main__":
    sys.exit(main())
