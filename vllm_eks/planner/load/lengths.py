"""Tokens of the requests: fixed lengths, means, a named workload, or the rows of a file."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from random import Random

from vllm_eks.errors import WrongQuestion, closest_name
from vllm_eks.json_values import is_object
from vllm_eks.planner.bounds import MOST_TOKENS
from vllm_eks.text_files import read_text_file

MEAN = "mean:"
LONGEST_OF_MEAN = 4.0
"""Lengths around a mean are exponential and end at four times its scale. Our own choice: production traces have many
short requests and a few long ones (Splitwise, ISCA 2024, figure 3)."""
MEAN_OF_SCALE = 1 - LONGEST_OF_MEAN * math.exp(-LONGEST_OF_MEAN) / (1 - math.exp(-LONGEST_OF_MEAN))
"""The mean of such a distribution with scale 1."""
MAX_DATASET_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class TokenCount:
    """The tokens of the inputs or of the outputs: the same for each request, or around a mean."""

    tokens: float
    varies: bool = False

    @property
    def longest(self) -> int:
        """The longest one."""
        return math.ceil(self.tokens * LONGEST_OF_MEAN / MEAN_OF_SCALE) if self.varies else int(self.tokens)

    def draw(self, share: float) -> int:
        """Return the length at this share (0 to 1) of the distribution."""
        if not self.varies:
            return int(self.tokens)
        scale = self.tokens / MEAN_OF_SCALE
        return max(1, round(-scale * math.log(1 - share * (1 - math.exp(-LONGEST_OF_MEAN)))))

    @property
    def label(self) -> str:
        """As it is written on the command line."""
        return f"{MEAN}{self.tokens:g}" if self.varies else f"{self.tokens:g}"


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """The tokens of inputs and outputs."""

    input: TokenCount
    output: TokenCount
    rows: tuple[tuple[int, int], ...] = ()
    """(input, output) of each row of a dataset, from which requests are drawn. Empty without one."""

    @property
    def longest_request(self) -> int:
        """Input and output tokens of the longest request."""
        if self.rows:
            return max(read + written for read, written in self.rows)
        return self.input.longest + self.output.longest

    @property
    def shortest_input(self) -> int:
        """The smallest number of input tokens that every request is meant to have."""
        return min(read for read, _ in self.rows) if self.rows else int(self.input.tokens)

    def draw(self, random: Random) -> tuple[int, int]:
        """Return the input and output tokens of one request."""
        first, second = random.random(), random.random()
        if self.rows:
            return self.rows[int(first * len(self.rows))]
        return self.input.draw(first), self.output.draw(second)


def fixed(input_tokens: int, output_tokens: int) -> Lengths:
    """Return the lengths of requests of one size."""
    return Lengths(input=TokenCount(tokens=input_tokens), output=TokenCount(tokens=output_tokens))


def parse_count(text: str, *, key: str) -> TokenCount:
    """Return the tokens that an option or a key of the stack file states: `1000` or `mean:1000`.

    Raises:
        WrongQuestion: It is neither.
    """
    number = text.removeprefix(MEAN)
    if not (number.isascii() and number.isdecimal()):
        raise WrongQuestion(f"{key} {text!r} is not a number of tokens: write 500, or mean:500 if lengths vary")
    if not 1 <= int(number) <= MOST_TOKENS:
        raise WrongQuestion(f"{key} {text} must be between 1 and {MOST_TOKENS:,} tokens")
    return TokenCount(tokens=int(number), varies=text.startswith(MEAN))


def read_dataset(file: Path, *, key: str = "--dataset") -> Lengths:
    """Return the lengths in a file with one {"input": tokens, "output": tokens} a line.

    Raises:
        WrongQuestion: The file cannot be read, or a line is not such an object.
    """
    lines = read_text_file(file, called=f"{key} {file}", most_bytes=MAX_DATASET_BYTES).splitlines()
    rows = tuple(
        _row(line, where=f"{key} {file}: line {number}") for number, line in enumerate(lines, 1) if line.strip()
    )
    if not rows:
        raise WrongQuestion(f'{key} {file} is empty: write one {{"input": 900, "output": 200}} a line')
    inputs, outputs = (sum(row[side] for row in rows) / len(rows) for side in (0, 1))
    return Lengths(
        input=TokenCount(tokens=inputs, varies=True), output=TokenCount(tokens=outputs, varies=True), rows=rows
    )


def _row(line: str, *, where: str) -> tuple[int, int]:
    try:
        row: object = json.loads(line)
    except (ValueError, RecursionError):
        raise WrongQuestion(f'{where} is not JSON: write {{"input": 900, "output": 200}}') from None
    if not is_object(row):
        raise WrongQuestion(f'{where} is not an object: write {{"input": 900, "output": 200}}')
    return _tokens(row, "input", where), _tokens(row, "output", where)


def _tokens(row: dict[str, object], side: str, where: str) -> int:
    value = row.get(side)
    if value is None:
        near = closest_name(side, row)
        hint = f", not {near!r}" if near else ""
        raise WrongQuestion(f"{where} has no {side!r}: name the number of tokens {side!r}{hint}")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_TOKENS:
        raise WrongQuestion(f"{where}: {side} {json.dumps(value)} is not a number of tokens from 1 to {MOST_TOKENS:,}")
    return value
