"""`aws:lb`: load balancer, target group, listener and rule.

ForceNew as in the Terraform provider (internal/service/elbv2). The emulated account refuses to delete a target group
that a rule uses, and a second listener of a port, as AWS does. It has no network interfaces of a load balancer, for
whose end the real provider waits.
"""

from typing import Any

from tests.e2e.aws_types.kind import Kind, Properties, pascal_keys, tag_list, unique_name


class _Balanced(Kind):
    """A resource whose ID is its ARN."""

    service = "elbv2"


class LoadBalancer(_Balanced):
    """An application load balancer."""

    name, longest = "name", 32
    force = ("name", "namePrefix", "internal", "loadBalancerType")
    computed = ("arn", "arnSuffix", "dnsName", "vpcId", "zoneId")

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create it, and set its attributes with a second call, as the real provider does."""
        name = unique_name(inputs)
        (made,) = self.client.create_load_balancer(
            Name=name,
            Type=inputs["loadBalancerType"],
            Scheme="internal" if inputs.get("internal") else "internet-facing",
            IpAddressType=inputs["ipAddressType"],
            Subnets=inputs["subnets"],
            SecurityGroups=inputs["securityGroups"],
            Tags=tag_list(inputs),
        )["LoadBalancers"]
        attributes = {
            "idle_timeout.timeout_seconds": inputs["idleTimeout"],
            "routing.http.drop_invalid_header_fields.enabled": inputs["dropInvalidHeaderFields"],
            "deletion_protection.enabled": inputs["enableDeletionProtection"],
        }
        self.client.modify_load_balancer_attributes(
            LoadBalancerArn=made["LoadBalancerArn"],
            Attributes=[{"Key": key, "Value": str(value).lower()} for key, value in attributes.items()],
        )
        return made["LoadBalancerArn"], self._outputs(made, {**inputs, "name": name})

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return what the account says of it."""
        return self._outputs(self.client.describe_load_balancers(LoadBalancerArns=[id])["LoadBalancers"][0], state)

    def delete(self, id: str, state: Properties) -> None:
        """Delete it, unless it is protected. The emulated account would delete it anyway."""
        listed = self.client.describe_load_balancer_attributes(LoadBalancerArn=id)["Attributes"]
        if {"Key": "deletion_protection.enabled", "Value": "true"} in listed:
            raise PermissionError(
                f"OperationNotPermitted: {id} cannot be deleted because deletion protection is enabled"
            )
        self.client.delete_load_balancer(LoadBalancerArn=id)

    @staticmethod
    def _outputs(found: Properties, state: Properties) -> Properties:
        arn = found["LoadBalancerArn"]
        return {
            **state,
            "arn": arn,
            "arnSuffix": arn.partition("loadbalancer/")[2],
            "dnsName": found["DNSName"],
            "vpcId": found["VpcId"],
            "zoneId": found["CanonicalHostedZoneId"],
            "internal": found["Scheme"] == "internal",
        }


class TargetGroup(_Balanced):
    """A target group. Its targets are the controller's."""

    name, longest = "name", 32
    force = ("ipAddressType", "name", "namePrefix", "port", "protocol", "protocolVersion", "targetType", "vpcId")
    computed = ("arn", "arnSuffix", "loadBalancerArns")

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create it, and set its attributes with a second call, as the real provider does."""
        name, health = unique_name(inputs), inputs["healthCheck"]
        (made,) = self.client.create_target_group(
            Name=name,
            VpcId=inputs["vpcId"],
            TargetType=inputs["targetType"],
            IpAddressType=inputs["ipAddressType"],
            Port=inputs["port"],
            Protocol=inputs["protocol"],
            ProtocolVersion=inputs["protocolVersion"],
            HealthCheckEnabled=health["enabled"],
            HealthCheckPath=health["path"],
            HealthCheckPort=health["port"],
            HealthCheckProtocol=health["protocol"],
            HealthCheckIntervalSeconds=health["interval"],
            HealthCheckTimeoutSeconds=health["timeout"],
            HealthyThresholdCount=health["healthyThreshold"],
            UnhealthyThresholdCount=health["unhealthyThreshold"],
            Matcher={"HttpCode": health["matcher"]},
            Tags=tag_list(inputs),
        )["TargetGroups"]
        arn = made["TargetGroupArn"]
        self.client.modify_target_group_attributes(
            TargetGroupArn=arn,
            Attributes=[
                {"Key": "load_balancing.algorithm.type", "Value": inputs["loadBalancingAlgorithmType"]},
                {"Key": "deregistration_delay.timeout_seconds", "Value": str(inputs["deregistrationDelay"])},
            ],
        )
        suffix = arn.rpartition(":")[2]
        return arn, {**inputs, "name": name, "arn": arn, "arnSuffix": suffix, "loadBalancerArns": []}

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state if the group exists."""
        return state if self.client.describe_target_groups(TargetGroupArns=[id])["TargetGroups"] else None

    def delete(self, id: str, state: Properties) -> None:
        """Delete it. The account refuses if a rule uses it."""
        self.client.delete_target_group(TargetGroupArn=id)


