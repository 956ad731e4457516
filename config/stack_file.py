"""Read a stack file the way the Pulumi CLI would, for an offline preview: no CLI, no passphrase.

Differences from the CLI: `secure:` values stay closed and are handed on as a placeholder, and what an
`environment:` (Pulumi ESC) would add is not known.
"""

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from config.stack_values import SECRET_PLACEHOLDER, StackFile


class StackFileError(ValueError):
    """The stack file cannot be read; the message is one line and says what to do."""


def read_stack_file(folder: Path, stack: str) -> StackFile:
    """Read `Pulumi.yaml` and `Pulumi.<stack>.yaml` of a project folder.

    Raises:
        StackFileError: A file is missing, is not YAML, or holds no `config:`.
    """
    project_file = _read_yaml(folder / "Pulumi.yaml")
    project = project_file.get("name")
    if not isinstance(project, str):
        raise StackFileError(f"{folder / 'Pulumi.yaml'} has no name: give the project one, such as vllm-eks")
    path = folder / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        raise StackFileError(f"there is no {path.name} in {folder.resolve()}: {_stacks_that_exist(folder)}")
    values = _read_yaml(path).get("config")
    if not isinstance(values, dict) or not values:
        raise StackFileError(f"{path.name} has no settings: write them below config:")
    values = {_full_key(key, project): value for key, value in values.items()}
    values = {**_defaults(project_file, project), **values}
    return StackFile(
        project=project,
        stack=stack,
        config={key: _encode(_without_secrets(value)) for key, value in values.items()},
        secret_keys=sorted(key for key, value in values.items() if _has_secret(value)),
    )


class _PulumiYaml(yaml.SafeLoader):
    """YAML as Pulumi's Go library reads it: `yes` and `off` are text, and a key may not stand twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                line = key_node.start_mark.line + 1
                raise StackFileError(f"line {line}: the key {key_node.value} stands there twice: remove one")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


# PyYAML follows YAML 1.1, where 12:30:00 is 45000 and 1e3 is text; Pulumi's library is of another mind.
PULUMI_SCALARS = {
    "bool": (r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    "int": (r"^[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)$", "-+0123456789"),
    "float": (r"^[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
}
_PulumiYaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in PULUMI_SCALARS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _scalar, (_pattern, _first) in PULUMI_SCALARS.items():
    _PulumiYaml.add_implicit_resolver(f"tag:yaml.org,2002:{_scalar}", re.compile(_pattern), list(_first))


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(), Loader=_PulumiYaml)
    except OSError as error:
        raise StackFileError(f"{path}: {error.strerror}: run this in the project's folder") from None
    except StackFileError as error:
        raise StackFileError(f"{path.name}, {error}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise StackFileError(f"{path.name}, line {line}: not YAML: {error.problem}") from None
    except yaml.YAMLError as error:
        raise StackFileError(f"{path.name} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(document, dict):
        raise StackFileError(f"{path.name} has no settings: write them below config:")
    return document


def _stacks_that_exist(folder: Path) -> str:
    stacks = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in folder.glob("Pulumi.*.yaml"))
    return f"the stacks here are {', '.join(stacks)}" if stacks else "no stack has a file here yet"


def _full_key(key: object, project: str) -> str:
    return str(key) if ":" in str(key) else f"{project}:{key}"


def _defaults(project_file: dict[str, Any], project: str) -> dict[str, Any]:
    """Return what Pulumi.yaml gives to every stack: a plain value, or the `value` or `default` of a declaration."""
    declared = project_file.get("config") or {}
    if not isinstance(declared, dict):
        raise StackFileError("Pulumi.yaml: config is not a section: write keys below it")
    given = {}
    for key, declaration in declared.items():
        if not isinstance(declaration, dict):
            given[_full_key(key, project)] = declaration
        elif "value" in declaration or "default" in declaration:
            given[_full_key(key, project)] = declaration.get("value", declaration.get("default"))
    return given


def _is_secret(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"secure"} and isinstance(value["secure"], str)


def _has_secret(value: object) -> bool:
    if _is_secret(value):
        return True
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_has_secret(item) for item in below)


def _without_secrets(value: object) -> object:
    if _is_secret(value):
        return SECRET_PLACEHOLDER
    if isinstance(value, dict):
        return {key: _without_secrets(item) for key, item in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _encode(value: object) -> str:
    """Return a value as the CLI hands it over: text as it is, nothing as empty text, all else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(_as_go_writes_it(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _as_go_writes_it(value: object) -> object:
    """Turn what Go's JSON shows otherwise than Python's: whole floats, dates, and keys that are no text."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, date):
        return f"{value:%Y-%m-%d %H:%M:%S} +0000 UTC"
    if isinstance(value, dict):
        return {_key_text(key): _as_go_writes_it(item) for key, item in value.items()}
    return [_as_go_writes_it(item) for item in value] if isinstance(value, list) else value


def _key_text(key: object) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)
