"""The endpoint section of a stack file: the load balancer in front of the models."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema, Settings, Zone, absent
from config.settings.existing import SubnetId
from config.values import endpoint_rules, network_rules
from vllm_eks.specs.endpoint import AccessLogsSpec, EndpointSpec, Scheme

DnsName = Annotated[
    str,
    AfterValidator(endpoint_rules.domain),
    InSchema(pattern=endpoint_rules.DNS_NAME, maxLength=endpoint_rules.MAX_DOMAIN_CHARACTERS),
]
HostName = Annotated[
    str,
    AfterValidator(endpoint_rules.hostname),
    InSchema(pattern=endpoint_rules.DNS_NAME, maxLength=endpoint_rules.MAX_HOSTNAME_CHARACTERS),
]
SourceRange = Annotated[str, AfterValidator(endpoint_rules.source_range), InSchema(pattern=network_rules.IPV4_CIDR)]


class AccessLogsSettings(Settings):
    """An existing bucket for access logs."""

    bucket: Annotated[str, AfterValidator(endpoint_rules.bucket), InSchema(pattern=endpoint_rules.BUCKET)] = Field(
        description="The name of an existing bucket in `aws:region` whose policy lets Elastic Load Balancing write.",
        examples=["acme-access-logs"],
    )
    prefix: (
        Annotated[str, AfterValidator(endpoint_rules.log_prefix), InSchema(pattern=endpoint_rules.LOG_PREFIX)] | None
    ) = Field(
        default=None,
        description="The folder in the bucket.",
        examples=["front-door"],
        json_schema_extra=absent("the top of the bucket"),
    )


class EndpointSettings(Settings):
    """The load balancer in front of the models."""

    scheme: Scheme = Field(
        description=(
            "`internal`, for clients in the VPC and in networks connected to it, or `internetFacing`, for clients on "
            "the internet. Connected networks need `sourceRanges`."
        ),
        examples=["internal"],
    )
    domain: DnsName = Field(
        description="The domain of the models' names. Each model answers at `<model>.<domain>`, or at its `hostname`.",
        examples=["models.example.com"],
    )
    certificate_arn: (
        Annotated[str, AfterValidator(endpoint_rules.certificate_arn), InSchema(pattern=endpoint_rules.CERTIFICATE)]
        | None
    ) = Field(
        default=None,
        description=(
            "The ARN of a certificate in ACM, in `aws:region`, for the names of all models, such as "
            "`*.models.example.com`. `internetFacing` needs one. `internal` without one is plain HTTP, with a warning."
        ),
        examples=["arn:aws:acm:us-west-2:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"],
        json_schema_extra=absent("plain HTTP; required if `internetFacing`"),
    )
    hosted_zone_id: (
        Annotated[str, AfterValidator(endpoint_rules.hosted_zone_id), InSchema(pattern=endpoint_rules.HOSTED_ZONE)]
        | None
    ) = Field(
        default=None,
        description=(
            "The Route 53 hosted zone of the domain, or of a domain above it. The stack creates an alias record for "
            "each model there."
        ),
        examples=["Z0123456789ABC"],
        json_schema_extra=absent("no records; `pulumi up` prints the record to create"),
    )
    source_ranges: Annotated[
        tuple[SourceRange, ...],
        AfterValidator(endpoint_rules.source_ranges),
        InSchema(minItems=1, maxItems=endpoint_rules.MAX_SOURCE_RANGES, uniqueItems=True),
    ] = Field(
        default=(),
        strict=False,
        description=(
            "IPv4 ranges that may connect. With `internal` they replace the VPC's ranges, so list those too. "
            "`internetFacing` needs them; `0.0.0.0/0` opens the load balancer to the internet, and keys alone protect "
            "the models."
        ),
        examples=[["203.0.113.0/24"]],
        json_schema_extra=absent("the VPC's ranges; required if `internetFacing`"),
    )
    web_acl_arn: (
        Annotated[str, AfterValidator(endpoint_rules.web_acl_arn), InSchema(pattern=endpoint_rules.WEB_ACL)] | None
    ) = Field(
        default=None,
        description="The ARN of an existing regional web ACL of AWS WAF, in `aws:region`.",
        examples=["arn:aws:wafv2:us-west-2:123456789012:regional/webacl/models/01234567-89ab-cdef-0123-456789abcdef"],
        json_schema_extra=absent("no web ACL"),
    )
    access_logs: AccessLogsSettings | None = Field(
        default=None,
        description="An existing bucket for the load balancer's access logs.",
        examples=[{"bucket": "acme-access-logs"}],
        json_schema_extra=absent("no access logs"),
    )
    public_subnets: Annotated[dict[Zone, SubnetId], InSchema(additionalProperties=False)] = Field(
        default={},
        description=(
            "The public subnets of the load balancer, one in each of two or more zones. Only for `internetFacing` with "
            "`network.existing`."
        ),
        examples=[{"us-west-2a": "subnet-0123456789abcdef0", "us-west-2b": "subnet-0123456789abcdef1"}],
        json_schema_extra=absent("the stack's own public subnets"),
    )

    def hostname(self, model: str, own: str | None) -> str:
        """Return the DNS name of a model: its own, or one below the domain."""
        return own or f"{model}.{self.domain}"

    def spec(
        self,
        own_hostnames: Mapping[str, str | None],
        *,
        installs_controller: bool = True,
        probed: bool = False,
        deletion_protection: bool = False,
    ) -> EndpointSpec:
        """Return the settings for the checks and the components.

        Args:
            own_hostnames: The `hostname` of each model, or None for the default.
            installs_controller: Whether the stack installs the controller.
            probed: Whether metrics need a pod of the cluster to connect.
            deletion_protection: Whether AWS refuses to delete the load balancer.
        """
        logs = self.access_logs
        return EndpointSpec(
            scheme=self.scheme,
            domain=self.domain,
            hostnames={model: self.hostname(model, own) for model, own in own_hostnames.items()},
            certificate_arn=self.certificate_arn,
            hosted_zone_id=self.hosted_zone_id,
            source_ranges=self.source_ranges,
            web_acl_arn=self.web_acl_arn,
            access_logs=AccessLogsSpec(bucket=logs.bucket, prefix=logs.prefix) if logs else None,
            public_subnets=self.public_subnets,
            installs_controller=installs_controller,
            probed=probed,
            deletion_protection=deletion_protection,
        )
