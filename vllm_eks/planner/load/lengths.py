"""Tokens of the requests: fixed lengths, means, a named workload, or the rows of a file."""

import math
from dataclasses import dataclass
from random import Random

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.bounds import MOST_TOKENS

MEAN = "mean:"
LONGEST_OF_MEAN = 4.0
"""Lengths around a mean are exponential and end at four times its scale. Our own choice: production traces have many
short requests and a few long ones (Splitwise, ISCA 2024, figure 3)."""
MEAN_OF_SCALE = 1 - LONGEST_OF_MEAN * math.exp(-LONGEST_OF_MEAN) / (1 - math.exp(-LONGEST_OF_MEAN))
"""The mean of such a distribution with scale 1."""
SHARE_UP_TO_LONGEST = 1 - math.exp(-LONGEST_OF_MEAN)
MOST_DIGITS = 30
"""Of a number of tokens. Python refuses to read thousands."""


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
        return max(1, round(-scale * math.log(1 - share * SHARE_UP_TO_LONGEST)))

    @property
    def label(self) -> str:
        """As it is written on the command line."""
        return f"{MEAN if self.varies else ''}{self.tokens:.0f}"


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
    def longest_output(self) -> int:
        """The output tokens of the longest answer."""
        return max(written for _, written in self.rows) if self.rows else self.output.longest

    @property
    def shortest_input(self) -> int:
        """The smallest input of a dataset, or else the input tokens or their mean."""
        return min(read for read, _ in self.rows) if self.rows else int(self.input.tokens)

    def input_at(self, share: float) -> int:
        """Return the input tokens below which this share of the requests is."""
        return _at(sorted(read for read, _ in self.rows), share) if self.rows else self.input.draw(share)

    def output_at(self, share: float) -> int:
        """Return the output tokens below which this share of the requests is."""
        return _at(sorted(written for _, written in self.rows), share) if self.rows else self.output.draw(share)

    def draw(self, random: Random) -> tuple[int, int]:
        """Return the input and output tokens of one request."""
        first, second = random.random(), random.random()
        if self.rows:
            return self.rows[int(first * len(self.rows))]
        return self.input.draw(first), self.output.draw(second)


def _at(ordered: list[int], share: float) -> int:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def fixed(input_tokens: int, output_tokens: int) -> Lengths:
    """Return the lengths of requests of one size."""
    return Lengths(input=TokenCount(tokens=input_tokens), output=TokenCount(tokens=output_tokens))


def parse_count(text: str) -> TokenCount:
    """Return the tokens that an option or a key of the stack file states: `1000` or `mean:1000`.

    Raises:
        WrongQuestion: It is neither. The message begins with the text, for a key before it.
    """
    number = text.removeprefix(MEAN)
    if not (number.isascii() and number.isdecimal()):
        raise WrongQuestion(f"{text!r} is not a number of tokens: write 500, or mean:500 if lengths vary")
    if len(number) > MOST_DIGITS or not 1 <= int(number) <= MOST_TOKENS:
        raise WrongQuestion(f"{text} must be between 1 and {MOST_TOKENS:,} tokens")
    return TokenCount(tokens=int(number), varies=text.startswith(MEAN))
