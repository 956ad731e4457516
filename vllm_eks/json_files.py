"""Reads JSON files from users, with a clear error in one sentence."""

import json
from pathlib import Path
from typing import Any, NoReturn

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_object
from vllm_eks.text_files import read_text_file

MAX_BYTES = 64 * 1024 * 1024
"""Limit of a JSON file. The index of DeepSeek-V3, one of the longest, has 9 MB."""
LFS_POINTER = "version https://git-lfs.github.com/spec/"


def read_json_object(path: Path, *, called: str = "", allow_infinity: bool = False) -> dict[str, Any]:
    """Return the JSON object in a file.

    Args:
        path: The file.
        called: The user's name for the file.
        allow_infinity: Accept Infinity and NaN, which Transformers writes to some config.json files.

    Raises:
        WrongQuestion: The file is missing, is not JSON, or contains no object.
    """
    name = f"{called} {path}".strip()
    text = read_text_file(path, called=name, most_bytes=MAX_BYTES)
    if text.startswith(LFS_POINTER):
        raise WrongQuestion(f"{name} is a Git LFS pointer, not the file itself: run git lfs pull in its repository")
    if not text.strip():
        raise WrongQuestion(f"{name} is empty: it must contain one JSON object")
    try:
        document: object = json.loads(text, parse_constant=float if allow_infinity else _refuse_constant)
    except json.JSONDecodeError as error:
        raise WrongQuestion(f"{name} is not JSON: {error}{_hint(text)}") from None
    except RecursionError:
        raise WrongQuestion(f"{name} is nested too deeply") from None
    except ValueError as error:
        raise WrongQuestion(f"{name} is not JSON: {str(error).partition(';')[0]}") from None
    if not is_object(document):
        raise WrongQuestion(f"{name} must contain one JSON object")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a valid JSON number")


def _hint(text: str) -> str:
    return " (it looks like a web page)" if text.lstrip()[:1] == "<" else ""
