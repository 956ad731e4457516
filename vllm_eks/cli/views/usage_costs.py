"""What AWS bills by usage, which no total can have: the rates of a stack's parts, and an estimate of the usage."""

from collections.abc import Iterator, Mapping
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


def usage_lines(recording: Recording) -> Iterator[str]:
    """Yield a line for each part of the stack that is billed by usage."""
    yield from _logs_lines(recording)
    yield from _prometheus_lines(recording)
    yield from _load_balancer_lines(recording)
    out, nat = (_rate(recording.region, name, "a GB") for name in ("internet_gb", "nat_gateway_gb"))
    through_nat = f", through the NAT gateways ({nat})" if recording.of_type(NAT_GATEWAY) else ""
    yield (
        f"not in the total: what is billed by usage, such as traffic to the internet ({out}){through_nat} and between "
        "zones. The S3 endpoint is free."
    )


def _logs_lines(recording: Recording) -> Iterator[str]:
    """Yield the rates of logs, whose amount depends on the requests."""
    if not recording.of_type(LOG_GROUP):
        return
    received = _rate(recording.region, "logs_gb", "a GB")
    stored = _rate(recording.region, "logs_gb_month", "a GB")
    gb = f"{REQUEST_LOG_BYTES * 1e6 / BYTES_PER_GB:.2f} GB"
    of_pods = f"; a million requests are about {gb} of the models' logs" if recording.of_type(CONTAINER_LOGS) else ""
    yield f"logs in CloudWatch, by usage: received {received}; stored, a month: {stored}{of_pods}"


def _prometheus_lines(recording: Recording) -> Iterator[str]:
    """Yield what metrics cost besides the volume that the stack creates."""
    for release in recording.of_type(RELEASE):
        prometheus = _inner(release.inputs, "values", "prometheus", "prometheusSpec")
        if "remoteWrite" in prometheus:
            yield from _managed_lines(recording, _seconds(str(prometheus["scrapeInterval"])))
        claim = _inner(prometheus, "storageSpec", "volumeClaimTemplate", "spec")
        if claim and not recording.of_type(VOLUME):
            size = _inner(claim, "resources", "requests").get("storage")
            yield (
                f"the cluster creates a volume of {size} for Prometheus with StorageClass "
                f"{claim.get('storageClassName')}: not in the total"
            )


def _managed_lines(recording: Recording, scrape_seconds: int) -> Iterator[str]:
    region = recording.region
    price = list_prices(region).get("amp_million_samples")
    leaders = sum(nodes.running_replicas for nodes in recording.fleet.values())
    own = leaders * LEADER_SERIES * samples_a_month(_leaders_seconds(recording)) / SAMPLES_PER_MILLION
    others = ROUND_SERIES * samples_a_month(scrape_seconds) / SAMPLES_PER_MILLION
    dollars = [f" (${million * price.usd:,.2f})" if price else "" for million in (own, others)]
    yield (
        "Amazon Managed Service for Prometheus, by usage: "
        f"{_rate(region, 'amp_million_samples', 'a million samples')}; "
        f"stored, a month: {_rate(region, 'amp_gb_month', 'a GB')}; "
        f"queries: {_rate(region, 'amp_billion_queried_samples', 'a billion samples')}"
    )
    yield (
        f"samples a month, an estimate: {own:,.0f} million{dollars[0]} of {leaders} leader"
        f"{'' if leaders == 1 else 's'}, and {others:,.0f} million{dollars[1]} for each {ROUND_SERIES:,} series of "
        "nodes, GPUs and pods"
    )
    if recording.of_type(ALERT_MANAGER):
        yield (
            f"alerts, by usage: your SNS topic takes {_rate(region, 'sns_million_requests', 'a million messages')}, "
            "and bills each delivery"
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


def _load_balancer_lines(recording: Recording) -> Iterator[str]:
    region = recording.region
    for balancer in recording.of_type(LOAD_BALANCER):
        yield (
            "load balancer, by usage: each capacity unit (25 new connections a second, 3,000 active ones, or 1 GB an "
            f"hour) {_rate(region, 'load_balancer_lcu_hour', 'an hour')}"
        )
        if balancer.inputs.get("accessLogs"):
            yield f"access logs, by usage: your bucket stores them, {_rate(region, 's3_gb_month', 'a GB')} a month"
    if recording.of_type(WEB_ACL_ASSOCIATION):
        yield f"web ACL, by usage: your ACL checks requests for {_rate(region, 'waf_million_requests', 'a million')}"


def _inner(value: Mapping[str, Any], *steps: str) -> Mapping[str, Any]:
    """Return the object at the end of the steps, or an empty one."""
    for step in steps:
        value = object_or_empty(value.get(step))
    return value


def _rate(region: str, name: str, unit: str) -> str:
    price = list_prices(region).get(name)
    return f"${price.usd:g} {unit}, {price.where_from}" if price else f"unknown in {region}"
