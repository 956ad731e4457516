"""Checks of resources that AWS would refuse to create: a log group or access entry that exists, or a role without its
permissions boundary."""

import re
from collections.abc import Iterator, Sequence

from checks.asking import Question, ask, error_code, why_unknown
from checks.site import STACK_TAG, Site, clusters
from vllm_eks.aws.session import tags_of
from vllm_eks.check import Check

ASSUMED_ROLE = re.compile(r"arn:(?P<partition>[\w-]+):sts::(?P<account>\d{12}):assumed-role/(?P<role>[^/]+)/.+")
ROLE = re.compile(r"arn:(?P<partition>[\w-]+):iam::(?P<account>\d{12}):role/(?:.+/)?(?P<role>[^/]+)")


def log_group_check(site: Site, name: str, *, new_network: bool) -> Check | None:
    """Return the check that no earlier cluster left a log group, or None when it is the stack's own.

    EKS writes to the control plane's group after its deletion, which creates it again, and `keepLogs` keeps the groups.
    """
    question = Question(
        subject=f"log group {name} is free",
        actions="logs:DescribeLogGroups, eks:ListClusters and ec2:DescribeVpcs",
        command=f"aws logs describe-log-groups --log-group-name-prefix {name} --region {site.region}",
    )
    state = ask(question, lambda: _log_group_state(name, site, new_network=new_network))
    if isinstance(state, Check):
        return state
    if state == "free":
        return Check(subject=question.subject, status="passed", text="no log group has this name")
    if state == "ours":
        return None
    text = (
        f"{name} exists and the cluster {site.stack} does not: an earlier cluster left it, and CloudWatch refuses to "
        f"create it again. Check its content: aws logs describe-log-streams --log-group-name {name} --order-by "
        f"LastEventTime --descending --region {site.region}; then delete it: aws logs delete-log-group "
        f"--log-group-name {name} --region {site.region}"
    )
    # Without its own VPC, a partly created stack looks the same as a destroyed one.
    if state == "unclear":
        text = f"{text}. Do not delete it if it is in this stack's state"
        return Check(subject=question.subject, status="warning", text=text)
    return Check(subject=question.subject, status="failed", text=text)


def _log_group_state(name: str, site: Site, *, new_network: bool) -> str:
    groups = site.api.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=name)
    (found,) = [one for one in groups if one["logGroupName"] == name] or [None]
    if found is None:
        return "free"
    if site.stack in clusters(site):
        return "ours"
    if not new_network:
        return "unclear"
    vpcs = site.api.pages("ec2", "describe_vpcs", "Vpcs")
    half_made = any(tags_of(vpc.get("Tags")).get(STACK_TAG) == site.stack for vpc in vpcs)
    return "ours" if half_made else "left"


def admin_checks(admins: Sequence[str], site: Site) -> Iterator[Check]:
    """Yield the check that the cluster's creator is not in its admins. EKS adds it, and refuses a second entry."""
    if not admins:
        return
    question = Question(
        subject="the cluster's creator is not in cluster.admins",
        actions="sts:GetCallerIdentity and eks:ListClusters",
        command="aws sts get-caller-identity",
    )

    def creators() -> list[str]:
        # Later deployers may be admins, because EKS grants access only at the cluster's creation.
        if site.stack in clusters(site):
            return []
        return [arn for arn in admins if is_caller(arn, site.api.caller_arn)]

    found = ask(question, creators)
    if isinstance(found, Check):
        yield found
    elif found:
        text = (
            f"{found[0]} runs Pulumi. EKS creates an access entry for the creator of a cluster, and refuses a second "
            "one (409) after ten minutes: remove it from the list"
        )
        yield Check(subject="cluster.admins", status="failed", text=text)
    else:
        yield Check(subject=question.subject, status="passed", text=f"it is {site.api.caller_arn}")


def is_caller(principal_arn: str, caller_arn: str) -> bool:
    """Return whether a principal is the caller. Role names are unique in an account, whatever their path.

    >>> is_caller("arn:aws:iam::111122223333:role/team/ci", "arn:aws:sts::111122223333:assumed-role/ci/build-7")
    True
    """
    if principal_arn == caller_arn:
        return True
    role, assumed = ROLE.fullmatch(principal_arn), ASSUMED_ROLE.fullmatch(caller_arn)
    return bool(role and assumed and role.groupdict() == assumed.groupdict())


def boundary_check(policy_arn: str, site: Site) -> Check:
    """Return the check that the permissions boundary of the stack's roles exists."""
    key = "iam.permissionsBoundary"
    question = Question(
        subject=f"{key} exists",
        actions="iam:GetPolicy",
        command=f"aws iam get-policy --policy-arn {policy_arn}",
    )
    try:
        site.api.answer("iam", "get_policy", PolicyArn=policy_arn)
    except Exception as error:
        if error_code(error) == "NoSuchEntity":
            text = f"{policy_arn} does not exist, so IAM refuses the stack's roles: correct the ARN"
            return Check(subject=key, status="failed", text=text)
        return Check(subject=question.subject, status="unknown", text=why_unknown(error, question))
    return Check(subject=question.subject, status="passed", text=policy_arn)
