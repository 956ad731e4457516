"""Reads a stack file as the Pulumi CLI does, for an offline preview without the CLI or a passphrase.

Differences from the CLI: `secure:` values are replaced by a placeholder, values from an `environment:` (Pulumi ESC) are
unknown, and values that Pulumi reads in a surprising way are refused (`yaml_document`).
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_list, is_object, list_or_empty
from vllm_eks.stack_files.stack_file import SECRET_PLACEHOLDER, StackFile
from vllm_eks.stack_files.wording import shown
from vllm_eks.stack_files.yaml_builder import YamlErrors
from vllm_eks.stack_files.yaml_document import parse_document
from vllm_eks.stack_files.yaml_scalars import plain_text
from vllm_eks.text_files import read_text_file

MAX_BYTES = 128 * 1024
"""Limit of a stack file. Sixty models need about 30 KB, and the parser takes a second for 100 KB."""
STACK_NAME = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""Names that Pulumi accepts."""
PROJECT_NEEDS = "it needs name: (such as vllm-eks) and runtime:, as in this repository's Pulumi.yaml"


class StackFileError(WrongQuestion):
    """The stack file cannot be read. The message has a line for each error, with a fix."""


def read_stack_file(folder: Path, stack: str, *, option: str = "--stack") -> StackFile:
    """Read `Pulumi.yaml` and `Pulumi.<stack>.yaml` of a project folder.

    Args:
        folder: The project's folder.
        stack: The stack's name, alone or as `pulumi stack ls` prints it (`acme/vllm-eks/dev`).
        option: The option that has the name, for errors.

    Raises:
        StackFileError: A file is missing, is not YAML or has no `config:`, or the stack's name is invalid.
    """
    stack = _short_name(stack, option)
    project_file = _read_project(folder)
    project = str(project_file["name"])
    path = folder / f"Pulumi.{stack}.yaml"
    if not path.exists():
        raise StackFileError(f"there is no {path.name} in {folder.resolve()}: {_existing_stacks(folder)}")
    document = _read_yaml(path)
    environments = _environments(document)
    values = document.get("config")
    if not is_object(values) or not values:
        raise StackFileError(f"{path.name} {_why_no_settings(values, environments)}")
    values = {**_defaults(project_file, project), **_by_full_key(values, project, path.name)}
    return StackFile(
        project=project,
        stack=stack,
        config={key: _encode(_without_secrets(value)) for key, value in values.items()},
        secret_keys=sorted(key for key, value in values.items() if _has_secret(value)),
        plain_beside_secrets={key: plain for key, value in values.items() if (plain := _plain_beside_secrets(value))},
        environments=environments,
    )


def _short_name(stack: str, option: str) -> str:
    """Return the stack's name as in the file name, without the organization and the project."""
    parts = stack.split("/")
    name = parts[-1]
    if len(parts) > 3 or not all(STACK_NAME.fullmatch(part) and set(part) != {"."} for part in parts):
        short = stack if len(stack) <= 60 else f"{stack[:60]}... ({len(stack)} characters)"
        raise StackFileError(
            f"{option} {short!r} is not a valid stack name: use letters, digits, -, _ and ., at most 100"
        )
    return name


def _read_project(folder: Path) -> dict[str, object]:
    path = folder / "Pulumi.yaml"
    if folder.is_dir() and not path.exists():
        raise StackFileError(
            f"there is no Pulumi.yaml in {folder.resolve()}: run this in the folder of the vllm-eks program, or set "
            f"--folder"
        )
    document = _read_yaml(path)
    if not document:
        raise StackFileError(f"{path} is empty: {PROJECT_NEEDS}")
    name = document.get("name")
    if name is None:
        raise StackFileError(f"{path} has no name: set one, such as vllm-eks")
    if not isinstance(name, str):
        raise StackFileError(f"{path}: name: {shown(name)}, not text: put it in quotes, or use a name such as vllm-eks")
    if not STACK_NAME.fullmatch(name):
        raise StackFileError(
            f"{path}: name: {name!r} is not a valid project name: use letters, digits, -, _ and ., at most 100"
        )
    if not document.get("runtime"):
        raise StackFileError(f"{path} has no runtime, which Pulumi requires: {PROJECT_NEEDS}")
    return document


