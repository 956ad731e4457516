"""Checks names, ARNs and ranges of the front door, like `config.values.rules`."""

import re
from ipaddress import ip_address

from config.values.network_rules import ipv4_network
from config.values.special_ranges import special_range

LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
TOP_LABEL = r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
"""Never only digits (RFC 3696), so no address looks like a name."""
DOMAIN = re.compile(rf"({LABEL}\.)+{TOP_LABEL}")
MAX_DOMAIN_CHARACTERS = 253
"""RFC 1035 allows 255 bytes in a message, which are 253 characters of text."""
MAX_HOSTNAME_CHARACTERS = 128
"""Of a host condition of a listener rule (ELB API, HostHeaderConditionConfig)."""
RESERVED_DOMAINS = {
    "amazonaws.com": "AWS",
    "amazonaws.com.cn": "AWS",
    "cluster.local": "the DNS of Kubernetes",
    "localhost": "each machine itself (RFC 6761)",
}
DNS_NAME = rf"(?!(.*\.)?({'|'.join(map(re.escape, RESERVED_DOMAINS))})$){DOMAIN.pattern}"
"""What `domain` accepts, for the JSON Schema."""
MAX_SOURCE_RANGES = 26
"""A security group has 60 inbound rules by default (VPC quotas). Each range needs one for port 443 and one for 80, and
each of up to eight NAT gateways one for port 443."""
CERTIFICATE = re.compile(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36}")
WEB_ACL = re.compile(r"arn:aws[a-z-]*:wafv2:[a-z0-9-]+:\d{12}:regional/webacl/[A-Za-z0-9_-]{1,128}/[0-9a-f-]{36}")
HOSTED_ZONE = re.compile(r"Z[0-9A-Z]{1,31}")
RESERVED_BUCKET_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
RESERVED_BUCKET_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
"""Amazon S3 User Guide, naming rules of general purpose buckets."""
BUCKET = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-|\d+\.\d+\.\d+\.\d+$)(?!.*(-s3alias|--ol-s3|\.mrap|--x-s3|--table-s3)$)"
    r"[a-z0-9]([a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]"
)
BUCKET_URL = re.compile(r"https?://([^/]+?)\.s3[.-][^/]*(/.*)?")
BUCKET_LOCATION = re.compile(r"(?:s3://|arn:aws[a-z-]*:s3:::)?([^/:]+)(/.*)?")
LOG_PREFIX = re.compile(r"(?!.*AWSLogs)[\w!.*'()-]+(/[\w!.*'()-]+)*")
EXAMPLE = "models.example.com"


def domain(value: str) -> str:
    """Accept a full DNS name in lower case."""
    if not DOMAIN.fullmatch(value) or len(value) > MAX_DOMAIN_CHARACTERS:
        raise ValueError(_why_no_domain(value))
    for reserved, owner in RESERVED_DOMAINS.items():
        if value == reserved or value.endswith(f".{reserved}"):
            raise ValueError(f"{value!r} is a name of {owner}: use a domain whose DNS records you can change")
    return value


def hostname(value: str) -> str:
    """Accept the DNS name of one model."""
    if value.startswith("*.") and DOMAIN.fullmatch(value[2:]):
        raise ValueError(f"{value!r} is a wildcard, and each model has its own name: use one such as chat{value[1:]}")
    domain(value)
    if len(value) > MAX_HOSTNAME_CHARACTERS:
        text = f"the name has {len(value)} characters, and a rule of the load balancer takes {MAX_HOSTNAME_CHARACTERS}"
        raise ValueError(f"{text}: use a shorter one")
    return value


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def _why_no_domain(value: str) -> str:
    """Return the error of a name that is not a DNS name, with the right one where it is clear."""
    lowered = value.lower()
    if "://" in value or "/" in value:
        host = lowered.partition("://")[2].partition("/")[0] or lowered.partition("/")[0]
        return f"{value!r} is a URL, not a DNS name: use {host if DOMAIN.fullmatch(host) else EXAMPLE}"
    if _is_address(value):
        return f"{value!r} is an address, and requests are routed by name: use a DNS name such as {EXAMPLE}"
    if value.startswith("*."):
        below = value[2:]
        return f"{value!r} is a wildcard, and each model has its own name: use {below}"
    bare = lowered.strip().strip(".")
    if bare != lowered and DOMAIN.fullmatch(bare):
        spaced = value.strip() != value
        what = "has spaces around it" if spaced else "begins with a dot" if value[0] == "." else "ends with a dot"
        return f"{value!r} {what}: use {bare}"
    if lowered != value and DOMAIN.fullmatch(lowered):
        return f"{value!r} has upper-case letters: use {lowered}"
    if len(value) > MAX_DOMAIN_CHARACTERS:
        return f"the name has {len(value)} characters: use at most {MAX_DOMAIN_CHARACTERS}"
    long = next((label for label in value.split(".") if len(label) > 63), None)
    if long:
        return f"the part {long[:20]!r}... of the name has {len(long)} characters: use at most 63"
    if advice := _what_was_meant(lowered):
        return f"{value!r} {advice}"
    if "." not in value:
        return f"{value!r} is not a full DNS name: use one with a domain, such as {EXAMPLE}"
    return f"{value!r} is not a DNS name: use lower-case letters, digits, - and dots, such as {EXAMPLE}"


