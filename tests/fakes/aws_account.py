"""An AWS account for the checks: moto if it has the data, or else fixed answers.

The checks use boto3. Each call passes here before it goes to moto 5.2, which has offerings, zones, subnets, routes,
instance types, security groups, instances and clusters. It lacks quotas, capacity reservations, add-ons, Kubernetes
versions and the health of node groups. Their answers are fixed, and checked against botocore's model of the service.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import boto3
from botocore.exceptions import ClientError
from pulumi.runtime.mocks import MockCallArgs

from checks.api import CachedAccount
from checks.site import STACK_TAG, Site
from tests.fakes.aws_shapes import must_fit
from vllm_eks.preview.mock_cloud import CallFailedError

REGION = "us-west-2"
STACK = "vllm-eks-test"
NUMBER = "123456789012"
CALLER = f"arn:aws:sts::{NUMBER}:assumed-role/deployer/me"
DENIED_CODES = {"ec2": "UnauthorizedOperation", "iam": "AccessDenied", "sts": "AccessDenied"}
NO_QUOTA = "NoSuchResourceException"

Answer = Callable[["Account", Mapping[str, Any]], dict[str, Any]]


@dataclass
class Account:
    """The account's answers."""

    quotas: Mapping[str, float] = field(default_factory=dict)
    """By code. Missing ones were never changed."""
    default_quotas: Mapping[str, float] = field(default_factory=dict)
    reservations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Kubernetes version -> status and end of standard support."""
    instances: Sequence[Mapping[str, Any]] = ()
    addons: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """For every cluster."""
    answers: Mapping[str, Mapping[str, Any] | Callable[[Mapping[str, Any]], Any] | str] = field(default_factory=dict)
    """Operation -> AWS's answer (or a function of the request), or the code of an error."""
    denied: frozenset[str] = frozenset()
    """Denied operations, such as DescribeSubnets. `*` denies all."""
    broken: Exception | None = None
    """The error of every call, when AWS is not available."""
    asked: list[str] = field(default_factory=list)
    region: str = REGION
    caller: str = CALLER

    @property
    def site(self) -> Site:
        """The account that the checks query, created again each time without a cache."""
        api = CachedAccount(self.client, self.caller)
        return Site(api=api, region=self.region, stack=STACK)

    def client(self, service: str) -> Any:
        client = watched_client(service, self.region)
        client._make_api_call = lambda operation, asked: self._call(client, operation, asked)
        return client

    def _call(self, client: Any, operation: str, asked: dict[str, Any]) -> Any:
        service = client.meta.service_model.service_name
        self.asked.append(operation)
        if self.broken:
            raise self.broken
        if self.denied & {operation, "*"}:
            raise refused(DENIED_CODES.get(service, "AccessDeniedException"), operation)
        given = self.answers.get(operation)
        if isinstance(given, str):
            raise refused(given, operation)
        if given is None and operation not in ANSWERS:
            return type(client)._make_api_call(client, operation, asked)
        model = client.meta.service_model.operation_model(operation)
        must_fit(asked, model.input_shape, f"request of {operation}")
        if callable(given):
            given = given(asked)
        answer = ANSWERS[operation](self, asked) if given is None else dict(given)
        must_fit(answer, model.output_shape, f"answer to {operation}")
        return answer

    def answer(self, call: MockCallArgs) -> dict[str, Any]:
        """Answer the only call that the program makes through Pulumi: the deployer's identity."""
        assert call.token == "aws:index/getCallerIdentity:getCallerIdentity"
        if "getCallerIdentity" in self.denied:
            raise CallFailedError("no valid credential sources for S3 Backend found")
        return {"accountId": NUMBER, "arn": self.caller, "id": NUMBER, "userId": "AROA:me"}


def refused(code: str, operation: str, text: str = "Text of AWS.") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": text}}, operation)


@cache
def client_of(service: str, region: str) -> Any:
    """One client for all tests, because each new one reads the service's model again."""
    return boto3.client(service, region_name=region)


