"""Checks of the DNS names of a load balancer: the hosted zone, and records that exist already."""

from collections.abc import Iterator

from checks.asking import Question, ask, error_code, why_unknown
from checks.front_door import own_load_balancers
from checks.site import Site
from vllm_eks.aws.session import Record
from vllm_eks.check import Check
from vllm_eks.specs.endpoint import EndpointSpec

KEY = "endpoint.hostedZoneId"
ADDRESS_TYPES = ("A", "AAAA", "CNAME")


def zone_check(endpoint: EndpointSpec, vpc_id: str | None, site: Site) -> Check | None:
    """Return the check that the hosted zone is the domain's and that the clients see it.

    Args:
        endpoint: The settings of the load balancer.
        vpc_id: The existing VPC, or None for a new one.
        site: The account and region.
    """
    zone_id = endpoint.hosted_zone_id
    if zone_id is None:
        return None
    question = Question(
        subject=f"the hosted zone {zone_id} is that of {endpoint.domain}",
        actions="route53:GetHostedZone",
        command=f"aws route53 get-hosted-zone --id {zone_id}",
    )
    try:
        found = site.api.answer("route53", "get_hosted_zone", Id=zone_id)
    except Exception as error:  # boto3's error types are not imported here
        if error_code(error) == "NoSuchHostedZone":
            text = f"{zone_id} does not exist in this account: use the ID of the zone of {endpoint.domain}"
            return Check(subject=KEY, status="failed", text=f"{text} (aws route53 list-hosted-zones)")
        return Check(subject=question.subject, status="unknown", text=why_unknown(error, question))
    return _zone(found, endpoint, vpc_id, question.subject, site)


def _zone(found: Record, endpoint: EndpointSpec, vpc_id: str | None, subject: str, site: Site) -> Check:
    name, zone_id = found["HostedZone"]["Name"].rstrip("."), endpoint.hosted_zone_id
    if not _is_in(endpoint.domain, name):
        text = f"{zone_id} is the zone of {name}, and endpoint.domain is {endpoint.domain}: use its zone, or no zone"
        return Check(subject=KEY, status="failed", text=text)
    outside = [one for one in endpoint.hostnames.values() if not _is_in(one, name)]
    if outside:
        text = f"{zone_id} is the zone of {name}, which has no records of {', '.join(outside)}: use hostnames in {name}"
        return Check(subject=KEY, status="failed", text=f"{text}, or the zone of a domain that contains all names")
    if not found["HostedZone"].get("Config", {}).get("PrivateZone"):
        # Names of a public zone resolve everywhere, also to private addresses.
        return Check(subject=subject, status="passed", text=f"the public zone {name}")
    if endpoint.internet_facing:
        text = f"{zone_id} is private, and clients on the internet do not see it: use the public zone of {name}"
        return Check(subject=KEY, status="failed", text=text)
    associate = (
        f"aws route53 associate-vpc-with-hosted-zone --hosted-zone-id {zone_id} --vpc VPCRegion={site.region},"
        f"VPCId={vpc_id or '<the new VPC>'}"
    )
    if vpc_id is None:
        text = f"{zone_id} is private, and no name resolves in the new VPC until you associate it: {associate}"
        return Check(subject=KEY, status="warning", text=text)
    if vpc_id not in [one.get("VPCId") for one in found.get("VPCs", ())]:
        text = f"{zone_id} is private and not associated with {vpc_id}, where no name would resolve: {associate}"
        return Check(subject=KEY, status="failed", text=text)
    return Check(subject=subject, status="passed", text=f"the private zone {name}, associated with {vpc_id}")


def record_checks(endpoint: EndpointSpec, site: Site) -> Iterator[Check]:
    """Yield the checks that no record of something else has a model's name. Pulumi does not overwrite records."""
    zone_id = endpoint.hosted_zone_id
    if zone_id is None:
        return
    for hostname in endpoint.hostnames.values():
        question = Question(
            subject=f"the record {hostname} is free",
            actions="route53:ListResourceRecordSets and elasticloadbalancing:DescribeLoadBalancers",
            command=f"aws route53 list-resource-record-sets --hosted-zone-id {zone_id} --start-record-name {hostname} "
            "--max-items 5",
        )

        def target(hostname: str = hostname, zone_id: str = zone_id) -> str | None:
            return _foreign_target(hostname, zone_id, site)

        found = ask(question, target)
        if isinstance(found, Check):
            yield found
        elif found:
            text = f"{hostname} has a record already, which leads to {found}: delete it, or set another hostname"
            yield Check(subject="endpoint.domain", status="failed", text=text)
        else:
            yield Check(subject=question.subject, status="passed", text="free, or this stack's own")


def _foreign_target(hostname: str, zone_id: str, site: Site) -> str | None:
    """Return what a record of the name leads to, or None if there is none or it leads to the stack's load balancer."""
    listed = site.api.answer(
        "route53", "list_resource_record_sets", HostedZoneId=zone_id, StartRecordName=hostname, MaxItems="5"
    )["ResourceRecordSets"]
    found = [one for one in listed if one["Name"].rstrip(".") == hostname and one["Type"] in ADDRESS_TYPES]
    if not found:
        return None
    targets = [_target(one) for one in found]
    _, own = own_load_balancers(site)
    ours = {one["DNSName"].lower() for one in own}
    return next((one for one in targets if one.rstrip(".").lower().removeprefix("dualstack.") not in ours), None)


def _target(record: Record) -> str:
    if "AliasTarget" in record:
        return str(record["AliasTarget"]["DNSName"])
    return ", ".join(one["Value"] for one in record.get("ResourceRecords", ())) or "an unknown target"


def _is_in(hostname: str, zone: str) -> bool:
    """Return whether a hosted zone of this name can have records of a hostname."""
    return hostname == zone or hostname.endswith(f".{zone}")
