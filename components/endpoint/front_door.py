"""The load balancer in front of all models, with its security group and listeners."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from components.endpoint.controller import Binder, BinderArgs
from components.endpoint.door_network import DoorNetwork
from components.endpoint.limits import CLIENT_KEEP_ALIVE_SECONDS, IDLE_SECONDS, TLS_POLICY
from components.serving.helm_values import PORT
from vllm_eks.pins.charts import ChartSource
from vllm_eks.specs.endpoint import EndpointSpec
from vllm_eks.specs.stack import IamSpec

NAME_PREFIX = "vllm-"
"""AWS limits names to 32 characters and the prefix to 6. The tag Name is for people."""
HTTPS, HTTP = 443, 80
NOT_FOUND = {"error": {"message": "No model has this name, or the path is not public.", "code": 404}}


@dataclass(frozen=True, kw_only=True)
class FrontDoorArgs:
    """The arguments of a FrontDoor."""

    endpoint: EndpointSpec
    network: DoorNetwork
    cluster_name: pulumi.Input[str]
    node_security_group_id: pulumi.Input[str]
    """A security group of all GPU nodes."""
    region: str
    stack: str
    controller: ChartSource | None
    """None if an existing cluster already runs the controller."""
    controller_image: str | None = None
    iam: IamSpec = field(default_factory=IamSpec)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


class FrontDoor(pulumi.ComponentResource):
    """One application load balancer. Each model adds a rule and a target group."""

    dns_name: pulumi.Output[str]
    zone_id: pulumi.Output[str]
    """The hosted zone of AWS that the DNS name is in, for alias records."""
    listener_arn: pulumi.Output[str]
    """The listener that routes to the models."""
    load_balancer: aws.lb.LoadBalancer
    endpoint: EndpointSpec
    network: DoorNetwork
    stack: str
    tags: Mapping[str, str]

    def __init__(self, name: str, args: FrontDoorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:FrontDoor", name, {}, opts)
        self._name, self._args, self._child = name, args, pulumi.ResourceOptions(parent=self)
        self.endpoint, self.network, self.stack, self.tags = args.endpoint, args.network, args.stack, args.tags
        if args.controller:
            binder = BinderArgs(
                chart=args.controller,
                image=args.controller_image,
                cluster_name=args.cluster_name,
                vpc_id=args.network.vpc_id,
                region=args.region,
                stack=args.stack,
                iam=args.iam,
                tags=args.tags,
            )
            Binder(f"{name}-binder", binder, self._child)
        group = self._security_group()
        balancer = self.load_balancer = self._load_balancer(group, self._rules(group))
        self.dns_name, self.zone_id = balancer.dns_name, balancer.zone_id
        self.listener_arn = self._listeners(balancer)
        if args.endpoint.web_acl_arn:
            aws.wafv2.WebAclAssociation(
                f"{name}-web-acl",
                resource_arn=balancer.arn,
                web_acl_arn=args.endpoint.web_acl_arn,
                opts=self._child,
            )
        self.register_outputs({"dns_name": self.dns_name, "listener_arn": self.listener_arn})

    @property
    def outputs(self) -> Mapping[str, pulumi.Input[Any]]:
        """The DNS name, and the records that the stack does not create."""
        given: dict[str, pulumi.Input[Any]] = {"dnsName": self.dns_name, "zoneId": self.zone_id}
        if self.endpoint.hosted_zone_id is None:
            hostnames = sorted(self.endpoint.hostnames.values())
            given["dnsRecords"] = {hostname: pulumi.Output.concat("CNAME ", self.dns_name) for hostname in hostnames}
        return given

    def _tags(self, role: str) -> dict[str, str]:
        return {**self._args.tags, "Name": f"{self._name}-{role}"}

    def _security_group(self) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            f"{self._name}-security-group",
            # Fixed, because a changed description replaces the group.
            description="The load balancer in front of the models",
            vpc_id=self._args.network.vpc_id,
            tags=self._tags("load-balancer"),
            opts=self._child,
        )

    def _rules(self, group: aws.ec2.SecurityGroup) -> Sequence[pulumi.Resource]:
        """Create the rules: clients to the listeners, and the load balancer to the models' port and nothing else."""
        args, endpoint = self._args, self._args.endpoint
        ports = (HTTPS, HTTP) if endpoint.certificate_arn else (HTTP,)
        clients = [
            self._client_rule(group, port, source.replace("/", "-"), source)
            for source in sorted(endpoint.source_ranges or args.network.vpc_ranges)
            for port in ports
        ]
        clients += self._probe_rules(group)
        outward = aws.vpc.SecurityGroupEgressRule(
            f"{self._name}-to-models",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            referenced_security_group_id=args.node_security_group_id,
            tags=args.tags,
            opts=self._child,
        )
        inward = aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-into-nodes",
            security_group_id=args.node_security_group_id,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            referenced_security_group_id=group.id,
            tags=args.tags,
            opts=self._child,
        )
        return [*clients, outward, inward]

    def _probe_rules(self, group: aws.ec2.SecurityGroup) -> list[aws.vpc.SecurityGroupIngressRule]:
        """Let the probe of the metrics in, whose requests come from the NAT gateways."""
        args, endpoint = self._args, self._args.endpoint
        if not (endpoint.probed and endpoint.internet_facing) or endpoint.lets_all_in:
            return []
        return [
            self._client_rule(group, HTTPS, f"nat-{zone}", pulumi.Output.concat(address, "/32"))
            for zone, address in args.network.nat_addresses.items()
        ]

    def _client_rule(
        self, group: aws.ec2.SecurityGroup, port: int, source: str, cidr: pulumi.Input[str]
    ) -> aws.vpc.SecurityGroupIngressRule:
        """Let a range connect to a listener. The rule's name has the name of the source."""
        return aws.vpc.SecurityGroupIngressRule(
            f"{self._name}-{port}-from-{source}",
            security_group_id=group.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            cidr_ipv4=cidr,
            tags=self._args.tags,
            opts=self._child,
        )

    def _load_balancer(self, group: aws.ec2.SecurityGroup, rules: Sequence[pulumi.Resource]) -> aws.lb.LoadBalancer:
        args, logs = self._args, self._args.endpoint.access_logs
        return aws.lb.LoadBalancer(
            f"{self._name}-load-balancer",
            name_prefix=NAME_PREFIX,
            load_balancer_type="application",
            internal=not args.endpoint.internet_facing,
            ip_address_type="ipv4",
            subnets=args.network.subnet_ids,
            security_groups=[group.id],
            idle_timeout=IDLE_SECONDS,
            client_keep_alive=CLIENT_KEEP_ALIVE_SECONDS,
            # Headers that two servers may read differently are a way to smuggle requests.
            drop_invalid_header_fields=True,
            enable_deletion_protection=args.endpoint.deletion_protection,
            access_logs={"bucket": logs.bucket, "prefix": logs.prefix, "enabled": True} if logs else None,
            tags=self._tags("load-balancer"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=rules),
        )

    def _listeners(self, balancer: aws.lb.LoadBalancer) -> pulumi.Output[str]:
        """Create the listeners, and return the one for the models. HTTP redirects if there is a certificate."""
        certificate = self._args.endpoint.certificate_arn
        # One resource for port 80 in both cases. With two, an added certificate would create the second one before the
        # first is deleted, which AWS refuses (DuplicateListener).
        http = aws.lb.Listener(
            f"{self._name}-http",
            load_balancer_arn=balancer.arn,
            port=HTTP,
            protocol="HTTP",
            default_actions=[_to_https() if certificate else _not_found()],
            tags=self._args.tags,
            # Its name beside a certificate in earlier commits.
            opts=pulumi.ResourceOptions(parent=self, aliases=[pulumi.Alias(name=f"{self._name}-redirect")]),
        )
        if certificate is None:
            return http.arn
        return aws.lb.Listener(
            f"{self._name}-https",
            load_balancer_arn=balancer.arn,
            port=HTTPS,
            protocol="HTTPS",
            ssl_policy=TLS_POLICY,
            certificate_arn=certificate,
            default_actions=[_not_found()],
            tags=self._args.tags,
            opts=self._child,
        ).arn


def _to_https() -> aws.lb.ListenerDefaultActionArgsDict:
    return {
        "type": "redirect",
        "redirect": {"protocol": "HTTPS", "port": str(HTTPS), "status_code": "HTTP_301"},
    }


def _not_found() -> aws.lb.ListenerDefaultActionArgsDict:
    """Return the answer for names and paths that no rule knows."""
    return {
        "type": "fixed-response",
        "fixed_response": {
            "content_type": "application/json",
            "message_body": json.dumps(NOT_FOUND),
            "status_code": "404",
        },
    }
