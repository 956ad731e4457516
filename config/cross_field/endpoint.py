"""Checks the endpoint section, and the names of the models there."""

from collections.abc import Iterator, Mapping
from itertools import takewhile

from config.cross_field.source_ranges import INTERNET_FACING, source_range_errors
from config.errors import ConfigError
from config.settings.endpoint import EndpointSettings
from config.settings.model import ModelSettings
from config.settings.network import NetworkSettings
from config.values import rules
from config.values.endpoint_rules import DOMAIN, MAX_HOSTNAME_CHARACTERS
from vllm_eks.stack_files.wording import key_path


def endpoint_errors(
    endpoint: EndpointSettings | None,
    *,
    models: Mapping[str, ModelSettings],
    network: NetworkSettings | None,
    project: str,
    written: Mapping[str, object],
) -> Iterator[ConfigError]:
    """Yield the errors of the endpoint section. Invalid values of it are None, but `written` has them."""
    if endpoint is None:
        yield from _hostnames_need_an_endpoint(models, project)
        return
    key = f"{project}:endpoint"
    if endpoint.scheme == INTERNET_FACING:
        yield from _internet_facing(endpoint, key)
    yield from source_range_errors(written.get("sourceRanges"), endpoint.scheme, key_path(key, "sourceRanges"))
    yield from _arns_are_of_one_account(endpoint, key)
    if network:
        yield from _public_subnets(endpoint, network, key)
    if endpoint.domain:
        yield from _names(endpoint, models, project)


def _hostnames_need_an_endpoint(models: Mapping[str, ModelSettings], project: str) -> Iterator[ConfigError]:
    for name, model in models.items():
        if model.hostname:
            yield ConfigError(
                key=key_path(f"{project}:models", name, "hostname"),
                text=f"{model.hostname!r} needs the section endpoint, whose load balancer answers there: add "
                f"{project}:endpoint, or remove the key",
            )


def _internet_facing(endpoint: EndpointSettings, key: str) -> Iterator[ConfigError]:
    given = endpoint.model_fields_set
    if "certificate_arn" not in given:
        yield ConfigError(
            key=key_path(key, "certificateArn"),
            text="is missing: internetFacing needs a certificate, because keys and prompts cross the internet; set the "
            "ARN of one in ACM (aws acm request-certificate)",
        )
    if "source_ranges" not in given:
        yield ConfigError(
            key=key_path(key, "sourceRanges"),
            text="is missing: set the IPv4 ranges of your clients, such as [203.0.113.0/24], or [0.0.0.0/0] to open "
            "the load balancer to the internet",
        )


def _arns_are_of_one_account(endpoint: EndpointSettings, key: str) -> Iterator[ConfigError]:
    accounts = [arn.split(":")[4] for arn in (endpoint.certificate_arn, endpoint.web_acl_arn) if arn]
    if len(set(accounts)) > 1:
        yield ConfigError(
            key=key_path(key, "webAclArn"),
            text=f"the web ACL is in account {accounts[1]}, and the certificate in {accounts[0]}: both must be in the "
            "account of the stack",
        )


def _public_subnets(endpoint: EndpointSettings, network: NetworkSettings, key: str) -> Iterator[ConfigError]:
    """Check that an internet-facing load balancer has public subnets. A new network has its own."""
    place = key_path(key, "publicSubnets")
    is_existing = "existing" in network.model_fields_set
    if "public_subnets" not in endpoint.model_fields_set:
        if is_existing and endpoint.scheme == INTERNET_FACING:
            yield ConfigError(
                key=place,
                text="is missing: internetFacing with network.existing needs the public subnets of the load balancer, "
                "by zone, such as {us-west-2a: subnet-0123456789abcdef0, us-west-2b: subnet-0123456789abcdef1}",
            )
        return
    if not is_existing:
        yield ConfigError(key=place, text="is only for network.existing, and this network is new: remove it")
        return
    if endpoint.scheme == "internal":
        text = "is only for internetFacing: remove it, because an internal load balancer uses the private subnets"
        yield ConfigError(key=place, text=text)
    subnets = endpoint.public_subnets
    if subnets is None:  # pyright: ignore[reportUnnecessaryComparison]  (a key with an error holds None)
        return
    if len(subnets) < 2:
        text = f"{rules.list_of(list(subnets))} has too few zones: a load balancer needs two or more, so add a subnet"
        yield ConfigError(key=place, text=f"{text} in another zone")
    ids = list(subnets.values())
    private = network.existing.subnets if network.existing else {}
    for index, (zone, subnet) in enumerate(subnets.items()):
        texts: list[str] = []
        if subnet in ids[:index]:
            texts.append(f"{subnet!r} is listed twice, but a subnet is in one zone")
        if subnet in private.values():
            texts.append(
                f"{subnet!r} is also in network.existing.subnets, which are private: use a public subnet, with a route "
                "to an internet gateway"
            )
        if network.zones and zone not in network.zones:
            texts.append(f"is not a zone of the network, which has {rules.list_of(network.zones)}: remove it")
        yield from (ConfigError(key=key_path(place, zone), text=text) for text in texts)


def _names(endpoint: EndpointSettings, models: Mapping[str, ModelSettings], project: str) -> Iterator[ConfigError]:
    """Check that each model has its own DNS name, in the hosted zone if there is one."""
    taken: dict[str, str] = {}
    for name, model in models.items():
        place = key_path(f"{project}:models", name, "hostname")
        if "hostname" in model.model_fields_set and not model.hostname:
            continue
        hostname = endpoint.hostname(name, model.hostname)
        if not DOMAIN.fullmatch(hostname) or len(hostname) > MAX_HOSTNAME_CHARACTERS:
            if rules.MODEL_NAME.fullmatch(name):
                text = (
                    f"is missing: {hostname!r} has {len(hostname)} characters, and a rule of the load balancer takes "
                )
                yield ConfigError(key=place, text=f"{text}{MAX_HOSTNAME_CHARACTERS}: set a shorter one")
            continue
        other = taken.setdefault(hostname, name)
        if other != name:
            # The name of a model without the key is the default, so the other model's key is the one to change.
            here, there = (name, other) if model.hostname else (other, name)
            text = f"{hostname!r} is also the name of model {there}, and each needs its own: change it"
            yield ConfigError(key=key_path(f"{project}:models", here, "hostname"), text=text)
        if endpoint.hosted_zone_id and not _may_share_a_zone(hostname, endpoint.domain):
            yield ConfigError(
                key=place,
                text=f"{hostname!r} has no hosted zone in common with the domain {endpoint.domain}, whose zone gets "
                f"the records: use {name}.{endpoint.domain}, or remove hostedZoneId and create the records yourself",
            )


def _may_share_a_zone(hostname: str, domain: str) -> bool:
    """Return whether a zone can contain both names. `pulumi preview` asks Route 53 for the zone's name.

    A zone of one label, such as com, belongs to a registry.
    """
    ends = zip(reversed(hostname.split(".")), reversed(domain.split(".")), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], ends))) > 1
