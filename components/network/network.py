"""The VPC with a private and a public subnet in each zone, and its gateways."""

from dataclasses import dataclass
from typing import get_args

import pulumi
import pulumi_aws as aws

from components.network.flow_logs import FlowLogs, FlowLogsArgs
from components.network.subnets import private_subnet_cidr, public_subnet_cidr
from vllm_eks.specs.network import NatGateways, NetworkSpec
from vllm_eks.specs.stack import StackSpec


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """The arguments of a Network. They decide how many resources exist, so they are plain values."""

    stack: StackSpec
    network: NetworkSpec
    keep_logs: bool = False
    """Whether the flow logs are kept when the stack is destroyed."""


class Network(pulumi.ComponentResource):
    """A VPC whose nodes use NAT for the internet and an endpoint for S3."""

    vpc_id: pulumi.Output[str]
    private_subnet_ids: list[pulumi.Output[str]]
    """In the order of the given zones."""
    public_subnet_ids: list[pulumi.Output[str]]
    """In the order of the given zones."""
    nat_addresses: dict[str, pulumi.Output[str]]
    """Zone -> public address of its NAT gateway. All traffic of the private subnets to the internet has one of them."""

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:Network", name, {}, opts)
        if args.network.nat_gateways not in get_args(NatGateways):
            raise ValueError(
                f"nat_gateways is {args.network.nat_gateways!r}; it must be one of {get_args(NatGateways)}"
            )
        self._name = name
        self._args, self._network = args, args.network
        self._child = pulumi.ResourceOptions(parent=self)
        self.nat_addresses = {}

        vpc = aws.ec2.Vpc(
            f"{name}-vpc",
            cidr_block=args.network.cidr,
            enable_dns_hostnames=True,
            enable_dns_support=True,
            tags=self._tags("vpc"),
            opts=self._child,
        )
        # Every VPC has a default group that lets its members talk to each other. No resource of the stack uses it.
        aws.ec2.DefaultSecurityGroup(
            f"{name}-default-security-group",
            vpc_id=vpc.id,
            ingress=[],
            egress=[],
            tags=self._tags("default-unused"),
            opts=self._child,
        )
        public_subnets = self._public_subnets(vpc)
        public_routes = self._public_routes(vpc, public_subnets)
        nats = self._nat_gateways(public_subnets, public_routes)
        private_subnets, private_tables = self._private_subnets(vpc, nats)
        aws.ec2.VpcEndpoint(
            f"{name}-s3",
            vpc_id=vpc.id,
            vpc_endpoint_type="Gateway",
            service_name=f"com.amazonaws.{args.stack.region}.s3",
            route_table_ids=[table.id for table in private_tables],
            tags=self._tags("s3"),
            opts=self._child,
        )
        flow_logs = FlowLogsArgs(vpc_id=vpc.id, keep_logs=args.keep_logs, iam=args.stack.iam, tags=args.stack.tags)
        FlowLogs(f"{name}-flow-logs", flow_logs, opts=self._child)

        self.vpc_id = vpc.id
        self.private_subnet_ids = [private_subnets[zone].id for zone in args.network.zones]
        self.public_subnet_ids = [public_subnets[zone].id for zone in args.network.zones]
        self.register_outputs(
            {
                "vpc_id": self.vpc_id,
                "private_subnet_ids": self.private_subnet_ids,
                "public_subnet_ids": self.public_subnet_ids,
            }
        )

    def private_subnet_id(self, zone: str) -> pulumi.Output[str]:
        """Return the ID of the private subnet in a zone.

        Raises:
            ValueError: The network has no such zone.
        """
        if zone not in self._network.zones:
            raise ValueError(f"zone {zone!r} is not one of the network's zones {list(self._network.zones)}")
        return self.private_subnet_ids[list(self._network.zones).index(zone)]

    def _tags(self, role: str) -> dict[str, str]:
        return {**self._args.stack.tags, "Name": f"{self._name}-{role}"}

    def _public_subnets(self, vpc: aws.ec2.Vpc) -> dict[str, aws.ec2.Subnet]:
        return {
            zone: aws.ec2.Subnet(
                f"{self._name}-public-{zone}",
                vpc_id=vpc.id,
                availability_zone=zone,
                cidr_block=public_subnet_cidr(self._network.cidr, zone),
                # NAT gateways and load balancers have their own addresses. Nothing else belongs here.
                map_public_ip_on_launch=False,
                tags={**self._tags(f"public-{zone}"), "kubernetes.io/role/elb": "1"},
                opts=self._child,
            )
            for zone in self._network.zones
        }

    def _public_routes(self, vpc: aws.ec2.Vpc, subnets: dict[str, aws.ec2.Subnet]) -> list[pulumi.Resource]:
        """Create the public route table, and return the resources needed before anything there reaches the internet."""
        gateway = aws.ec2.InternetGateway(
            f"{self._name}-internet-gateway", vpc_id=vpc.id, tags=self._tags("internet-gateway"), opts=self._child
        )
        table = aws.ec2.RouteTable(f"{self._name}-public", vpc_id=vpc.id, tags=self._tags("public"), opts=self._child)
        route = aws.ec2.Route(
            f"{self._name}-public-internet",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self._child,
        )
        associations = [
            aws.ec2.RouteTableAssociation(
                f"{self._name}-public-{zone}", subnet_id=subnet.id, route_table_id=table.id, opts=self._child
            )
            for zone, subnet in subnets.items()
        ]
        return [route, *associations]

    def _nat_gateways(
        self, subnets: dict[str, aws.ec2.Subnet], public_routes: list[pulumi.Resource]
    ) -> dict[str, aws.ec2.NatGateway]:
        """Create the NAT gateways, and return the one for each zone."""
        # The smallest name and not the first one, so that reordering the zones does not move the gateway.
        homes = [min(subnets)] if self._network.nat_gateways == "single" else list(subnets)
        gateways = {zone: self._nat_gateway(zone, subnets[zone], public_routes) for zone in homes}
        return {zone: gateways.get(zone, gateways[homes[0]]) for zone in subnets}

    def _nat_gateway(
        self, zone: str, subnet: aws.ec2.Subnet, public_routes: list[pulumi.Resource]
    ) -> aws.ec2.NatGateway:
        # An address cannot be released while its internet gateway is being deleted.
        after_routes = pulumi.ResourceOptions(parent=self, depends_on=public_routes)
        # A gateway whose creation failed cannot recover, and its address can only belong to one gateway at a time.
        made_anew = pulumi.ResourceOptions(
            parent=self, depends_on=public_routes, replace_on_changes=["#initerror"], delete_before_replace=True
        )
        address = aws.ec2.Eip(
            f"{self._name}-nat-{zone}", domain="vpc", tags=self._tags(f"nat-{zone}"), opts=after_routes
        )
        self.nat_addresses[zone] = address.public_ip
        return aws.ec2.NatGateway(
            f"{self._name}-nat-{zone}",
            allocation_id=address.id,
            subnet_id=subnet.id,
            tags=self._tags(f"nat-{zone}"),
            opts=made_anew,
        )

    def _private_subnets(
        self, vpc: aws.ec2.Vpc, nats: dict[str, aws.ec2.NatGateway]
    ) -> tuple[dict[str, aws.ec2.Subnet], list[aws.ec2.RouteTable]]:
        """Create each zone's private subnet with its own route table, so that a change of NAT changes only one
        route."""
        subnets: dict[str, aws.ec2.Subnet] = {}
        tables: list[aws.ec2.RouteTable] = []
        for zone in self._network.zones:
            child_name = f"{self._name}-private-{zone}"
            subnets[zone] = aws.ec2.Subnet(
                child_name,
                vpc_id=vpc.id,
                availability_zone=zone,
                cidr_block=private_subnet_cidr(self._network.cidr, zone),
                map_public_ip_on_launch=False,
                tags={**self._tags(f"private-{zone}"), "kubernetes.io/role/internal-elb": "1"},
                opts=self._child,
            )
            table = aws.ec2.RouteTable(child_name, vpc_id=vpc.id, tags=self._tags(f"private-{zone}"), opts=self._child)
            aws.ec2.Route(
                f"{child_name}-nat",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                nat_gateway_id=nats[zone].id,
                opts=self._child,
            )
            aws.ec2.RouteTableAssociation(
                child_name, subnet_id=subnets[zone].id, route_table_id=table.id, opts=self._child
            )
            tables.append(table)
        return subnets, tables