def _read_yaml(path: Path) -> dict[str, object]:
    try:
        text = read_text_file(path, called=path.name, most_bytes=MAX_BYTES)
        document = parse_document(text)
    except YamlErrors as error:
        if len(error.errors) == 1:
            raise StackFileError(f"{path.name}, {error.errors[0]}") from None
        raise StackFileError("\n  ".join([f"{path.name} has {len(error.errors)} errors:", *error.errors])) from None
    except StackFileError:
        raise
    except WrongQuestion as error:
        raise StackFileError(str(error)) from None
    if document is None:
        return {}
    if not is_object(document):
        raise StackFileError(f"{path.name}: {shown(document)}, not keys and values: put settings below config:")
    return document


def _existing_stacks(folder: Path) -> str:
    stacks = sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in folder.glob("Pulumi.*.yaml"))
    return f"the stacks here are {', '.join(stacks)}" if stacks else "there are no stack files here yet"


def _environments(document: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the ESC environments that a stack file imports."""
    listed = document.get("environment")
    if is_object(listed):
        listed = listed.get("imports") or ["(written in the file)"]
    if not is_list(listed):
        return ()
    return tuple(str(next(iter(one), "")) if is_object(one) else str(one) for one in listed)


def _why_no_settings(values: object, environments: tuple[str, ...]) -> str:
    if environments:
        return (
            f"gets its settings from Pulumi ESC ({', '.join(environments)}), which an offline preview cannot read: "
            f"put them below config:, or run pulumi preview"
        )
    if values in (None, {}):
        return "has no settings: put them below config:"
    return f"has no settings: config: {shown(values)}, not a section: put keys and values below it"


def _by_full_key(values: Mapping[str, object], project: str, file: str) -> dict[str, object]:
    """Return the values by full key (`<project>:<name>`), as Pulumi does."""
    full: dict[str, object] = {}
    written: dict[str, str] = {}
    for key, value in values.items():
        name = _full_key(key, project, file)
        if name in full:
            raise StackFileError(f"{file}: {written[name]} and {key} are the same key: remove one")
        full[name], written[name] = value, key
    return full


def _full_key(key: str, project: str, file: str) -> str:
    if ":" not in key:
        return f"{project}:{key}"
    namespace, _, name = key.partition(":")
    # Older versions of `pulumi config` wrote <project>:config:<name>, and Pulumi still reads it.
    name = name.removeprefix("config:")
    if not namespace or not name or ":" in name:
        raise StackFileError(f"{file}: the key {key!r} has no namespace: use <namespace>:<name>")
    return f"{namespace}:{name}"


def _defaults(project_file: dict[str, object], project: str) -> dict[str, object]:
    """Return the defaults in Pulumi.yaml: a plain value, or the `value` or `default` of a declaration."""
    declared = project_file.get("config")
    if not declared:
        return {}
    if not is_object(declared):
        raise StackFileError("Pulumi.yaml: config is not a section: put keys below it")
    given: dict[str, object] = {}
    for key, declaration in declared.items():
        name = _full_key(key, project, "Pulumi.yaml")
        if not is_object(declaration):
            given[name] = declaration
        elif "value" in declaration or "default" in declaration:
            given[name] = declaration.get("value", declaration.get("default"))
    return given


def _is_secret(value: object) -> bool:
    return is_object(value) and set(value) == {"secure"} and isinstance(value["secure"], str)


def _has_secret(value: object) -> bool:
    if _is_secret(value):
        return True
    below = value.values() if is_object(value) else list_or_empty(value)
    return any(_has_secret(item) for item in below)


def _plain_beside_secrets(value: object) -> tuple[str, ...]:
    if _is_secret(value) or not is_object(value) or not _has_secret(value):
        return ()
    return tuple(name for name, item in value.items() if not _has_secret(item))


def _without_secrets(value: object) -> object:
    if _is_secret(value):
        return SECRET_PLACEHOLDER
    if is_object(value):
        return {key: _without_secrets(item) for key, item in value.items()}
    return [_without_secrets(item) for item in value] if is_list(value) else value


def _encode(value: object) -> str:
    """Return a value as the CLI passes it: text unchanged, null as empty text, and everything else as JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, (bool, int, float)):
        return plain_text(value)
    return json.dumps(_as_go_writes_it(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _as_go_writes_it(value: object) -> object:
    """Convert whole floats to integers, as Go's JSON does."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return int(value)
    if is_object(value):
        return {key: _as_go_writes_it(item) for key, item in value.items()}
    return [_as_go_writes_it(item) for item in value] if is_list(value) else value
