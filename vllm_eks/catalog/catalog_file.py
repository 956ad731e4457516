"""Reads and writes the catalogue's file, atomically and always in the same format."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.hardware.instances import InstanceType, read_catalogue_file

REGIONAL_FIELDS = ("usd_per_hour", "price_region")
"""Fields that `vllm_eks.planner.hardware.instances.catalogue` fills in for the requested region."""


def read_catalogue(file: Path) -> tuple[dict[str, Any], list[InstanceType]]:
    """Return the file's header (sources, dates) and its rows.

    Raises:
        WrongQuestion: It cannot be read, or is not in this version's format.
    """
    found = read_catalogue_file(file)
    return dict(found.head), list(found.types.values())


def catalogue_text(head: dict[str, Any], rows: Sequence[InstanceType]) -> str:
    """Return the file's text, with a line for each source and each instance type, so that a diff is readable."""
    sources = ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in head["sources"].items())
    others = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items() if key != "sources"]
    names = [field.name for field in fields(InstanceType) if field.name not in REGIONAL_FIELDS]
    lines = ",\n".join(f"  {json.dumps({name: getattr(row, name) for name in names})}" for row in rows)
    return "\n".join(['{\n "sources": {', sources, " },", *others, ' "instances": [', lines, " ]", "}\n"])


def replace_text(file: Path, text: str) -> bool:
    """Replace the file's text atomically, and return whether it changed. Folders are created.

    Raises:
        WrongQuestion: The file or its folder cannot be written. The file is unchanged.
    """
    if file.is_file() and file.read_text() == text:
        return False
    beside = file.with_name(f"{file.name}.new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(text)
        beside.replace(file)
    except OSError as error:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise WrongQuestion(f"cannot write {file}: {error.strerror}. The catalogue is unchanged.") from None
    return True
