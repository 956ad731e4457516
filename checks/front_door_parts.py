"""The checks of a load balancer, by name, to run in parallel with the others."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from checks.front_door import (
    certificate_checks,
    controller_check,
    load_balancer_limit_check,
    log_bucket_check,
    plain_http_check,
    web_acl_check,
)
from checks.front_door_names import record_checks, zone_check
from checks.front_door_network import FoundRanges, find_ranges
from checks.site import Site
from vllm_eks.check import Check
from vllm_eks.specs.endpoint import EndpointSpec

RANGES = "endpoint ranges"
Part: TypeAlias = Callable[[], FoundRanges | Check | Sequence[Check] | None]


def front_door_parts(endpoint: EndpointSpec, vpc_id: str | None, cluster: str | None, site: Site) -> dict[str, Part]:
    """Return the checks.

    Args:
        endpoint: The settings of the load balancer.
        vpc_id: The existing VPC, or None for a new one.
        cluster: The name of the existing cluster, or None for a new one.
        site: The account and region.
    """
    parts: dict[str, Part] = {
        "endpoint encryption": lambda: plain_http_check(endpoint),
        "endpoint.certificateArn": lambda: list(certificate_checks(endpoint, site)),
        "endpoint.hostedZoneId": lambda: zone_check(endpoint, vpc_id, site),
        "endpoint records": lambda: list(record_checks(endpoint, site)),
        "endpoint.webAclArn": lambda: web_acl_check(endpoint, site),
        "endpoint.accessLogs": lambda: log_bucket_check(endpoint, site),
        "load balancer quota": lambda: load_balancer_limit_check(site),
    }
    if vpc_id:
        parts[RANGES] = lambda: find_ranges(endpoint, vpc_id, site)
    if cluster:
        parts["load balancer controller"] = lambda: controller_check(
            cluster, site, installs=endpoint.installs_controller
        )
    return parts
