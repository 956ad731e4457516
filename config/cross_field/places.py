"""What the network and the cluster must agree on: whether each is new or exists already, and what each then needs."""

from collections.abc import Iterator

from config.errors import Fault
from config.settings.cluster import ClusterSettings
from config.settings.network import NetworkSettings
from config.values import rules
from vllm_eks.stack_files.wording import key_path

NEW_NETWORK_ONLY = {"cidr": "cidr", "nat_gateways": "natGateways"}
NEW_CLUSTER_ONLY = {
    "public_access_cidrs": "publicAccessCidrs",
    "admins": "admins",
    "addon_overrides": "addonVersions",
    "system_instance_type": "systemInstanceType",
    "deletion_protection": "deletionProtection",
    "keep_logs": "keepLogs",
}


def network_faults(network: NetworkSettings, key: str) -> Iterator[Fault]:
    """Yield the faults of the network's section."""
    given, existing = network.model_fields_set, network.existing
    if "existing" not in given:
        if "given_zones" not in given:
            yield Fault(
                key=key_path(key, "zones"),
                text="is missing: give two or more availability zones, such as [us-west-2a, us-west-2b]",
            )
        return
    if existing is None:
        # Its own fault is told; what it conflicts with may be right once it is mended, or removed.
        return
    for name, alias in NEW_NETWORK_ONLY.items():
        if name in given:
            yield Fault(key=key_path(key, alias), text="is of a new network, and network.existing names one: remove it")
    place = key_path(key, "existing")
    if bool(existing.subnets) == bool(existing.subnet_tags):
        how = "says which subnets twice: remove" if existing.subnets else "lacks its private subnets: give"
        text = f"{how} subnets (zone to id, such as us-west-2a: subnet-0123456789abcdef0) or subnetTags"
        yield Fault(key=place, text=text)
    elif existing.subnets:
        yield from _subnets_are_the_zones(network, key)
    elif "given_zones" not in given:
        yield Fault(
            key=key_path(key, "zones"), text="is missing beside existing.subnetTags: give the zones to look for them in"
        )


def _subnets_are_the_zones(network: NetworkSettings, key: str) -> Iterator[Fault]:
    subnets = network.existing.subnets if network.existing else {}
    if "given_zones" in network.model_fields_set:
        text = "conflicts with existing.subnets, whose keys are the zones: remove it"
        yield Fault(key=key_path(key, "zones"), text=text)
    place = key_path(key, "existing", "subnets")
    if len(subnets) < 2:
        yield Fault(
            key=place,
            text=f"{rules.list_of(list(subnets))} has too few zones: EKS needs two or more, so add a subnet of another",
        )
    ids = list(subnets.values())
    for index, (zone, subnet) in enumerate(subnets.items()):
        if subnet in ids[:index]:
            yield Fault(key=key_path(place, zone), text=f"{subnet!r} is listed twice, and a subnet has one zone")


def cluster_faults(cluster: ClusterSettings, network: NetworkSettings | None, key: str) -> Iterator[Fault]:
    """Yield the faults of the cluster's section beside its versions."""
    given = cluster.model_fields_set
    if "existing" not in given:
        if "public_access_cidrs" not in given:
            yield Fault(
                key=key_path(key, "publicAccessCidrs"),
                text="is missing: give who may reach the API server, such as [203.0.113.7/32]; [] makes it "
                "private only",
            )
        return
    if cluster.existing is None:
        return
    for name, alias in NEW_CLUSTER_ONLY.items():
        if name in given:
            yield Fault(key=key_path(key, alias), text="is of a new cluster, and cluster.existing names one: remove it")
    if network and "existing" not in network.model_fields_set:
        yield Fault(
            key=key_path(key, "existing"),
            text="needs network.existing: GPU nodes belong in private subnets of the cluster's own VPC, so name them",
        )
