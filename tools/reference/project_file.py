"""The `config:` block at the end of `Pulumi.yaml`: a description of each key, for `pulumi config` and editors.

Keys are not required there, because Pulumi would stop at the first missing one instead of reporting all errors.
"""

import textwrap

from config.stack_keys import SECRET_KEYS, SECTION_KEYS, SectionKey
from tools.reference.settings_schema import Schema
from tools.reference.stack_schema import section_schema

MAX_LINE_LENGTH = 120
MARKER = "# Generated from config/ by `make generate`."


def project_file(present: str) -> str:
    """Return the whole file: its text above the marker, and the block."""
    above, found, _ = present.partition(MARKER)
    if not found:
        raise ValueError(f"Pulumi.yaml has no line {MARKER!r}")
    sections = [(key.name, _section_text(key), "{}") for key in SECTION_KEYS]
    secrets = [
        (key.name, f"Secret. {key.description} Default: {key.absent}.", "{}" if key.is_map else '""')
        for key in SECRET_KEYS
    ]
    lines = [line for name, text, default in (*sections, *secrets) for line in _declared(name, text, default)]
    return "\n".join([f"{above}{MARKER}", "config:", *lines]) + "\n"


def _declared(name: str, text: str, default: str) -> list[str]:
    lines = textwrap.wrap(text, width=MAX_LINE_LENGTH - 6, break_on_hyphens=False)
    return [f"  {name}:", "    description: >-", *(f"      {line}" for line in lines), f"    default: {default}"]


def _section_text(key: SectionKey) -> str:
    schema = section_schema(key)
    inner: Schema = schema["additionalProperties"] if key.is_map else schema
    names = ", ".join(inner["properties"]) if "properties" in inner else ""
    return f"{key.description} Keys: {names}." if names else key.description
