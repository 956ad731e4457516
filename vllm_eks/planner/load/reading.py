"""Reads traffic and service level from words, and collects all errors."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from vllm_eks.errors import WrongQuestion, closest_name, raise_together
from vllm_eks.planner.load.dataset import read_dataset
from vllm_eks.planner.load.lengths import MOST_DIGITS, Lengths, parse_count
from vllm_eks.planner.load.numbers import plain
from vllm_eks.planner.load.service_level import Limit, ServiceLevel, duration, parse_duration, parse_limit
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.words import Naming, TrafficWords, WrongWord, option_name
from vllm_eks.planner.load.workloads import WORKLOADS

LEAST_REQUESTS_PER_SECOND, MOST_REQUESTS_PER_SECOND = 1e-6, 100_000.0
"""Less than a request in ten days is a typing error, as is more than any cluster serves."""
MOST_USERS = 1_000_000
MOST_THINK_SECONDS = 86_400.0

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class ReadWords:
    """The traffic and the service level, or the errors."""

    traffic: Traffic | None
    level: ServiceLevel | None
    errors: tuple[WrongWord, ...]


def read_words(words: TrafficWords, naming: Naming) -> ReadWords:
    """Return what someone wrote.

    Args:
        words: The values.
        naming: How values are named in the texts of errors.
    """
    reader = _Reader(words, naming)
    traffic, level = reader.traffic(), reader.level()
    reader.check_together(traffic)
    return ReadWords(traffic=traffic, level=level, errors=tuple(reader.errors))


def traffic_and_level(words: TrafficWords, naming: Naming = option_name) -> tuple[Traffic, ServiceLevel]:
    """Return what someone wrote.

    Raises:
        WrongQuestion: A value is missing or wrong. The message has all errors.
    """
    found = read_words(words, naming)
    raise_together([error.named(naming) for error in found.errors])
    if found.traffic is None or found.level is None:
        raise WrongQuestion("the traffic has a value of a wrong kind")
    return found.traffic, found.level


class _Reader:
    def __init__(self, words: TrafficWords, naming: Naming) -> None:
        self.errors: list[WrongWord] = []
        self._words = words
        self._naming = naming

    def traffic(self) -> Traffic | None:
        """Return the traffic, or None if it has an error."""
        words = self._words
        self._check_load()
        rate = self._parsed("requests_per_second", _rate)
        users = self._parsed("concurrent_users", _users)
        think = self._parsed("think_time", _think_seconds)
        if words.think_time is not None and not words.given("concurrent_users"):
            self._wrong("think_time", f"is for {self._naming('concurrent_users')}: requests arrive without waiting")
        lengths = self._lengths()
        prefix = self._parsed("shared_prefix", _prefix)
        if prefix is None and words.workload and words.workload in WORKLOADS:
            prefix = WORKLOADS[words.workload].shared_prefix_tokens
        if self.errors or lengths is None or (rate is None) == (users is None):
            return None
        return Traffic(
            lengths=lengths,
            requests_per_second=rate,
            concurrent_users=users,
            think_seconds=think or 0.0,
            shared_prefix_tokens=prefix or 0,
        )

    def level(self) -> ServiceLevel | None:
        """Return the service level, or None if it has an error."""
        before = len(self.errors)
        ttft, itl, e2e = (self._parsed(name, _limit) for name in ("ttft", "itl", "e2e"))
        return None if len(self.errors) > before else ServiceLevel(ttft=ttft, itl=itl, e2e=e2e)

    def check_together(self, traffic: Traffic | None) -> None:
        """Check values that must agree with the lengths of requests."""
        if traffic is None:
            return
        prefix, lengths = traffic.shared_prefix_tokens, traffic.lengths
        if prefix and prefix >= lengths.shortest_input:
            of = "the shortest input" if lengths.rows else "the input"
            below = f"is not below {of} of {lengths.shortest_input:,} tokens"
            self._wrong("shared_prefix", f"{prefix:,} {below}: the shared prefix is part of each input")
        if self._words.itl is not None and lengths.longest_output == 1:
            self._wrong("itl", f"{self._words.itl!r}: answers of one token have no time between tokens: remove it")

    def _check_load(self) -> None:
        rate, users = self._naming("requests_per_second"), self._naming("concurrent_users")
        given = [name for name in ("requests_per_second", "concurrent_users") if self._words.given(name)]
        if not given:
            self._wrong("", f"how much load? Use {rate} or {users}")
        if len(given) > 1:
            self._wrong("", f"use either {rate} or {users}, not both")

    def _lengths(self) -> Lengths | None:
        words, naming = self._words, self._naming
        read, written = naming("input"), naming("output")
        ways = {
            f"{read} and {written}": words.given("input") or words.given("output"),
            naming("workload"): words.given("workload"),
            naming("dataset"): words.given("dataset"),
        }
        given = [name for name, is_given in ways.items() if is_given]
        if not given:
            self._wrong("", f"how long are requests? Use {', or '.join(ways)}")
        if len(given) == 2:
            self._wrong("", f"use either {' or '.join(given)}, not both")
        if len(given) > 2:
            self._wrong("", f"use only one of {', '.join(given)}")
        if words.given("input") != words.given("output"):
            present, missing = ("input", written) if words.given("input") else ("output", read)
            self._wrong(present, f"needs {missing}: a request has both")
        inputs, outputs = self._parsed("input", parse_count), self._parsed("output", parse_count)
        workload = self._parsed("workload", _workload)
        # A file is read last, and only if it counts.
        dataset = self._parsed("dataset", read_dataset) if len(given) == 1 else None
        if workload or dataset:
            return workload or dataset
        return Lengths(input=inputs, output=outputs) if inputs and outputs else None

    def _parsed(self, name: str, parse: Callable[..., Value]) -> Value | None:
        """Return a value, or None if it is left out or wrong."""
        written: object = getattr(self._words, name)
        if written is None:
            return None
        try:
            return parse(written)
        except WrongQuestion as error:
            self._wrong(name, str(error))
            return None

    def _wrong(self, name: str, text: str) -> None:
        self.errors.append(WrongWord(name=name, text=text))


def _limit(written: str) -> Limit:
    return parse_limit(written)


def _rate(written: float | str) -> float:
    value = _number(written)
    if value is None:
        raise WrongQuestion(f"{written!r} is not a number: write one such as 4 or 0.5")
    if not LEAST_REQUESTS_PER_SECOND <= value <= MOST_REQUESTS_PER_SECOND:
        least, most = plain(LEAST_REQUESTS_PER_SECOND), plain(MOST_REQUESTS_PER_SECOND)
        raise WrongQuestion(f"{plain(written)} must be from {least} to {most} requests a second")
    return value


def _users(written: int | str) -> int:
    users = _whole(written)
    if users is None:
        raise WrongQuestion(f"{written!r} is not a whole number: write one such as 200")
    if not 1 <= users <= MOST_USERS:
        raise WrongQuestion(f"{plain(written)} must be from 1 to {MOST_USERS:,} users")
    return users


def _prefix(written: int | str) -> int:
    tokens = _whole(written)
    if tokens is None:
        raise WrongQuestion(f"{written!r} is not a whole number of tokens: write one such as 300")
    if tokens < 0:
        raise WrongQuestion(f"{plain(written)} must be 0 or more tokens")
    return tokens


def _think_seconds(written: str) -> float:
    seconds = parse_duration(written)
    if seconds > MOST_THINK_SECONDS:
        raise WrongQuestion(f"{written!r} must be at most {duration(MOST_THINK_SECONDS)}")
    return seconds


def _workload(written: str) -> Lengths:
    if written not in WORKLOADS:
        near = closest_name(written.lower(), WORKLOADS)
        meant = f"; did you mean {near}?" if near else ""
        raise WrongQuestion(f"{written!r} is not one of {', '.join(WORKLOADS)}{meant}")
    return WORKLOADS[written].lengths


def _number(written: float | str) -> float | None:
    try:
        value = float(written)
    except ValueError:
        return None
    return None if math.isnan(value) or (isinstance(written, str) and "_" in written) else value


def _whole(written: int | str) -> int | None:
    if isinstance(written, int):
        return written
    text = written.strip()
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal()):
        return None
    # Python refuses to read thousands of digits. A number with more than this is out of any range.
    return int(text[: MOST_DIGITS + 1])
