"""The front door of a stack: one load balancer for all models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal

Scheme = Literal["internal", "internetFacing"]
"""`internal`: reachable in the VPC and in networks that are connected to it. `internetFacing`: reachable from the
internet."""
UNKNOWN_RANGE = "192.0.2.0/24"
"""The range of an existing VPC in an offline preview: one for documentation (RFC 5737), which no VPC has."""


@dataclass(frozen=True, kw_only=True)
class AccessLogsSpec:
    """An existing bucket for the load balancer's access logs."""

    bucket: str
    prefix: str | None = None


@dataclass(frozen=True, kw_only=True)
class EndpointSpec:
    """The load balancer, the names of the models, and who may connect."""

    scheme: Scheme
    domain: str
    """The domain of the models' names, such as models.example.com."""
    hostnames: Mapping[str, str]
    """The full DNS name of each model, by its name in the stack file."""
    certificate_arn: str | None = None
    """A certificate in ACM. If None, the load balancer answers plain HTTP, which only an internal one may do."""
    hosted_zone_id: str | None = None
    """The Route 53 zone for the alias records. If None, the user makes the records."""
    source_ranges: Sequence[str] = ()
    """IPv4 ranges that may connect. Empty: the VPC's ranges."""
    web_acl_arn: str | None = None
    access_logs: AccessLogsSpec | None = None
    public_subnets: Mapping[str, str] = field(default_factory=dict[str, str])
    """Zone -> public subnet of an existing VPC, for an internet-facing load balancer."""
    installs_controller: bool = True
    """Whether the stack installs the AWS Load Balancer Controller. Otherwise an existing cluster runs it."""
    deletion_protection: bool = False
    """Whether AWS refuses to delete the load balancer. An update must turn it off before a destroy."""

    @property
    def internet_facing(self) -> bool:
        """Whether the load balancer is reachable from the internet."""
        return self.scheme == "internetFacing"

    def lets_pods_in(self, vpc_range: str | None) -> bool:
        """Return whether a pod of the cluster may connect.

        Through an internet-facing load balancer, pods come from the addresses of the NAT gateways, which the stack file
        does not have.

        Args:
            vpc_range: The range of a new VPC, or None for an existing one.
        """
        if not self.source_ranges:
            return not self.internet_facing
        ranges = [IPv4Network(one) for one in self.source_ranges]
        pods = None if self.internet_facing or vpc_range is None else IPv4Network(vpc_range)
        return any(one.prefixlen == 0 or (pods is not None and pods.subnet_of(one)) for one in ranges)

    def url(self, model: str) -> str:
        """Return the base URL of a model, without a path."""
        return f"{'https' if self.certificate_arn else 'http'}://{self.hostnames[model]}"
