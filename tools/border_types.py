"""Lists the types that pass between the program's packages, from its source.

Such a type is a dataclass or a settings model that another package imports, accepts or returns. The packages are
`__main__.py`, `config`, `checks`, `components` and `vllm_eks`.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

ROOMS = ("__main__.py", "config", "checks", "components", "vllm_eks")


@dataclass(frozen=True, order=True)
class Field:
    """A field of such a type, with its definition."""

    file: str
    class_: str
    name: str
    line: int
    column: int
    annotation: str

    @property
    def room(self) -> str:
        """The first folder."""
        return self.file.partition("/")[0]

    @property
    def whole_name(self) -> str:
        """Class and field."""
        return f"{self.class_}.{self.name}"


@dataclass
class Module:
    """One file of the program: its names and imports."""

    file: str
    tree: ast.Module
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Local name -> module, and the name there."""

    @property
    def room(self) -> str:
        """The first folder, or `__main__.py`."""
        return self.file.partition("/")[0]

    @cached_property
    def defined(self) -> dict[str, ast.ClassDef | ast.FunctionDef]:
        """Top-level classes and functions of the file, by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}


class Tree:
    """All modules of the program, by dotted name."""

    def __init__(self, root: Path) -> None:
        """Parse all modules of the packages."""
        self.root = root
        self.modules: dict[str, Module] = {}
        for room in ROOMS:
            files = [root / room] if room.endswith(".py") else sorted((root / room).rglob("*.py"))
            for path in files:
                module = Module(file=path.relative_to(root).as_posix(), tree=ast.parse(path.read_text()))
                for node in ast.walk(module.tree):
                    if isinstance(node, ast.ImportFrom) and node.module:
                        module.imports |= {one.asname or one.name: (node.module, one.name) for one in node.names}
                self.modules[".".join(path.relative_to(root).with_suffix("").parts)] = module

    def resolve(self, module: str, name: str) -> tuple[str, str] | None:
        """Return the definition of a module's name, or None outside the program."""
        if module not in self.modules:
            return None
        if name in self.modules[module].defined:
            return module, name
        return self.resolve(*self.modules[module].imports[name]) if name in self.modules[module].imports else None

    def class_of(self, place: tuple[str, str]) -> ast.ClassDef | None:
        """Return the class at a definition, or None for a function."""
        node = self.modules[place[0]].defined[place[1]]
        return node if isinstance(node, ast.ClassDef) else None

    def is_data(self, place: tuple[str, str]) -> bool:
        """Return whether a class is a dataclass or a pydantic model."""
        node = self.class_of(place)
        if node is None:
            return False
        if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
            return True
        bases = [ast.unparse(base) for base in node.bases]
        found = [self.resolve(place[0], base) for base in bases]
        return "BaseModel" in bases or any(self.is_data(base) for base in found if base)

    def mentioned(self, place: tuple[str, str]) -> Iterator[tuple[str, str]]:
        """Yield the types in annotations: of fields and return values of methods, or all of a function."""
        node = self.modules[place[0]].defined[place[1]]
        members = [node] if isinstance(node, ast.FunctionDef) else node.body
        annotations: list[ast.expr | None] = []
        for member in members:
            if isinstance(member, ast.AnnAssign):
                annotations.append(member.annotation)
            elif isinstance(member, ast.FunctionDef):
                annotations.append(member.returns)
                if member is node:
                    annotations += [arg.annotation for arg in (*member.args.args, *member.args.kwonlyargs)]
        names = {name.id for one in annotations if one for name in ast.walk(one) if isinstance(name, ast.Name)}
        if isinstance(node, ast.ClassDef):
            names |= {base.id for base in node.bases if isinstance(base, ast.Name)}
        yield from (found for name in names if (found := self.resolve(place[0], name)))

    def with_bases(self, class_name: str) -> set[str]:
        """Return a class's name and the names of all its bases in the program."""
        names = {class_name}
        for module in self.modules.values():
            node = module.defined.get(class_name)
            if isinstance(node, ast.ClassDef):
                for base in node.bases:
                    names |= self.with_bases(ast.unparse(base))
        return names

    def borders(self) -> set[tuple[str, str]]:
        """Return the data classes that pass between packages."""
        todo = {
            found
            for module in self.modules.values()
            for source, name in module.imports.values()
            if (found := self.resolve(source, name)) and self.modules[found[0]].room != module.room
        }
        seen: set[tuple[str, str]] = set()
        while todo:
            place = todo.pop()
            seen.add(place)
            todo |= {one for one in self.mentioned(place) if one not in seen}
        return {place for place in seen if self.is_data(place)}


def fields_of(tree: Tree, places: Iterable[tuple[str, str]]) -> Iterator[Field]:
    """Yield the fields that each class itself defines."""
    for module, name in sorted(places):
        node = tree.class_of((module, name))
        for member in node.body if node else ():
            if isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                target = member.target
                yield Field(
                    tree.modules[module].file,
                    name,
                    target.id,
                    target.lineno,
                    target.col_offset,
                    ast.unparse(member.annotation),
                )
