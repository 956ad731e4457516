"""The front door of a stack: one load balancer for all models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Literal

from vllm_eks.specs.network import FoundVpc, NetworkSpec

Scheme = Literal["internal", "internetFacing"]
"""`internal`: reachable in the VPC and, if the source ranges have them, in networks that are connected to it.
`internetFacing`: reachable from the internet."""
EVERY_ADDRESS = "0.0.0.0/0"
NO_PROBE = (
    "admits no pod of the cluster, so no metric shows the end of the certificate, and no alert fires if the endpoint "
    "does not answer"
)
"""The warning about source ranges with which there is no probe."""
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
    probed: bool = False
    """Whether metrics need a pod of the cluster to connect."""
    deletion_protection: bool = False
    """Whether AWS refuses to delete the load balancer. An update must turn it off before a destroy."""

    @property
    def internet_facing(self) -> bool:
        """Whether the load balancer is reachable from the internet."""
        return self.scheme == "internetFacing"

    @property
    def lets_all_in(self) -> bool:
        """Whether every address may connect."""
        return EVERY_ADDRESS in self.source_ranges

    def lets_in(self, ranges: Sequence[str]) -> bool:
        """Return whether all addresses of one or more ranges are in the source ranges."""
        allowed = [IPv4Network(one) for one in self.source_ranges]
        return bool(ranges) and all(any(IPv4Network(one).subnet_of(range_) for range_ in allowed) for one in ranges)

    def lets_pods_in(self, network: NetworkSpec, vpc: FoundVpc | None) -> bool:
        """Return whether a pod of the cluster may connect.

        Through an internet-facing load balancer, pods come from the addresses of the NAT gateways. The stack lets its
        own ones in.

        Args:
            network: The settings of the network.
            vpc: The existing VPC, or None for a new one.
        """
        if self.internet_facing:
            return vpc is None or self.lets_all_in or self.lets_in(vpc.nat_addresses)
        return not self.source_ranges or self.lets_in([network.cidr] if vpc is None else vpc.ranges)

    def url(self, model: str) -> str:
        """Return the base URL of a model, without a path."""
        return f"{'https' if self.certificate_arn else 'http'}://{self.hostnames[model]}"
