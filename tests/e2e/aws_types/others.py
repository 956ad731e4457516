"""Security group rules, DNS records, volumes, the association of a web ACL, and a managed policy.

ForceNew as in the Terraform provider (internal/service/ec2, route53 and wafv2).
"""

import json
from typing import Any

from tests.e2e.aws_types.kind import Kind, Properties, tag_list


class _SecurityGroupRule(Kind):
    """A rule with an ID of its own."""

    service = "ec2"
    force = ("securityGroupId",)
    computed = ("arn", "securityGroupRuleId")
    way: str

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Add the rule to its group."""
        permission: dict[str, Any] = {"IpProtocol": inputs["ipProtocol"]}
        permission |= {"FromPort": inputs["fromPort"], "ToPort": inputs["toPort"]}
        if "cidrIpv4" in inputs:
            permission["IpRanges"] = [{"CidrIp": inputs["cidrIpv4"]}]
        else:
            permission["UserIdGroupPairs"] = [{"GroupId": inputs["referencedSecurityGroupId"]}]
        (made,) = getattr(self.client, f"authorize_security_group_{self.way}")(
            GroupId=inputs["securityGroupId"],
            IpPermissions=[permission],
            TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": tag_list(inputs)}],
        )["SecurityGroupRules"]
        id_ = made["SecurityGroupRuleId"]
        arn = f"arn:aws:ec2:{self.client.meta.region_name}:123456789012:security-group-rule/{id_}"
        return id_, {**inputs, "arn": arn, "securityGroupRuleId": id_}

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state if the group has the rule."""
        asked = [{"Name": "group-id", "Values": [state["securityGroupId"]]}]
        rules = self.client.describe_security_group_rules(Filters=asked)["SecurityGroupRules"]
        return state if id in [one["SecurityGroupRuleId"] for one in rules] else None

    def delete(self, id: str, state: Properties) -> None:
        """Remove the rule from its group."""
        revoke = getattr(self.client, f"revoke_security_group_{self.way}")
        revoke(GroupId=state["securityGroupId"], SecurityGroupRuleIds=[id])


class SecurityGroupIngressRule(_SecurityGroupRule):
    """What a group lets in."""

    way = "ingress"


class SecurityGroupEgressRule(_SecurityGroupRule):
    """What a group lets out."""

    way = "egress"


class Record(Kind):
    """An alias record. The real provider creates it (CREATE), so that it never takes over one that exists."""

    service = "route53"
    tags = False
    force = ("name", "zoneId")
    computed = ("fqdn",)

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create the record."""
        self._change("CREATE", inputs)
        return f"{inputs['zoneId']}_{inputs['name']}_{inputs['type']}", {**inputs, "fqdn": inputs["name"]}

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state if the zone has the record."""
        listed = self.client.list_resource_record_sets(HostedZoneId=state["zoneId"])["ResourceRecordSets"]
        return (
            state
            if (state["name"], state["type"]) in [(one["Name"].rstrip("."), one["Type"]) for one in listed]
            else None
        )

    def update(self, id: str, old: Properties, new: Properties) -> None:
        """Let it lead to another load balancer."""
        self._change("UPSERT", new)

    def delete(self, id: str, state: Properties) -> None:
        """Delete the record, with its whole content, as the service demands."""
        self._change("DELETE", state)

    def _change(self, action: str, record: Properties) -> None:
        (alias,) = record["aliases"]
        target = {
            "DNSName": alias["name"],
            "HostedZoneId": alias["zoneId"],
            "EvaluateTargetHealth": alias["evaluateTargetHealth"],
        }
        change = {
            "Action": action,
            "ResourceRecordSet": {"Name": record["name"], "Type": record["type"], "AliasTarget": target},
        }
        self.client.change_resource_record_sets(HostedZoneId=record["zoneId"], ChangeBatch={"Changes": [change]})


class Volume(Kind):
    """An EBS volume."""

    service = "ec2"
    force = ("availabilityZone", "encrypted", "kmsKeyId", "snapshotId")
    computed = ("arn",)

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Create it."""
        made = self.client.create_volume(
            AvailabilityZone=inputs["availabilityZone"],
            Encrypted=inputs["encrypted"],
            Size=inputs["size"],
            VolumeType=inputs["type"],
            TagSpecifications=[{"ResourceType": "volume", "Tags": tag_list(inputs)}],
        )["VolumeId"]
        arn = f"arn:aws:ec2:{self.client.meta.region_name}:123456789012:volume/{made}"
        return made, {**inputs, "arn": arn}

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state if the volume exists."""
        return state if self.client.describe_volumes(VolumeIds=[id])["Volumes"] else None

    def delete(self, id: str, state: Properties) -> None:
        """Delete it."""
        self.client.delete_volume(VolumeId=id)


class WebAclAssociation(Kind):
    """A web ACL in front of a load balancer."""

    service = "wafv2"
    tags = False
    force = ("resourceArn", "webAclArn")

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Associate them."""
        self.client.associate_web_acl(WebACLArn=inputs["webAclArn"], ResourceArn=inputs["resourceArn"])
        return f"{inputs['webAclArn']},{inputs['resourceArn']}", dict(inputs)

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state if the load balancer has a web ACL."""
        found = self.client.get_web_acl_for_resource(ResourceArn=state["resourceArn"]).get("WebACL")
        return state if found else None

    def delete(self, id: str, state: Properties) -> None:
        """Part them."""
        self.client.disassociate_web_acl(ResourceArn=state["resourceArn"])


class RolePolicyAttachment(Kind):
    """The lab's own type, except for a managed policy that the emulated account (moto 5.2.5) does not know.

    That one becomes an inline policy of its name, so that the role still cannot be deleted before it.
    """

    service = "iam"
    tags = False
    force = ("policyArn", "role")
    unknown = "/AmazonEBSCSIDriverPolicyV2"

    def __init__(self, client: Any, known: Any) -> None:
        """Take the lab's function of clients, and its own type."""
        super().__init__(client)
        self._known = known

    def create(self, inputs: Properties) -> tuple[str, Properties]:
        """Attach the policy."""
        if not inputs["policyArn"].endswith(self.unknown):
            return self._known.create(inputs)
        document = json.dumps(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}
        )
        self.client.put_role_policy(RoleName=inputs["role"], PolicyName=self.unknown[1:], PolicyDocument=document)
        return f"{inputs['role']}-{self.unknown[1:]}", dict(inputs)

    def read(self, id: str, state: Properties) -> Properties | None:
        """Return the state if the role has the policy."""
        if not state["policyArn"].endswith(self.unknown):
            return self._known.read(id, state)
        self.client.get_role_policy(RoleName=state["role"], PolicyName=self.unknown[1:])
        return state

    def delete(self, id: str, state: Properties) -> None:
        """Detach the policy."""
        if not state["policyArn"].endswith(self.unknown):
            self._known.delete(id, state)
        else:
            self.client.delete_role_policy(RoleName=state["role"], PolicyName=self.unknown[1:])
