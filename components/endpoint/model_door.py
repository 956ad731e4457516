"""One model's part of the load balancer: target group, rule, DNS record, and the binding to its leaders."""

import asyncio
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource

from components.endpoint.first_request import Door, first_request
from components.endpoint.front_door import NAME_PREFIX, FrontDoor
from components.endpoint.limits import (
    DEREGISTRATION_SECONDS,
    HEALTH_INTERVAL_SECONDS,
    HEALTH_PATH,
    HEALTH_TIMEOUT_SECONDS,
    HEALTHY_COUNT,
    PATHS,
    UNHEALTHY_COUNT,
)
from components.serving.helm_values import PORT
from components.serving.model_server import ModelServer
from components.serving.namespaces import leader_labels, model_namespace, model_service

NOT_ASKED = "not asked: a preview makes no request"
PARKED = "not asked: the model is parked, and the load balancer answers 503"


@dataclass(frozen=True, kw_only=True)
class ModelDoorArgs:
    """The arguments of a ModelDoor."""

    door: FrontDoor
    api_key: pulumi.Output[str]
    """A secret: a valid key."""
    parked: bool
    asks: bool
    """Whether to make a request when everything exists."""


class ModelDoor(pulumi.ComponentResource):
    """A model at its own DNS name. It needs the model's namespace and Service."""

    answer: pulumi.Output[str]
    """The result of a request through the load balancer."""

    def __init__(self, name: str, args: ModelDoorArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("vllm-eks:index:ModelDoor", name, {}, opts)
        self._name, self._args, self._door = name, args, args.door
        self._child = pulumi.ResourceOptions(parent=self)
        group = self._target_group()
        rule = self._rule(group)
        policy = self._network_policy()
        binding = self._binding(group, policy)
        record = self._record([rule, binding])
        self.answer = self._ask(pulumi.Output.all(rule.id, binding.id, *([record.id] if record else [])))
        self.register_outputs({})

    def _target_group(self) -> aws.lb.TargetGroup:
        return aws.lb.TargetGroup(
            f"{self._name}-target-group",
            # A name would make Pulumi delete the group before it creates the next one, without targets in between.
            name_prefix=NAME_PREFIX,
            vpc_id=self._door.network.vpc_id,
            target_type="ip",
            ip_address_type="ipv4",
            port=PORT,
            protocol="HTTP",
            protocol_version="HTTP1",
            # Requests differ in length a thousandfold, so equal numbers would not be equal loads. AWS supports neither
            # slow start nor anomaly mitigation with it.
            load_balancing_algorithm_type="least_outstanding_requests",
            deregistration_delay=DEREGISTRATION_SECONDS,
            health_check={
                "enabled": True,
                "path": HEALTH_PATH,
                "port": "traffic-port",
                "protocol": "HTTP",
                "matcher": "200",
                "interval": HEALTH_INTERVAL_SECONDS,
                "timeout": HEALTH_TIMEOUT_SECONDS,
                "healthy_threshold": HEALTHY_COUNT,
                "unhealthy_threshold": UNHEALTHY_COUNT,
            },
            tags={**self._door.tags, "Name": f"{self._door.stack}-{self._name}"},
            # AWS never accepts a group in two load balancers (TargetGroupAssociationLimit), and while one load balancer
            # replaces the other, both exist.
            opts=pulumi.ResourceOptions(parent=self, replace_with=[self._door.load_balancer]),
        )

    def _rule(self, group: aws.lb.TargetGroup) -> aws.lb.ListenerRule:
        """Create the rule. Without a priority it gets the next free one, so that a new model changes no other rule."""
        return aws.lb.ListenerRule(
            f"{self._name}-rule",
            listener_arn=self._door.listener_arn,
            conditions=[
                {"host_header": {"values": [self._door.endpoint.hostnames[self._name]]}},
                {"path_pattern": {"values": list(PATHS)}},
            ],
            actions=[{"type": "forward", "target_group_arn": group.arn}],
            tags={**self._door.tags, "Name": f"{self._door.stack}-{self._name}"},
            opts=self._child,
        )

    def _record(self, after: list[pulumi.Resource]) -> aws.route53.Record | None:
        """Create the record, or let it lead to another load balancer, when that one has the model's rule.

        All models have the same record, so it is the name's: it stays if the name moves to another model. As a model's,
        it would be created for one model before it is deleted for the other, which Route 53 refuses.
        """
        zone, hostname = self._door.endpoint.hosted_zone_id, self._door.endpoint.hostnames[self._name]
        if zone is None:
            return None
        return aws.route53.Record(
            f"{hostname}-record",
            zone_id=zone,
            name=hostname,
            type="A",
            aliases=[{"name": self._door.dns_name, "zone_id": self._door.zone_id, "evaluate_target_health": False}],
            # Records of earlier commits have the model's name.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=after, aliases=[pulumi.Alias(name=f"{self._name}-record")]
            ),
        )

    def _network_policy(self) -> kubernetes.networking.v1.NetworkPolicy:
        """Let the load balancer in, besides what the chart's policies allow."""
        return kubernetes.networking.v1.NetworkPolicy(
            f"{self._name}-network-policy",
            metadata={"namespace": model_namespace(self._name)},
            spec={
                "pod_selector": {"match_labels": leader_labels(self._name)},
                "policy_types": ["Ingress"],
                "ingress": [
                    {
                        "from_": [{"ip_block": {"cidr": cidr}} for cidr in self._door.network.subnet_ranges],
                        "ports": [{"protocol": "TCP", "port": PORT}],
                    }
                ],
            },
            opts=self._child,
        )

    def _binding(self, group: aws.lb.TargetGroup, policy: kubernetes.networking.v1.NetworkPolicy) -> CustomResource:
        """Create the object that makes the controller register the leaders. It changes no security group."""
        return CustomResource(
            f"{self._name}-binding",
            api_version="elbv2.k8s.aws/v1beta1",
            kind="TargetGroupBinding",
            metadata={"namespace": model_namespace(self._name)},
            spec={
                "targetGroupARN": group.arn,
                "targetType": "ip",
                "ipAddressType": "ipv4",
                "targetGroupProtocol": "HTTP",
                "vpcID": self._door.network.vpc_id,
                "serviceRef": {"name": model_service(self._name), "port": PORT},
            },
            # The controller's webhook refuses a changed ARN.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[policy], replace_on_changes=["spec.targetGroupARN", "spec.vpcID"]
            ),
        )

    def _ask(self, exists: pulumi.Output[list[str]]) -> pulumi.Output[str]:
        if self._args.parked or not self._args.asks:
            return pulumi.Output.from_input(PARKED if self._args.parked else NOT_ASKED)
        endpoint = self._door.endpoint

        async def ask(known: list[str]) -> str:
            balancer, key, *_ = known
            door = Door(
                model=self._name,
                url=endpoint.url(self._name),
                balancer=balancer,
                has_record=endpoint.hosted_zone_id is not None,
            )
            answer = await asyncio.to_thread(first_request, door, key)
            if answer.result == "wrong":
                raise pulumi.RunError(f"{self._name}: {answer.text}")
            if answer.result == "unreachable":
                pulumi.log.warn(f"{self._name}: {answer.text}")
            return answer.text

        known = pulumi.Output.all(self._door.dns_name, self._args.api_key, exists)
        # The answer never contains the key.
        return pulumi.Output.unsecret(known.apply(ask))


def model_door(
    name: str,
    door: FrontDoor | None,
    server: ModelServer,
    *,
    parked: bool,
    offline: bool,
    opts: pulumi.ResourceOptions,
) -> ModelDoor | None:
    """Return a model's part of the load balancer, or None if the stack has none.

    Args:
        name: The model's name.
        door: The load balancer.
        server: The model behind it.
        parked: Whether the model has no pods.
        offline: Whether this is an offline preview, which makes no request.
        opts: Options with the provider of the cluster.
    """
    if door is None:
        return None
    args = ModelDoorArgs(
        door=door, api_key=server.api_key, parked=parked, asks=not (offline or pulumi.runtime.is_dry_run())
    )
    # The controller needs the Service, and removes a binding's finalizer before it goes itself.
    after = pulumi.ResourceOptions(depends_on=[door, server])
    return ModelDoor(name, args, pulumi.ResourceOptions.merge(opts, after))
