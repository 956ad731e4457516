"""Traffic and service level as people write them, in options of `vllm-eks size` or in keys of a stack file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.load.lengths import Lengths, parse_count, read_dataset
from vllm_eks.planner.load.service_level import ServiceLevel, parse_duration, parse_limit
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.workloads import WORKLOADS

MOST_REQUESTS_PER_SECOND = 100_000.0
MOST_USERS = 1_000_000
MOST_THINK_SECONDS = 86_400.0

Naming = Callable[[str], str]
"""How a value is named where it is written: `shared_prefix` is --shared-prefix or sharedPrefix."""


def option_name(name: str) -> str:
    """Return the option of a value.

    >>> option_name("shared_prefix")
    '--shared-prefix'
    """
    return f"--{name.replace('_', '-')}"


def key_name(name: str) -> str:
    """Return the key of a value in a stack file.

    >>> key_name("shared_prefix")
    'sharedPrefix'
    """
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


@dataclass(frozen=True, kw_only=True)
class TrafficWords:
    """What someone wrote. None is what they left out."""

    requests_per_second: float | None = None
    concurrent_users: int | None = None
    think_time: str | None = None
    input: str | None = None
    output: str | None = None
    workload: str | None = None
    dataset: Path | None = None
    shared_prefix: int | None = None
    ttft: str | None = None
    itl: str | None = None
    e2e: str | None = None

    def level(self, named: Naming = option_name) -> ServiceLevel:
        """Return the service level.

        Raises:
            WrongQuestion: A limit has no unit or percentile, or is out of range.
        """
        return ServiceLevel(
            ttft=parse_limit(self.ttft, key=named("ttft")) if self.ttft is not None else None,
            itl=parse_limit(self.itl, key=named("itl")) if self.itl is not None else None,
            e2e=parse_limit(self.e2e, key=named("e2e")) if self.e2e is not None else None,
        )

    def traffic(self, named: Naming = option_name) -> Traffic:
        """Return the traffic.

        Raises:
            WrongQuestion: A value is missing or out of range, or two of them contradict each other.
        """
        rate, users = named("requests_per_second"), named("concurrent_users")
        if self.requests_per_second is None and self.concurrent_users is None:
            raise WrongQuestion(f"how much load? Use {rate} or {users}")
        if self.requests_per_second is not None and self.concurrent_users is not None:
            raise WrongQuestion(f"use either {rate} or {users}, not both")
        _in_range(rate, self.requests_per_second, MOST_REQUESTS_PER_SECOND)
        _in_range(users, self.concurrent_users, MOST_USERS)
        lengths = self._lengths(named)
        return Traffic(
            lengths=lengths,
            requests_per_second=self.requests_per_second,
            concurrent_users=self.concurrent_users,
            think_seconds=self._think_seconds(named),
            shared_prefix_tokens=self._shared_prefix(lengths, named),
        )

    def _think_seconds(self, named: Naming) -> float:
        if self.think_time is None:
            return 0.0
        think, users = named("think_time"), named("concurrent_users")
        if self.concurrent_users is None:
            raise WrongQuestion(f"{think} is for {users}: requests per second arrive without waiting")
        seconds = parse_duration(self.think_time, key=think)
        if seconds > MOST_THINK_SECONDS:
            raise WrongQuestion(f"{think} {self.think_time!r} must be at most {MOST_THINK_SECONDS:,.0f}s")
        return seconds

    def _lengths(self, named: Naming) -> Lengths:
        read, written = named("input"), named("output")
        ways = {
            f"{read} and {written}": self.input or self.output,
            named("workload"): self.workload,
            named("dataset"): self.dataset,
        }
        given = [name for name, value in ways.items() if value is not None]
        if not given:
            raise WrongQuestion(f"how long are requests? Use {', or '.join(ways)}")
        if len(given) > 1:
            raise WrongQuestion(f"use either {' or '.join(given)}, not both")
        if self.workload is not None:
            return WORKLOADS[self.workload].lengths
        if self.dataset is not None:
            return read_dataset(self.dataset, key=named("dataset"))
        if self.input is None or self.output is None:
            missing, present = (read, written) if self.input is None else (written, read)
            raise WrongQuestion(f"{present} needs {missing}: a request has both")
        return Lengths(input=parse_count(self.input, key=read), output=parse_count(self.output, key=written))

    def _shared_prefix(self, lengths: Lengths, named: Naming) -> int:
        if self.shared_prefix is None:
            return WORKLOADS[self.workload].shared_prefix_tokens if self.workload else 0
        key, tokens = named("shared_prefix"), self.shared_prefix
        if tokens < 0:
            raise WrongQuestion(f"{key} {tokens} must be 0 or more tokens")
        if tokens and tokens >= lengths.input.tokens:
            raise WrongQuestion(
                f"{key} {tokens:,} is not below the input of {lengths.input.tokens:,.6g} tokens: the shared prefix is "
                "part of each input"
            )
        return tokens


def _in_range(key: str, value: float | None, most: float) -> None:
    if value is not None and not 0 < value <= most:
        raise WrongQuestion(f"{key} {value:g} must be above 0 and at most {most:,.0f}")
