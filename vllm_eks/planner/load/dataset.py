"""A file with the lengths of requests: one {"input": tokens, "output": tokens} a line."""

import json
from pathlib import Path

from vllm_eks.errors import WrongQuestion, closest_name
from vllm_eks.json_values import is_object, shown
from vllm_eks.planner.bounds import MOST_TOKENS
from vllm_eks.planner.load.lengths import MOST_DIGITS, Lengths, TokenCount
from vllm_eks.text_files import read_text_file

MAX_DATASET_BYTES = 64 * 1024 * 1024
SHOWN_ERRORS = 5
"""Wrong lines of one file in a message."""
ROW = '{"input": 900, "output": 200}'


class Written(float):
    """A number that is not whole, with its text."""

    text: str

    def __new__(cls, text: str) -> "Written":
        """Keep the text."""
        made = super().__new__(cls, text)
        made.text = text
        return made


def read_dataset(file: Path) -> Lengths:
    """Return the lengths in a file.

    Raises:
        WrongQuestion: The file cannot be read, or lines are not such objects. The message begins with the file's name,
            for a key before it, and names the first wrong lines.
    """
    lines = read_text_file(file, called=str(file), most_bytes=MAX_DATASET_BYTES).split("\n")
    rows: list[tuple[int, int]] = []
    errors: list[str] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append(_row(line))
            except WrongQuestion as error:
                errors.append(f"line {number}{error}")
    if errors:
        more = f"; and {len(errors) - SHOWN_ERRORS:,} more lines" if len(errors) > SHOWN_ERRORS else ""
        raise WrongQuestion(f"{file}: {'; '.join(errors[:SHOWN_ERRORS])}{more}")
    if not rows:
        raise WrongQuestion(f"{file} is empty: write one {ROW} a line")
    inputs, outputs = (sum(row[side] for row in rows) / len(rows) for side in (0, 1))
    return Lengths(
        input=TokenCount(tokens=inputs, varies=True), output=TokenCount(tokens=outputs, varies=True), rows=tuple(rows)
    )


def _row(line: str) -> tuple[int, int]:
    try:
        # Numbers are shown as they are written: 9e2, and not 900.0.
        row: object = json.loads(line, parse_int=_whole, parse_float=Written, parse_constant=Written)
    except (ValueError, RecursionError):
        raise WrongQuestion(f" is not JSON: write {ROW}") from None
    if not is_object(row):
        raise WrongQuestion(f" is not an object: write {ROW}")
    return _tokens(row, "input"), _tokens(row, "output")


def _whole(text: str) -> int | Written:
    return int(text) if len(text) <= MOST_DIGITS else Written(text)


def _tokens(row: dict[str, object], side: str) -> int:
    value = row.get(side)
    if side not in row:
        near = closest_name(side, row)
        hint = f", not {near!r}" if near else ""
        raise WrongQuestion(f" has no {side!r}: name the number of tokens {side!r}{hint}")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_TOKENS:
        written = value.text if isinstance(value, Written) else shown(value)
        raise WrongQuestion(f": {side} {written} is not a whole number of tokens from 1 to {MOST_TOKENS:,}")
    return value