class Listener(_Balanced):
    """A listener with actions that need no target group."""

    force = ("loadBalancerArn",)
    computed = ("arn",)

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create it."""
        secure: dict[str, Any] = {}
        if inputs.get("certificateArn"):
            secure = {
                "SslPolicy": inputs["sslPolicy"],
                "Certificates": [{"CertificateArn": inputs["certificateArn"]}],
            }
        (made,) = self.client.create_listener(
            LoadBalancerArn=inputs["loadBalancerArn"],
            Port=inputs["port"],
            Protocol=inputs["protocol"],
            DefaultActions=_actions(inputs["defaultActions"]),
            Tags=tag_list(inputs),
            **secure,
        )["Listeners"]
        return made["ListenerArn"], {**inputs, "arn": made["ListenerArn"]}

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state if the listener exists."""
        return state if self.client.describe_listeners(ListenerArns=[id])["Listeners"] else None

    def update(self, id: str, old: Properties, new: Properties) -> None:
        """Change its default action."""
        self.client.modify_listener(ListenerArn=id, DefaultActions=_actions(new["defaultActions"]))

    def delete(self, id: str, state: Properties) -> None:
        """Delete it."""
        self.client.delete_listener(ListenerArn=id)


class ListenerRule(_Balanced):
    """A rule. Without a priority it gets the one after the last, as the real provider asks for it."""

    force = ("listenerArn", "priority")
    computed = ("arn", "priority")

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create it, unless its target group is another load balancer's. The emulated account would accept that."""
        self._check_groups(inputs)
        (made,) = self.client.create_rule(
            ListenerArn=inputs["listenerArn"],
            Priority=self._next_priority(inputs["listenerArn"]),
            Conditions=[_condition(one) for one in inputs["conditions"]],
            Actions=_actions(inputs["actions"]),
            Tags=tag_list(inputs),
        )["Rules"]
        return made["RuleArn"], {**inputs, "arn": made["RuleArn"], "priority": int(made["Priority"])}

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state if the rule exists."""
        return state if self.client.describe_rules(RuleArns=[id])["Rules"] else None

    def update(self, id: str, old: Properties, new: Properties) -> None:
        """Change its conditions and actions."""
        self.client.modify_rule(
            RuleArn=id,
            Conditions=[_condition(one) for one in new["conditions"]],
            Actions=_actions(new["actions"]),
        )

    def delete(self, id: str, state: Properties) -> None:
        """Delete it."""
        self.client.delete_rule(RuleArn=id)

    def _check_groups(self, inputs: Properties) -> None:
        """Refuse what AWS refuses (hashicorp/terraform-provider-aws, issue 22005).

        Read from the rules that exist, because the emulated account never clears a target group's load balancers.
        """
        arns = {one["targetGroupArn"] for one in inputs["actions"] if one.get("targetGroupArn")}
        (own,) = self.client.describe_listeners(ListenerArns=[inputs["listenerArn"]])["Listeners"]
        for balancer in self.client.describe_load_balancers()["LoadBalancers"]:
            arn = balancer["LoadBalancerArn"]
            if arn != own["LoadBalancerArn"] and (shared := arns & self._groups_of(arn)):
                raise PermissionError(
                    "TargetGroupAssociationLimit: The following target groups cannot be associated with more than one "
                    f"load balancer: {', '.join(sorted(shared))}"
                )

    def _groups_of(self, balancer: str) -> set[str]:
        listeners = self.client.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
        rules = [
            rule
            for listener in listeners
            for rule in self.client.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
        ]
        return {action["TargetGroupArn"] for rule in rules for action in rule["Actions"] if "TargetGroupArn" in action}

    def _next_priority(self, listener: str) -> int:
        rules = self.client.describe_rules(ListenerArn=listener)["Rules"]
        return max((int(one["Priority"]) for one in rules if one["Priority"] != "default"), default=0) + 1


def _condition(condition: Properties) -> dict[str, Any]:
    if "hostHeader" in condition:
        return {"Field": "host-header", "HostHeaderConfig": {"Values": condition["hostHeader"]["values"]}}
    return {"Field": "path-pattern", "PathPatternConfig": {"Values": condition["pathPattern"]["values"]}}


def _actions(actions: list[Properties]) -> list[Properties]:
    """Return actions as AWS takes them, which calls two parts otherwise."""
    renamed = {"FixedResponse": "FixedResponseConfig", "Redirect": "RedirectConfig"}
    found: list[Properties] = [pascal_keys(one) for one in actions]
    return [{str(renamed.get(key, key)): value for key, value in one.items()} for one in found]
