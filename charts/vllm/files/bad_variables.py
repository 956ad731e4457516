"""Which environment variable holds a value that could not be read: Python's own words name the value alone.

vLLM reads most of its variables with int(), when it first needs them; pydantic then drops the traceback, which would
have shown the name. The supervisor has the environment, so it can look. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

UNREADABLE = re.compile(
    r"(?:invalid literal for int\(\) with base \d+:|could not convert string to float:|invalid truth value"
    r"|Unknown level:|is not a valid boolean:?) '(?P<value>[^']*)'"
)


def bad_variables(words: str, environ: Mapping[str, str]) -> str:
    """Name the variables with the value that a line complains of, vLLM's own before others; empty where it does not."""
    found = UNREADABLE.search(words)
    if not found:
        return ""
    names = sorted(name for name, value in environ.items() if value.strip() == found["value"].strip())
    names = [name for name in names if name.startswith("VLLM_")] or names
    return f"environment variable {' or '.join(names)}" if names else ""
