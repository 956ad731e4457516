"""Read the JSON files that people hand over, with one clear sentence where they cannot be read."""

import json
from pathlib import Path
from typing import Any

from planner.faults import WrongQuestion


def read_json_object(path: Path, *, called: str = "") -> dict[str, Any]:
    """Return the JSON object in a file; `called` says what the user calls the file.

    Raises:
        WrongQuestion: The file is missing, is not JSON, or holds no object.
    """
    name = f"{called} {path}".strip()
    try:
        document = json.loads(path.read_text())
    except OSError as error:
        raise WrongQuestion(f"{name}: {error.strerror}") from None
    except ValueError as error:
        raise WrongQuestion(f"{name} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise WrongQuestion(f"{name} must hold one JSON object")
    return document
