"""An AWS account for the checks to ask: moto where it has the data, given answers where it has none.

The program asks through Pulumi's invokes; here each invoke becomes the call of AWS that its provider makes, as the
provider's own source has it. Moto 5.2 knows offerings, zones, subnets, routes and clusters. Quotas, capacity
reservations and the Kubernetes calendar it does not know: those are stubs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import pulumi
from botocore.exceptions import ClientError
from pulumi.runtime.mocks import MockCallArgs

from cli.mock_cloud import CallFailedError, OfflineMocks, RecordingMonitor

REGION = "us-west-2"
DENIED = (
    "invocation of {token} returned an error: operation error, https response error StatusCode: 403, RequestID: 1, api "
    "error UnauthorizedOperation: You are not authorized to perform this operation."
)


@dataclass
class Account:
    """What the account answers."""

    quotas: Mapping[str, float] = field(default_factory=dict)
    reservations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Kubernetes version -> status and end of standard support."""
    denied: frozenset[str] = frozenset()
    """Functions that the caller may not ask, such as getSubnet; `*` is all."""
    broken: str = ""
    """What AWS says to every question, when it is not well."""
    asked: list[str] = field(default_factory=list)
    region: str = REGION

    def answer(self, call: MockCallArgs) -> dict[str, Any]:
        """Answer one invoke, or fail as the provider does."""
        name = call.token.rpartition(":")[2]
        self.asked.append(name)
        if self.broken:
            raise CallFailedError(self.broken)
        if self.denied & {name, "*"}:
            raise CallFailedError(DENIED.format(token=call.token))
        try:
            return ANSWERS[name](self, call.args)
        except ClientError as error:
            said = error.response.get("Error", {})
            raise CallFailedError(f"api error {said.get('Code')}: {said.get('Message')}") from None

    def run(self, program: Callable[[], Any]) -> Any:
        """Run a program against the account and return what it returns."""
        monitor, seen = RecordingMonitor(OfflineMocks(answer=self.answer)), []
        pulumi.runtime.set_mocks(monitor.mocks, "vllm-eks", "test", preview=False, monitor=monitor)
        pulumi.runtime.test(lambda: seen.append(program()))()
        (result,) = seen
        return result


@cache
def client_of(service: str, region: str) -> Any:
    """One client for all: each new one reads the service's model again."""
    return boto3.client(service, region_name=region)


def ec2(account: Account) -> Any:
    return client_of("ec2", account.region)


def filters_of(args: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"Name": one["name"], "Values": one["values"]} for one in args.get("filters") or []]


def zones(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    found = ec2(account).describe_availability_zones()["AvailabilityZones"]
    return {"names": [one["ZoneName"] for one in found], "zoneIds": [one["ZoneId"] for one in found]}


def offerings(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    found = ec2(account).describe_instance_type_offerings(LocationType=args["locationType"], Filters=filters_of(args))[
        "InstanceTypeOfferings"
    ]
    return {"locations": [one["Location"] for one in found], "instanceTypes": [one["InstanceType"] for one in found]}


def quota(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    if args["quotaCode"] not in account.quotas:
        raise CallFailedError("api error NoSuchResourceException: This quota is not there.")
    return {"value": account.quotas[args["quotaCode"]]}


def versions(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    names = ("clusterVersion", "versionStatus", "endOfStandardSupportDate")
    found = [dict(zip(names, (version, *rest), strict=True)) for version, rest in account.versions.items()]
    return {"clusterVersions": found}


def reservation(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    if args["id"] not in account.reservations:
        text = f"The capacity reservation ID '{args['id']}' does not exist"
        raise CallFailedError(f"api error InvalidCapacityReservationId.NotFound: {text}")
    return {"id": args["id"], **account.reservations[args["id"]]}


def subnet(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    (found,) = ec2(account).describe_subnets(SubnetIds=[args["id"]])["Subnets"]
    return {
        "id": found["SubnetId"],
        "vpcId": found["VpcId"],
        "availabilityZone": found["AvailabilityZone"],
        "availableIpAddressCount": found["AvailableIpAddressCount"],
        "cidrBlock": found["CidrBlock"],
    }


def subnets(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    found = ec2(account).describe_subnets(Filters=filters_of(args))["Subnets"]
    return {"ids": [one["SubnetId"] for one in found]}


def vpc(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    client, answer = ec2(account), {"id": args["id"]}
    for name in ("enableDnsHostnames", "enableDnsSupport"):
        found = client.describe_vpc_attribute(VpcId=args["id"], Attribute=name)
        answer[name] = found[name[0].upper() + name[1:]]["Value"]
    return answer


def route_table(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    by = {"subnetId": "association.subnet-id", "vpcId": "vpc-id"}
    wanted = [{"Name": name, "Values": [args[key]]} for key, name in by.items() if args.get(key)]
    found = ec2(account).describe_route_tables(Filters=[*wanted, *filters_of(args)])["RouteTables"]
    if len(found) != 1:
        raise CallFailedError("query returned no results. Please change your search criteria and try again")
    routes = [
        {
            "cidrBlock": one.get("DestinationCidrBlock", ""),
            "gatewayId": one.get("GatewayId", ""),
            "natGatewayId": one.get("NatGatewayId", ""),
            "transitGatewayId": one.get("TransitGatewayId", ""),
            "networkInterfaceId": one.get("NetworkInterfaceId", ""),
        }
        for one in found[0]["Routes"]
    ]
    return {"routeTableId": found[0]["RouteTableId"], "routes": routes}


def cluster(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    found = client_of("eks", account.region).describe_cluster(name=args["name"])["cluster"]
    place = found["resourcesVpcConfig"]
    return {
        "name": found["name"],
        "status": found["status"],
        "version": found["version"],
        "endpoint": found["endpoint"],
        "certificateAuthorities": [found["certificateAuthority"]],
        # Moto leaves these two out.
        "vpcConfig": {"vpcId": place.get("vpcId", "vpc-theirs"), "clusterSecurityGroupId": "sg-theirs"},
    }


def addon(account: Account, args: Mapping[str, Any]) -> dict[str, Any]:
    if args["addonName"] == "coredns":
        raise CallFailedError("api error ResourceNotFoundException: No addon: coredns found in cluster.")
    return {"addonVersion": "v1.0.0-eksbuild.1"}


ANSWERS: dict[str, Callable[[Account, Mapping[str, Any]], dict[str, Any]]] = {
    "getAvailabilityZones": zones,
    "getInstanceTypeOfferings": offerings,
    "getServiceQuota": quota,
    "getClusterVersions": versions,
    "getCapacityBlockReservation": reservation,
    "getSubnet": subnet,
    "getSubnets": subnets,
    "getVpc": vpc,
    "getRouteTable": route_table,
    "getCluster": cluster,
    "getAddon": addon,
}
