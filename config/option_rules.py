"""What the options of a model's endpoint may look like; as in `config.rules`."""

import re
from collections.abc import Sequence
from difflib import get_close_matches

from planner.serving_flags import AUTO, REASONING_PARSERS, TOOL_CALL_PARSERS

ADAPTER_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
SERVED_NAME = re.compile(r"[A-Za-z0-9][\w.:/@-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
SHORT_COMMIT = re.compile(r"[0-9a-f]{7,39}")
REVISION = re.compile(r"[A-Za-z0-9][\w./-]{0,199}")
DATE_OF_PULUMI = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}")
"""What Pulumi makes of a date without quotes."""
ADAPTER_PLACE = re.compile(r"[\w.-]+/[\w.-]+")


def tool_call_parser(value: str) -> str:
    """Accept a tool-call parser of vLLM, or auto."""
    return _parser(value, TOOL_CALL_PARSERS, "a tool-call parser")


def reasoning_parser(value: str) -> str:
    """Accept a reasoning parser of vLLM, or auto."""
    return _parser(value, REASONING_PARSERS, "a reasoning parser")


def served_names(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept further names that clients may send, such as a Hugging Face id."""
    for index, name in enumerate(value):
        if not SERVED_NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name for a model: use letters, digits and ._:/@-, as in gpt-4o or org/model"
            )
        if name in value[:index]:
            raise ValueError(f"{name!r} stands there twice: remove one")
    return value


def revision(value: str) -> str:
    """Accept a commit, or the name of a branch or a tag: what the Hub takes as a revision."""
    if DATE_OF_PULUMI.match(value):
        raise ValueError(f"{value!r} is a date: give the commit's full hash of 40 digits")
    if not REVISION.fullmatch(value) or ".." in value:
        raise ValueError(f"{value!r} is not a revision: give the commit's full hash of 40 digits")
    if SHORT_COMMIT.fullmatch(value) and not value.isdecimal():
        raise ValueError(
            f"{value!r} is a shortened commit, which the Hub does not take: give its full hash of 40 digits"
        )
    return value


def lora_modules(value: dict[str, str]) -> dict[str, str]:
    """Accept adapters: the name clients ask for, and a Hugging Face id."""
    for name, place in value.items():
        if not ADAPTER_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for an adapter: use letters, digits, ., _ and -")
        if not ADAPTER_PLACE.fullmatch(place):
            raise ValueError(f"{name}: {place!r} is not a Hugging Face id: write organization/name")
    return value


def _parser(value: str, known: Sequence[str], what: str) -> str:
    if value in (AUTO, *known):
        return value
    near = get_close_matches(value, known, n=1)
    guess = f"did you mean {near[0]}?" if near else f"write {AUTO}, or one of {', '.join(known)}"
    raise ValueError(f"{value!r} is not {what} that is known here: {guess}")
