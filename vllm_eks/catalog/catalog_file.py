"""The catalogue's file: read whole, written whole or not at all, always in the same form."""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.hardware.instances import InstanceType, read_catalogue_file

OF_A_REGION = ("usd_per_hour", "price_region")
"""Fields that `vllm_eks.planner.hardware.instances.catalogue` fills in for the region it is asked for."""


def read_catalogue(file: Path) -> tuple[dict[str, Any], list[InstanceType]]:
    """Return the head of the file (sources, dates) and its rows.

    Raises:
        WrongQuestion: It cannot be read, or is not of this version's form.
    """
    found = read_catalogue_file(file)
    return dict(found.head), list(found.types.values())


def catalogue_text(head: dict[str, Any], rows: Sequence[InstanceType]) -> str:
    """Return the file's text: a line for each source and for each instance type, so that a diff can be read."""
    sources = ",\n".join(f"   {json.dumps(key)}: {json.dumps(value)}" for key, value in head["sources"].items())
    others = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items() if key != "sources"]
    names = [field.name for field in fields(InstanceType) if field.name not in OF_A_REGION]
    lines = ",\n".join(f"  {json.dumps({name: getattr(row, name) for name in names})}" for row in rows)
    return "\n".join(['{\n "sources": {', sources, " },", *others, ' "instances": [', lines, " ]", "}\n"])


def replace_text(file: Path, text: str) -> bool:
    """Put the text in the file's place in one step; return whether that changed anything. Folders are made.

    Raises:
        WrongQuestion: The file or its folder cannot be written; nothing is half written.
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
