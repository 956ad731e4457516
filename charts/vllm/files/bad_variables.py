"""Finds the environment variable behind an invalid value, because Python's error shows only the value.

vLLM parses most of its variables with int() when it first needs them, and pydantic drops the traceback that would show
the name. The supervisor has the environment, so it can look the value up. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

UNREADABLE = re.compile(
    r"(?:invalid literal for int\(\) with base \d+:|could not convert string to float:|invalid truth value"
    r"|Unknown level:|is not a valid boolean:?) '(?P<value>[^']*)'"
)


def bad_variables(words: str, environ: Mapping[str, str]) -> str:
    """Return the variables with the value in an error line, vLLM's own if any, or an empty string."""
    found = UNREADABLE.search(words)
    if not found:
        return ""
    names = sorted(name for name, value in environ.items() if value.strip() == found["value"].strip())
    names = [name for name in names if name.startswith("VLLM_")] or names
    return f"environment variable {' or '.join(names)}" if names else ""
