"""How errors name a key of the stack file, and show its value."""

import json
import re

MAX_VALUE_CHARACTERS = 80


def key_path(start: str, *steps: str | int) -> str:
    """Join a key and the steps below it, in the syntax of `pulumi config set --path`.

    >>> key_path("vllm-eks:models", "qwen2.5", "extraArgs", 0)
    'vllm-eks:models["qwen2.5"].extraArgs[0]'

    Characters that would break a line of a report are escaped, which Pulumi does not read.
    """
    path = start
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif re.fullmatch(r"[\w-]+", step):
            path += f".{step}"
        else:
            quoted = step.replace('"', '\\"')
            path += f'["{"".join(one if one.isprintable() else repr(one)[1:-1] for one in quoted)}"]'
    return path


def shown(value: object) -> str:
    """Return a value as in the file, with its kind.

    >>> shown(1.3), shown("8"), shown(True)
    ('1.3 is a number', "'8' is text", 'true is a boolean')
    """
    return f"{as_written(value)} is {kind_of(value)}"


def as_written(value: object) -> str:
    """Return a value as in the file, shortened.

    >>> as_written("off"), as_written(False), as_written({"install": True})
    ("'off'", 'false', '{"install": true}')
    """
    text = repr(value) if isinstance(value, str) else json.dumps(value)
    return text[:MAX_VALUE_CHARACTERS] + "..." if len(text) > MAX_VALUE_CHARACTERS else text


def kind_of(value: object) -> str:
    """Return the kind of a value, in YAML's terms."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a section"
