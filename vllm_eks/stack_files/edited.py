"""Writes single values to a stack file. Comments, order and all other values are unchanged."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString
from ruamel.yaml.util import load_yaml_guess_indent

from vllm_eks.errors import WrongQuestion
from vllm_eks.program import check_stack_file
from vllm_eks.stack_files.read import StackFile, read_stack_file

WIDTH = 4096
"""Wide enough that no line of a stack file is wrapped."""
BYTE_ORDER_MARK = "\ufeff"
Value = str | float
"""Texts are written in quotes, because a version such as 1.10 would be read as a number."""


def write_values(folder: Path, stack: str, wanted: Mapping[str, Value], file: StackFile) -> None:
    """Write values to the stack file, each by its key without the project, such as cluster.kubernetesVersion.

    Raises:
        WrongQuestion: The file cannot be changed only in these places, or would be refused. It is unchanged.
    """
    path = folder / f"Pulumi.{file.stack}.yaml"
    before = path.read_bytes()
    path.write_bytes(_edited(before, wanted, file.project))
    try:
        after = read_stack_file(folder, stack)
        _require_only_these_changes(file, after, wanted)
        check_stack_file(folder, after.for_offline_preview())
    except WrongQuestion as error:
        path.write_bytes(before)
        lines = "".join(f"\n  {key}: {value}" for key, value in wanted.items())
        raise WrongQuestion(f"{path.name} was not changed ({error}): edit it by hand:{lines}") from None


def _edited(content: bytes, wanted: Mapping[str, Value], project: str) -> bytes:
    text = content.decode("utf-8")
    mark, line_end = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else "", "\r\n" if "\r\n" in text else "\n"
    text = text.removeprefix(mark).replace("\r\n", "\n")
    _, indent, offset = load_yaml_guess_indent(text)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = WIDTH
    # A list's dashes keep their position. The reader detects the indentation of mappings.
    yaml.indent(mapping=2, sequence=indent or 2, offset=offset or 0)
    document: CommentedMap = yaml.load(text)
    config: CommentedMap = document["config"]
    for key, value in wanted.items():
        section, *path = key.split(".")
        full = f"{project}:{section}"
        place = _below(config, full if full in config else section if section in config else full)
        for part in path[:-1]:
            place = _below(place, part)
        place[path[-1]] = DoubleQuotedScalarString(value) if isinstance(value, str) else value
    out = io.StringIO()
    yaml.dump(document, out)
    return (mark + out.getvalue().replace("\n", line_end)).encode()


def _below(place: CommentedMap, key: str) -> CommentedMap:
    below = place.get(key)
    if not isinstance(below, CommentedMap):
        below = place[key] = CommentedMap()
    return below


def _require_only_these_changes(before: StackFile, after: StackFile, wanted: Mapping[str, Value]) -> None:
    expected: dict[str, Any] = {key: _value(text) for key, text in before.config.items()}
    for key, value in wanted.items():
        section, *path = key.split(".")
        place = expected.setdefault(f"{before.project}:{section}", {})
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = value
    if {key: _value(text) for key, text in after.config.items()} != expected:
        raise WrongQuestion("the edit would change more than these values")


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
