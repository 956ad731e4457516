"""Checks single values of `observability.alerts`, like `config.values.rules`."""

import re

from config.errors import nearest_of
from vllm_eks.errors import WrongQuestion
from vllm_eks.monitoring.latency_alerts import BOUNDS
from vllm_eks.monitoring.rules import ALERT_NAMES
from vllm_eks.planner.load.service_level import Latency, duration, parse_limit, written

RUNBOOK_BASE_URL = re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?")
"""An address of RFC 3986 without a user, query or fragment. Braces are not in it: Prometheus reads annotations as
templates, and refuses a whole rule file for one that it cannot parse."""
MOST_CERTIFICATE_DAYS = 60
"""ACM renews 60 days before the end. An earlier alert would fire for every certificate."""
MOST_CAPACITY_BLOCK_HOURS = 336
"""Two weeks. Our own limit."""


def ttft(value: str) -> str:
    """Accept a limit of the time to first token."""
    return _latency_limit(value, "ttft")


def itl(value: str) -> str:
    """Accept a limit of the time between two tokens."""
    return _latency_limit(value, "itl")


def e2e(value: str) -> str:
    """Accept a limit of the time of a whole request."""
    return _latency_limit(value, "e2e")


def _latency_limit(value: str, latency: Latency) -> str:
    """Accept a time at a percentile that vLLM's histogram can tell."""
    try:
        limit = parse_limit(value)
    except WrongQuestion as error:
        raise ValueError(str(error)) from None
    largest = BOUNDS[latency][-1]
    if limit.seconds > largest:
        raise ValueError(
            f"{value!r} is above {duration(largest)}, the largest time that an alert can tell from vLLM's "
            f"histogram: set {written(largest)}@p{limit.percentile} or less"
        )
    return value


def certificate_days(value: int) -> int:
    """Accept the days before the end of a certificate."""
    if not 1 <= value <= MOST_CERTIFICATE_DAYS:
        raise ValueError(
            f"{value} is not from 1 to {MOST_CERTIFICATE_DAYS}: ACM renews a certificate {MOST_CERTIFICATE_DAYS} days "
            "before its end, so set a number such as 21"
        )
    return value


def capacity_block_hours(value: int) -> int:
    """Accept the hours before the end of a Capacity Block."""
    if not 1 <= value <= MOST_CAPACITY_BLOCK_HOURS:
        raise ValueError(f"{value} is not from 1 to {MOST_CAPACITY_BLOCK_HOURS}: set hours such as 24")
    return value


def monthly_budget_usd(value: float) -> float:
    """Accept the dollars of a month."""
    if value <= 0:
        raise ValueError(f"{value:g} is not a budget: set dollars such as 40000, or remove it for no alert")
    return value


def runbook_base_url(value: str) -> str:
    """Accept the address of a folder of pages."""
    if not RUNBOOK_BASE_URL.fullmatch(value):
        raise ValueError(
            f"{value!r} is not the address of a folder: set one such as https://git.example.com/docs/runbooks"
        )
    return value


def alert_names(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept names of alerts."""
    unknown = [name for name in value if name not in ALERT_NAMES]
    if unknown:
        advice = (
            f"{name!r} is not an alert of the stack: {nearest_of(name, ALERT_NAMES, 'alerts')}" for name in unknown
        )
        raise ValueError("; ".join(advice))
    if len(set(value)) < len(value):
        twice = next(name for name in value if value.count(name) > 1)
        raise ValueError(f"{twice!r} is named twice: remove one")
    return value
