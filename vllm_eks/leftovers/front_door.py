"""Lists what the endpoint leaves outside of the load balancer: records, and rules in security groups."""

import json
from collections.abc import Iterator

from vllm_eks.aws.account import Account
from vllm_eks.aws.session import Record, tags_of
from vllm_eks.leftovers.found import Found
from vllm_eks.leftovers.owner import Owner
from vllm_eks.leftovers.services import load_balancer_reasons

RECORD_TYPES = ("A", "AAAA")
NAME_PREFIX = "vllm-"
"""The start of the load balancer's name (`components.endpoint.front_door`)."""


def records(account: Account, owner: Owner) -> Iterator[Found]:
    """Yield the records of the models' host names that are an alias of the stack's load balancer.

    Records have no tags. An alias is the stack's if it has the exact name of a model, in the hosted zone of the stack
    file, and its load balancer is the stack's, or no longer exists and had a name as those of the program.
    """
    if not owner.hosted_zone or not owner.hostnames:
        return
    balancers = {record["DNSName"].lower(): record for record in _balancers(account)}
    own = dict(load_balancer_reasons(account, owner))
    for hostname in sorted(owner.hostnames):
        # A zone can have 10,000 records, so ask only for this name.
        answer = account.answer(
            "route53",
            "list_resource_record_sets",
            HostedZoneId=owner.hosted_zone,
            StartRecordName=hostname,
            StartRecordType=RECORD_TYPES[0],
            MaxItems=str(len(RECORD_TYPES)),
        )
        for record in answer["ResourceRecordSets"]:
            if record["Name"].rstrip(".") != hostname or record["Type"] not in RECORD_TYPES:
                continue
            target = record.get("AliasTarget", {}).get("DNSName", "").rstrip(".").lower().removeprefix("dualstack.")
            balancer = balancers.get(target)
            if balancer and balancer["LoadBalancerArn"] in own:
                yield _record(owner, record, f"name {hostname}, an alias of {balancer['LoadBalancerName']}")
            elif balancer is None and _is_balancer_of(account.region, target):
                yield _record(owner, record, f"name {hostname}, an alias of {target}, which no longer exists")


def _balancers(account: Account) -> Iterator[Record]:
    return account.pages("elbv2", "describe_load_balancers", "LoadBalancers")


def _is_balancer_of(region: str, target: str) -> bool:
    """Return whether a DNS name is that of a load balancer in a region with a name of the program.

    >>> _is_balancer_of("us-west-2", "internal-vllm-20261127-1.us-west-2.elb.amazonaws.com")
    True
    >>> _is_balancer_of("us-west-2", "vllm-20261127-1.us-east-1.elb.amazonaws.com")
    False
    >>> _is_balancer_of("us-west-2", "internal-chat-1.us-west-2.elb.amazonaws.com")
    False
    """
    in_region = f".{region}.elb." in target or f".elb.{region}." in target
    return in_region and target.removeprefix("internal-").startswith(NAME_PREFIX)


def _record(owner: Owner, record: Record, why: str) -> Found:
    batch = json.dumps({"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]})
    removal = ("route53", "change-resource-record-sets", "--hosted-zone-id", owner.hosted_zone or "")
    return Found(
        kind="record",
        id=f"{record['Type']} {record['Name'].rstrip('.')}",
        why=why,
        removal=((*removal, "--change-batch", batch),),
    )


def group_rules(account: Account, owner: Owner, *, own_groups: set[str]) -> Iterator[Found]:
    """Yield the stack's rules in security groups of others, and those that refer to another group.

    EC2 does not delete a group to which a rule of another group refers. Other rules are deleted with their group.
    """
    for record in account.pages("ec2", "describe_security_group_rules", "SecurityGroupRules"):
        group = record["GroupId"]
        referred = record.get("ReferencedGroupInfo", {}).get("GroupId", group)
        if group in own_groups and referred == group:
            continue
        if why := owner.why(tags_of(record.get("Tags"))):
            id_, way = record["SecurityGroupRuleId"], "egress" if record["IsEgress"] else "ingress"
            removal = ("ec2", f"revoke-security-group-{way}", "--group-id", group, "--security-group-rule-ids", id_)
            yield Found(kind="security group rule", id=id_, why=why, removal=(removal,), remark=f"in {group}")