@cache
def watched_client(service: str, region: str) -> Any:
    """The client of the running test's account, separate from those that create resources."""
    return boto3.client(service, region_name=region)


def quota(account: Account, asked: Mapping[str, Any]) -> dict[str, Any]:
    if asked["QuotaCode"] not in account.quotas:
        raise refused(NO_QUOTA, "GetServiceQuota")
    return {"Quota": {"QuotaCode": asked["QuotaCode"], "Value": account.quotas[asked["QuotaCode"]]}}


def default_quota(account: Account, asked: Mapping[str, Any]) -> dict[str, Any]:
    if asked["QuotaCode"] not in account.default_quotas:
        raise refused(NO_QUOTA, "GetAWSDefaultServiceQuota")
    return {"Quota": {"QuotaCode": asked["QuotaCode"], "Value": account.default_quotas[asked["QuotaCode"]]}}


def versions(account: Account, asked: Mapping[str, Any]) -> dict[str, Any]:
    # AWS returns only the requested and existing ones.
    found = [
        {"clusterVersion": version, "versionStatus": status}
        | ({"endOfStandardSupportDate": datetime.fromisoformat(ends)} if ends else {})
        for version, (status, ends) in account.versions.items()
        if version in asked["clusterVersions"]
    ]
    return {"clusterVersions": found}


def reservations(account: Account, asked: Mapping[str, Any]) -> dict[str, Any]:
    wanted = asked["CapacityReservationIds"]
    for id_ in wanted:
        if id_ not in account.reservations:
            text = f"The capacity reservation ID '{id_}' does not exist"
            raise refused("InvalidCapacityReservationId.NotFound", "DescribeCapacityReservations", text)
    return {"CapacityReservations": [{"CapacityReservationId": one, **account.reservations[one]} for one in wanted]}


def instance(type_: str = "g5.48xlarge", *, tags: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """A running instance of this stack, unless it has other tags."""
    tags = {STACK_TAG: STACK} if tags is None else tags
    return {
        "InstanceType": type_,
        "State": {"Code": 16, "Name": "running"},
        "CpuOptions": {"CoreCount": VCPUS[type_] // 2, "ThreadsPerCore": 2},
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        **more,
    }


VCPUS = {"g5.48xlarge": 192, "g6.12xlarge": 48, "p5.48xlarge": 192, "p4d.24xlarge": 96, "m7i.large": 2}


def instances(account: Account, asked: Mapping[str, Any]) -> dict[str, Any]:
    found = [one for one in account.instances if all(_has(one, by["Name"], by["Values"]) for by in asked["Filters"])]
    return {"Reservations": [{"Instances": [one]} for one in found]}


def _has(one: Mapping[str, Any], name: str, values: Sequence[str]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in one["Tags"]}
    if name == "instance-state-name":
        return one["State"]["Name"] in values
    if name == "tag-key":
        return bool(set(tags) & set(values))
    texts = {"instance-type": one["InstanceType"]} | {f"tag:{key}": text for key, text in tags.items()}
    return any(fnmatchcase(texts.get(name, ""), value) for value in values)


def addon(account: Account, asked: Mapping[str, Any]) -> dict[str, Any]:
    name = asked["addonName"]
    if name not in account.addons:
        text = f"No addon: {name} found in cluster: {asked['clusterName']}"
        raise refused("ResourceNotFoundException", "DescribeAddon", text)
    return {"addon": {"addonName": name, "status": "ACTIVE", **account.addons[name]}}


def no_cluster(account: Account, asked: Mapping[str, Any]) -> dict[str, Any]:
    # Moto raises a KeyError.
    raise refused("ResourceNotFoundException", "ListNodegroups", f"No cluster found for name: {asked['clusterName']}.")


ANSWERS: dict[str, Answer] = {
    "ListNodegroups": no_cluster,
    "GetServiceQuota": quota,
    "GetAWSDefaultServiceQuota": default_quota,
    "DescribeClusterVersions": versions,
    "DescribeCapacityReservations": reservations,
    "DescribeAddon": addon,
    "DescribeInstances": instances,
}
