"""What AWS bills by usage, which no total can have: the rates of a stack's parts, and an estimate of the usage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vllm_eks.json_values import object_or_empty
from vllm_eks.planner.hardware.prices import list_prices
from vllm_eks.planner.search.cost import BYTES_PER_GB, HOURS_PER_MONTH
from vllm_eks.preview.recording import Recording

CONTAINER_LOGS = "vllm-eks:index:ContainerLogs"
LOG_GROUP = "aws:cloudwatch/logGroup:LogGroup"
LOAD_BALANCER = "aws:lb/loadBalancer:LoadBalancer"
NAT_GATEWAY = "aws:ec2/natGateway:NatGateway"
VOLUME = "aws:ebs/volume:Volume"
RELEASE = "kubernetes:helm.sh/v3:Release"
POD_MONITOR = "kubernetes:monitoring.coreos.com/v1:PodMonitor"
WEB_ACL_ASSOCIATION = "aws:wafv2/webAclAssociation:WebAclAssociation"
ALERT_MANAGER = "aws:amp/alertManagerDefinition:AlertManagerDefinition"
REQUEST_LOG_BYTES = 280
"""vLLM's access log has one line a request of about 90 bytes. Its event has the fields of the pod too, and CloudWatch
bills 26 bytes more for each event (API reference of PutLogEvents)."""
LEADER_SERIES = 430
"""Series of one leader of vLLM 0.32.0, counted at a real server after requests. Named keys add some for each client."""
ROUND_SERIES = 10_000
"""What the text gives a price for, because the series of nodes depend on their pods, disks and network cards."""
SAMPLES_PER_MILLION = 1e6
CAPACITY_UNIT = "hour of a capacity unit: 25 new connections a second, 3,000 active ones, or 1 GB an hour"


@dataclass(frozen=True, kw_only=True)
class UsageRate:
    """The price of a unit of something that a part of the stack uses."""

    part: str
    unit: str
    usd: float | None
    """None when the price is unknown."""
    price_of: str
    """Source and date of the price."""


def usage_rates(recording: Recording) -> list[UsageRate]:
    """Return the rates of all parts of the stack that are billed by usage."""
    used: list[tuple[str, str, str]] = []
    if recording.of_type(LOG_GROUP):
        used += [("logs_gb", "logs", "GB that CloudWatch receives"), ("logs_gb_month", "logs", "GB stored, a month")]
    if _remote_write(recording):
        used += [
            ("amp_million_samples", "metrics", "million samples that the workspace receives"),
            ("amp_gb_month", "metrics", "GB stored, a month"),
            ("amp_billion_queried_samples", "metrics", "billion samples of queries"),
        ]
    if recording.of_type(ALERT_MANAGER):
        used.append(("sns_million_requests", "alerts", "million messages to your SNS topic, without deliveries"))
    for balancer in recording.of_type(LOAD_BALANCER):
        used.append(("load_balancer_lcu_hour", "load balancer", CAPACITY_UNIT))
        if balancer.inputs.get("accessLogs"):
            used.append(("s3_gb_month", "access logs", "GB stored in your bucket, a month"))
    if recording.of_type(WEB_ACL_ASSOCIATION):
        used.append(("waf_million_requests", "web ACL", "million requests that your web ACL checks"))
    if recording.of_type(NAT_GATEWAY):
        used.append(("nat_gateway_gb", "NAT gateways", "GB"))
    used.append(("internet_gb", "traffic", "GB to the internet"))
    return [_rate(recording.region, *one) for one in used]


def usage_notes(recording: Recording) -> Iterator[str]:
    """Yield an estimate of the usage, and what else is not in the total."""
    if recording.of_type(CONTAINER_LOGS):
        yield f"logs: a million requests are about {REQUEST_LOG_BYTES * 1e6 / BYTES_PER_GB:.2f} GB"
    if write := _remote_write(recording):
        yield _samples_line(recording, _seconds(str(write["scrapeInterval"])))
    yield from _volume_lines(recording)
    yield "not in the total: what is billed by usage, and traffic between zones. The S3 endpoint is free."


def _prometheus(recording: Recording) -> Iterator[Mapping[str, Any]]:
    """Yield the specs of Prometheus or its agent, in the values of each chart."""
    for release in recording.of_type(RELEASE):
        yield _inner(release.inputs, "values", "prometheus", "prometheusSpec")


def _remote_write(recording: Recording) -> Mapping[str, Any] | None:
    """Return the spec of the agent that writes to a workspace, or None without one."""
    return next((spec for spec in _prometheus(recording) if "remoteWrite" in spec), None)


def _volume_lines(recording: Recording) -> Iterator[str]:
    for spec in _prometheus(recording):
        claim = _inner(spec, "storageSpec", "volumeClaimTemplate", "spec")
        if claim and not recording.of_type(VOLUME):
            size = _inner(claim, "resources", "requests").get("storage")
            yield (
                f"the cluster creates a volume of {size} for Prometheus with StorageClass "
                f"{claim.get('storageClassName')}: not in the total"
            )


def _samples_line(recording: Recording, scrape_seconds: int) -> str:
    price = list_prices(recording.region).get("amp_million_samples")
    leaders = sum(nodes.running_replicas for nodes in recording.fleet.values())
    own = leaders * LEADER_SERIES * samples_a_month(_leaders_seconds(recording)) / SAMPLES_PER_MILLION
    others = ROUND_SERIES * samples_a_month(scrape_seconds) / SAMPLES_PER_MILLION
    dollars = [f" (${million * price.usd:,.2f})" if price else "" for million in (own, others)]
    return (
        f"metrics: each month about {own:,.0f} million samples{dollars[0]} of {leaders} "
        f"leader{'' if leaders == 1 else 's'}, and {others:,.0f} million{dollars[1]} for each {ROUND_SERIES:,} series "
        "of nodes, GPUs and pods"
    )


def samples_a_month(interval_seconds: float) -> float:
    """Return how often a series is scraped in 730 hours.

    >>> samples_a_month(30)
    87600.0
    """
    return HOURS_PER_MONTH * 3600 / interval_seconds


def _leaders_seconds(recording: Recording) -> int:
    """Return the interval at which leaders are scraped. All models have the same."""
    endpoints = [end for one in recording.of_type(POD_MONITOR) for end in one.inputs["spec"]["podMetricsEndpoints"]]
    return min(_seconds(end["interval"]) for end in endpoints if "interval" in end)


def _seconds(interval: str) -> int:
    return int(interval.removesuffix("s"))


def _inner(value: Mapping[str, Any], *steps: str) -> Mapping[str, Any]:
    """Return the object at the end of the steps, or an empty one."""
    for step in steps:
        value = object_or_empty(value.get(step))
    return value


def _rate(region: str, name: str, part: str, unit: str) -> UsageRate:
    price = list_prices(region).get(name)
    usd, price_of = (price.usd, price.where_from) if price else (None, f"unknown in {region}")
    return UsageRate(part=part, unit=unit, usd=usd, price_of=price_of)
