"""What the account and the API server hold, by name, so that a test can say what a destroy left."""

import time
from collections.abc import Collection, Iterator
from typing import Any

from tests.e2e.engine_lab import client

LIMIT_SECONDS = 120
"""Nodes and pods go a moment after their group. The limit only bounds a failure."""
NOT_COMPARED = frozenset(
    {
        # Of the control plane, which writes them at any time.
        "apiservices.apiregistration.k8s.io",
        "events",
        "events.events.k8s.io",
        "ipaddresses.networking.k8s.io",
        "leases.coordination.k8s.io",
    }
)
COLUMNS = "custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"


def everything(lab: Any) -> set[str]:
    """Return the names of all objects of the API server, and of what the account holds."""
    return lab.holdings() | set(_objects(lab)) | set(_front_door(lab)) | set(_metrics(lab))


def check_left(lab: Any, before: set[str], kept: Collection[str] = ()) -> None:
    """Wait until only `kept` is new since `before`. Otherwise fail, with the name of everything that stays."""
    end = time.monotonic() + LIMIT_SECONDS
    while (left := everything(lab) - before) != set(kept):
        if time.monotonic() > end:
            stays, gone = sorted(left - set(kept)), sorted(set(kept) - left)
            raise AssertionError(f"stays after the destroy: {stays}; gone, although the state keeps it: {gone}")
        time.sleep(1)


def _objects(lab: Any) -> Iterator[str]:
    kinds = set(lab.kubectl("api-resources", "--verbs=list,delete", "--output=name").split()) - NOT_COMPARED
    listed = lab.kubectl("get", ",".join(sorted(kinds)), "--all-namespaces", "--no-headers", f"--output={COLUMNS}")
    for line in listed.splitlines():
        if line.strip() and line.split()[0] != "KIND":
            yield "object " + " ".join(line.split())


def _front_door(lab: Any) -> Iterator[str]:
    balancers, ec2, route53 = client(lab, "elbv2"), client(lab, "ec2"), client(lab, "route53")
    for one in balancers.describe_load_balancers()["LoadBalancers"]:
        yield f"load balancer {one['LoadBalancerName']} ({one['Scheme']})"
    for one in balancers.describe_target_groups()["TargetGroups"]:
        yield f"target group {one['TargetGroupName']}"
    for one in ec2.describe_security_group_rules()["SecurityGroupRules"]:
        yield f"security group rule {one['SecurityGroupRuleId']}"
    for zone in route53.list_hosted_zones()["HostedZones"]:
        for one in route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            yield f"record {one['Type']} {one['Name'].rstrip('.')}"


def _metrics(lab: Any) -> Iterator[str]:
    for one in client(lab, "ec2").describe_volumes()["Volumes"]:
        yield f"volume {one['VolumeId']}"
    for one in client(lab, "amp").list_workspaces()["workspaces"]:
        yield f"workspace {one['workspaceId']}"
