"""Prints the table of one vLLM version's flags, from the live parser of `vllm serve`.

    PYTHONPATH=unpacked-wheel python tests/flag_tables/make_table.py 0.27.0 "source" > 0.27.0.json

Runs with a Python that has vLLM's requirements, not this project's. An unpacked wheel first on the path replaces the
installed version. The allowed values are determined with the parser's own conversion functions.
"""

import argparse
import ast
import importlib
import json
import sys
import typing
from pathlib import Path
from typing import Any

from tests.flag_tables.value_limits import value_limits

PARSER_MODULES = ("common", "launchers", "openai")
"""vllm.entrypoints.X.cli_args: it moved between versions."""
REFUSED = object()
SHOWN_DEFAULTS = (bool, int, float, str, type(None))


def main() -> None:
    """Print the table as JSON."""
    version, source = sys.argv[1:]
    empty = importlib.import_module("vllm.utils.argparse_utils").FlexibleArgumentParser()
    parser = parser_module().make_arg_parser(empty)
    spellings: dict[int, list[str]] = {}
    for spelling, action in parser._option_string_actions.items():  # action.option_strings excludes hidden flags
        spellings.setdefault(id(action), []).append(spelling)
    rows = [row_of(action, spellings[id(action)]) for action in parser._actions if id(action) in spellings]
    limits = value_limits()
    rows = [(name, row | limits.get(name, {})) for name, row in rows]
    table = {
        "vllm": version,
        "source": source,
        "parsers": parsers(Path(importlib.import_module("vllm").__path__[0])),
        "kv_cache_dtypes": sorted(typing.get_args(importlib.import_module("vllm.config.cache").CacheDType)),
        "environment": sorted(importlib.import_module("vllm.envs").environment_variables),
        "flags": dict(sorted(rows)),
    }
    print(on_one_line_each(table))


def on_one_line_each(table: dict[str, Any]) -> str:
    """Return JSON with a line for each flag, so that two versions can be compared."""
    *heads, last = (f"{json.dumps(key)}: {json.dumps(value)}" for key, value in table.items() if key != "flags")
    rows = ",\n".join(f" {json.dumps(flag)}: {json.dumps(row)}" for flag, row in table["flags"].items())
    return "{" + ",\n".join([*heads, last, '"flags": {\n' + rows + "\n}"]) + "}"


def parser_module() -> Any:
    """Return the module that creates the parser, wherever it is in this version."""
    for name in PARSER_MODULES:
        try:
            return importlib.import_module(f"vllm.entrypoints.{name}.cli_args")
        except ImportError:
            continue
    raise SystemExit("this vLLM has no cli_args module where one is known")


def row_of(action: argparse.Action, spellings: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the main spelling of a flag, and its properties."""
    inverses = [spelling for spelling in spellings if sets(action, spelling) is False]
    names = [spelling for spelling in spellings if spelling not in inverses]
    main = next((name for name in names if name.startswith("--")), names[0])
    row: dict[str, Any] = {"form": form_of(action)}
    if len(names) > 1:
        row["aliases"] = [name for name in names if name != main]
    if inverses:
        row["inverses"] = inverses
    if action.choices:
        row["choices"] = [str(choice) for choice in action.choices]
        if converted(action, "A-b") not in ("A-b", REFUSED):
            row["folds_case"] = True
    if action.nargs in ("+", "*", "?"):
        row["nargs"] = action.nargs
    if action.nargs != 0 and converted(action, "None") is None:
        row["none"] = True
    if isinstance(action, argparse._AppendAction):
        row["repeats"] = True
    if isinstance(action.default, SHOWN_DEFAULTS) and action.default is not argparse.SUPPRESS:
        row["default"] = action.default
    keys = keys_of(action.type)
    if keys:
        row["keys"] = keys
    return main, row


def sets(action: argparse.Action, spelling: str) -> object:
    """Return the value of a flag without an argument: True, or False for the inverse of another spelling."""
    if action.nargs != 0 or isinstance(action, argparse._HelpAction):
        return None
    if isinstance(action, argparse._StoreTrueAction | argparse._StoreFalseAction):
        return True
    namespace = argparse.Namespace()
    action(argparse.ArgumentParser(), namespace, [], spelling)
    return getattr(namespace, action.dest)


def form_of(action: argparse.Action) -> str:
    """Return the kind of value: flag (none), choice, json, or the types that the conversion accepts."""
    if action.nargs == 0:
        return "flag"
    if action.choices:
        return "choice"
    if takes(action, "x"):
        return "string"
    if takes(action, "{}") or takes(action, "[]"):
        return "json"
    if takes(action, "auto"):
        return "human_integer_or_auto"
    if takes(action, "32k"):
        return "human_integer"
    if takes(action, "1.5"):
        return "float"
    return "integer" if takes(action, "12") else "string"


def takes(action: argparse.Action, sample: str) -> bool:
    """Return whether the conversion accepts a sample."""
    return converted(action, sample) is not REFUSED


def converted(action: argparse.Action, sample: str) -> object:
    """Return the converted sample, or REFUSED."""
    if not callable(action.type):
        return sample
    try:
        return action.type(sample)
    except Exception:  # argparse ends the program after any error
        return REFUSED


def keys_of(convert: object) -> list[str]:
    """Return the keys of the JSON object that becomes a dataclass, or none for other kinds."""
    cells = [cell.cell_contents for cell in getattr(convert, "__closure__", None) or ()]
    for cell in cells:  # the conversion of an optional value contains that of the value
        if keys := keys_of(cell):
            return keys
    for holder in (convert, *(getattr(convert, "__defaults__", None) or ())):
        fields = getattr(holder, "__dataclass_fields__", None)
        if fields:
            return sorted(name for name, field in fields.items() if field.init)
    return []


def parsers(root: Path) -> dict[str, list[str]]:
    """Return the names of the parsers: the keys of vLLM's registration tables."""
    found = {}
    for kind, path in (("tool", "tool_parsers/__init__.py"), ("reasoning", "reasoning/__init__.py")):
        for node in ast.walk(ast.parse((root / path).read_text())):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                if getattr(target, "id", "").endswith("_TO_REGISTER") and isinstance(node.value, ast.Dict):
                    found[kind] = sorted(ast.literal_eval(key) for key in node.value.keys if key)
    return found


if __name__ == "__main__":
    main()
