"""Checks whether the network and the cluster are new or existing, and what each then needs."""

from collections.abc import Iterator

from config.errors import ConfigError
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


def network_errors(network: NetworkSettings, key: str) -> Iterator[ConfigError]:
    """Yield the errors of the network section."""
    given, existing = network.model_fields_set, network.existing
    if "existing" not in given:
        if "given_zones" not in given:
            yield ConfigError(
                key=key_path(key, "zones"),
                text="is missing: set two or more availability zones, such as [us-west-2a, us-west-2b]",
            )
        return
    if existing is None:
        # It has its own error. The keys that conflict with it may be right once it is corrected or removed.
        return
    for name, alias in NEW_NETWORK_ONLY.items():
        if name in given:
            yield ConfigError(
                key=key_path(key, alias), text="is only for a new network, and network.existing is set: remove it"
            )
    place = key_path(key, "existing")
    if bool(existing.subnets) == bool(existing.subnet_tags):
        how = "has both subnets and subnetTags: remove" if existing.subnets else "needs its private subnets: set"
        text = f"{how} subnets (zone to ID, such as us-west-2a: subnet-0123456789abcdef0) or subnetTags"
        yield ConfigError(key=place, text=text)
    elif existing.subnets:
        yield from _subnets_are_the_zones(network, key)
    elif "given_zones" not in given:
        yield ConfigError(key=key_path(key, "zones"), text="is missing: existing.subnetTags needs the zones to search")


def _subnets_are_the_zones(network: NetworkSettings, key: str) -> Iterator[ConfigError]:
    subnets = network.existing.subnets if network.existing else {}
    if "given_zones" in network.model_fields_set:
        text = "conflicts with existing.subnets, whose keys are the zones: remove it"
        yield ConfigError(key=key_path(key, "zones"), text=text)
    place = key_path(key, "existing", "subnets")
    if len(subnets) < 2:
        yield ConfigError(
            key=place,
            text=f"{rules.list_of(list(subnets))} has too few zones: EKS needs two or more, so add a subnet in "
            "another zone",
        )
    ids = list(subnets.values())
    for index, (zone, subnet) in enumerate(subnets.items()):
        if subnet in ids[:index]:
            yield ConfigError(
                key=key_path(place, zone), text=f"{subnet!r} is listed twice, but a subnet is in one zone"
            )


def cluster_errors(cluster: ClusterSettings, network: NetworkSettings | None, key: str) -> Iterator[ConfigError]:
    """Yield the errors of the cluster section, except those of versions."""
    given = cluster.model_fields_set
    if "existing" not in given:
        if "public_access_cidrs" not in given:
            yield ConfigError(
                key=key_path(key, "publicAccessCidrs"),
                text="is missing: set the IPv4 ranges that may reach the API server, such as [203.0.113.7/32], or [] "
                "for a private endpoint only",
            )
        return
    if cluster.existing is None:
        return
    for name, alias in NEW_CLUSTER_ONLY.items():
        if name in given:
            yield ConfigError(
                key=key_path(key, alias), text="is only for a new cluster, and cluster.existing is set: remove it"
            )
    if network and "existing" not in network.model_fields_set:
        yield ConfigError(
            key=key_path(key, "existing"),
            text="needs network.existing, because GPU nodes must be in private subnets of the cluster's VPC: set it",
        )