def _what_was_meant(name: str) -> str:
    """Return the error of a name with a port, or with letters beyond ASCII, or "" for another error.

    Python encodes by IDNA 2003. Names that IDNA 2008 encodes differently, such as those with ß, do not survive the way
    back, so they get no advice.
    """
    host, _, port = name.partition(":")
    if port.isdecimal() and DOMAIN.fullmatch(host):
        return f"has a port, and the load balancer answers at its own: use {host}"
    if not name.isascii():
        try:
            encoded = name.encode("idna").decode()
        except UnicodeError:
            return ""
        if DOMAIN.fullmatch(encoded) and encoded.encode().decode("idna") == name:
            return f"has letters that are not ASCII: use {encoded}, its name in the DNS"
    return ""


def certificate_arn(value: str) -> str:
    """Accept the ARN of a certificate in ACM."""
    if CERTIFICATE.fullmatch(value):
        return value
    if ":server-certificate/" in value:
        raise ValueError(f"{value!r} is a certificate of IAM: import it into ACM, and use that ARN")
    if ":certificate-authority/" in value:
        raise ValueError(f"{value!r} is a certificate authority: request a certificate of it in ACM, and use that ARN")
    raise ValueError(
        f"{value!r} is not the ARN of a certificate in ACM: use one such as "
        "arn:aws:acm:us-west-2:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef"
    )


def web_acl_arn(value: str) -> str:
    """Accept the ARN of a regional web ACL of WAFv2."""
    if WEB_ACL.fullmatch(value):
        return value
    if ":global/webacl/" in value:
        raise ValueError(f"{value!r} is a web ACL for CloudFront: use a regional one, with :regional/webacl/")
    raise ValueError(
        f"{value!r} is not the ARN of a regional web ACL: use one such as "
        "arn:aws:wafv2:us-west-2:123456789012:regional/webacl/models/01234567-89ab-cdef-0123-456789abcdef"
    )


def hosted_zone_id(value: str) -> str:
    """Accept the ID of a Route 53 zone."""
    if HOSTED_ZONE.fullmatch(value):
        return value
    bare = value.rpartition("hostedzone/")[2].strip()
    advice = f"use {bare}" if HOSTED_ZONE.fullmatch(bare) else "use one such as Z0123456789ABC"
    raise ValueError(f"{value!r} is not the ID of a Route 53 hosted zone: {advice}")


def source_range(value: str) -> str:
    """Accept one IPv4 range that may connect."""
    special = special_range(ipv4_network(value, example="203.0.113.0/24"))
    if special and special.reach == "nowhere":
        raise ValueError(
            f"{value!r} is {special.name}, from which no client connects: use the addresses of your clients"
        )
    return value


def source_ranges(value: tuple[str, ...]) -> tuple[str, ...]:
    """Accept one range or more. `config.cross_field.source_ranges` checks them together."""
    if not value:
        raise ValueError("has no range, so no client could connect: add one, or remove the key for the default")
    return value


def bucket(value: str) -> str:
    """Accept the name of an S3 bucket."""
    found = BUCKET_URL.fullmatch(value) or BUCKET_LOCATION.fullmatch(value)
    if found and found[1] != value:
        folder = (found[2] or "").strip("/")
        prefix = f", and the prefix {folder}" if folder else ""
        raise ValueError(f"{value!r} is a location, not a bucket: use its name {found[1]}{prefix}")
    reserved = [f"begins with {one}" for one in RESERVED_BUCKET_STARTS if value.startswith(one)]
    reserved += [f"ends with {one}" for one in RESERVED_BUCKET_ENDS if value.endswith(one)]
    if reserved:
        raise ValueError(f"{value!r} {reserved[0]}, which S3 keeps for itself: use the name of a bucket for your files")
    if not BUCKET.fullmatch(value):
        raise ValueError(f"{value!r} is not the name of a bucket: use 3 to 63 lower-case letters, digits, - and dots")
    return value


def log_prefix(value: str) -> str:
    """Accept the prefix of access logs in their bucket. AWS adds AWSLogs/ to it."""
    if "AWSLogs" in value:
        raise ValueError(f"{value!r} contains AWSLogs, which AWS adds itself: remove it")
    if not LOG_PREFIX.fullmatch(value):
        raise ValueError(f"{value!r} is not a prefix: use one such as front-door, without / at either end")
    return value
