"""Checks of what a load balancer needs: its certificate, web ACL, log bucket, controller and quota."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from checks.asking import Question, ask, error_code, why_unknown
from checks.quotas import Quota, quota_check
from checks.site import STACK_TAG, Site
from vllm_eks.aws.session import Record, tags_of
from vllm_eks.check import Check
from vllm_eks.specs.endpoint import EndpointSpec

KEY = "endpoint"
SOON = timedelta(days=14)
"""ACM renews 60 days before the end (ACM user guide, managed renewal), so a certificate that is this close has a
problem."""
LOAD_BALANCERS = Quota(
    service="elasticloadbalancing",
    code="L-53DA6B97",
    name="Application Load Balancers per Region",
    unit="load balancers",
)
"""ELB quotas of Application Load Balancers."""
WEAK_KEY = "RSA_1024"
"""Load balancers accept it, but clients do not: OpenSSL's default security level asks for 2,048 bits."""
KEY_ALGORITHMS = ("RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1", "EC_secp384r1", "EC_secp521r1")
"""Application Load Balancers, HTTPS listener certificates, in ACM's names."""
LOG_PRINCIPAL = "logdelivery.elasticloadbalancing.amazonaws.com"
"""Application Load Balancers, access logs: the service in the bucket's policy. Older policies name an account."""
CONTROLLER = ("kube-system", "aws-load-balancer-controller")


def plain_http_check(endpoint: EndpointSpec) -> Check | None:
    """Return a warning if keys and prompts cross the VPC unencrypted."""
    if endpoint.certificate_arn:
        return None
    text = "is not set, so keys and prompts cross the VPC in plain text: set the ARN of a certificate in ACM"
    return Check(subject=f"{KEY}.certificateArn", status="warning", text=text)


def certificate_checks(endpoint: EndpointSpec, site: Site, *, now: datetime | None = None) -> Iterator[Check]:
    """Yield the checks that the certificate is valid and covers every name."""
    arn = endpoint.certificate_arn
    if arn is None:
        return
    key = f"{KEY}.certificateArn"
    command = f"aws acm describe-certificate --certificate-arn {arn} --region {site.region}"
    question = Question(subject="the certificate covers the models", actions="acm:DescribeCertificate", command=command)
    try:
        found: Record = site.api.answer("acm", "describe_certificate", CertificateArn=arn)["Certificate"]
    except Exception as error:  # boto3's error types are not imported here
        if error_code(error) == "ResourceNotFoundException":
            yield _failed(key, f"{arn} does not exist in this account: correct the ARN, or request a certificate")
        else:
            yield Check(subject=question.subject, status="unknown", text=why_unknown(error, question))
        return
    errors = list(_certificate_errors(found, endpoint, command, now or datetime.now(UTC)))
    yield from errors
    if not any(one.status == "failed" for one in errors):
        names = ", ".join(_names(found))
        yield Check(subject=question.subject, status="passed", text=f"{names}, until {found['NotAfter']:%Y-%m-%d}")


def _certificate_errors(found: Record, endpoint: EndpointSpec, command: str, now: datetime) -> Iterator[Check]:
    key, status, until = f"{KEY}.certificateArn", found["Status"], found.get("NotAfter")
    if status == "PENDING_VALIDATION":
        text = f"the certificate waits for validation: create the DNS record that this command shows: {command}"
        yield _failed(key, text)
    elif status != "ISSUED" or until is None:
        yield _failed(key, f"the certificate is {status}, not ISSUED: use another one ({command})")
    elif until <= now:
        yield _failed(key, f"the certificate expired on {until:%Y-%m-%d}: renew it, or use another one")
    elif until - now < SOON:
        how = "import a new one" if found.get("Type") == "IMPORTED" else f"see why ACM does not renew it: {command}"
        text = f"the certificate expires on {until:%Y-%m-%d}, in {(until - now).days} days: {how}"
        yield Check(subject=key, status="warning", text=text)
    # ACM itself answers RSA-2048, although its model says RSA_2048.
    algorithm = str(found.get("KeyAlgorithm", "")).replace("-", "_")
    if algorithm == WEAK_KEY:
        text = f"clients refuse its key {algorithm}: request a certificate with one of {', '.join(KEY_ALGORITHMS)}"
        yield _failed(key, text)
    elif algorithm not in KEY_ALGORITHMS:
        text = f"whether load balancers support the key {algorithm} is not known to vllm-eks"
        yield Check(subject=key, status="unknown", text=text)
    missing = [name for name in endpoint.hostnames.values() if not covers(_names(found), name)]
    if missing:
        text = f"the certificate is for {', '.join(_names(found))} and does not cover {', '.join(missing)}"
        yield _failed(key, f"{text}: request one for *.{endpoint.domain} and for each other hostname")


def _names(certificate: Record) -> list[str]:
    return sorted({certificate["DomainName"], *certificate.get("SubjectAlternativeNames", ())})


def covers(certified: Sequence[str], hostname: str) -> bool:
    """Return whether a certificate is valid for a name. A wildcard matches exactly one label (RFC 6125).

    >>> covers(["*.example.com"], "a.example.com"), covers(["*.example.com"], "b.a.example.com")
    (True, False)
    """
    return any(one.lower() in (hostname, f"*.{hostname.partition('.')[2]}") for one in certified)


def web_acl_check(endpoint: EndpointSpec, site: Site) -> Check | None:
    """Return the check that the web ACL exists."""
    arn = endpoint.web_acl_arn
    if arn is None:
        return None
    name, id_ = arn.split("/")[-2:]
    question = Question(
        subject=f"the web ACL {name} exists",
        actions="wafv2:GetWebACL",
        command=f"aws wafv2 get-web-acl --name {name} --scope REGIONAL --id {id_} --region {site.region}",
    )
    try:
        site.api.answer("wafv2", "get_web_acl", Name=name, Scope="REGIONAL", Id=id_)
    except Exception as error:
        if error_code(error) == "WAFNonexistentItemException":
            return _failed(f"{KEY}.webAclArn", f"{name} ({id_}) does not exist in {site.region}: correct the ARN")
        return Check(subject=question.subject, status="unknown", text=why_unknown(error, question))
    return Check(subject=question.subject, status="passed", text="it is regional")


def log_bucket_check(endpoint: EndpointSpec, site: Site) -> Check | None:
    """Return the check that the load balancer may write its access logs. Otherwise AWS refuses to turn them on."""
    if endpoint.access_logs is None:
        return None
    bucket, key = endpoint.access_logs.bucket, f"{KEY}.accessLogs.bucket"
    question = Question(
        subject=f"the load balancer may write to {bucket}",
        actions="s3:GetBucketLocation and s3:GetBucketPolicy",
        command=f"aws s3api get-bucket-policy --bucket {bucket}",
    )
    needed = f"allow s3:PutObject to the service {LOG_PRINCIPAL} in the policy of {bucket}"
    try:
        place = site.api.answer("s3", "get_bucket_location", Bucket=bucket).get("LocationConstraint") or "us-east-1"
        if place != site.region:
            return _failed(key, f"{bucket} is in {place}: use a bucket in {site.region}")
        policy = site.api.answer("s3", "get_bucket_policy", Bucket=bucket)["Policy"]
    except Exception as error:
        if error_code(error) == "NoSuchBucket":
            return _failed(key, f"{bucket} does not exist: create it, or correct the name")
        if error_code(error) == "NoSuchBucketPolicy":
            return _failed(key, f"{bucket} has no policy: {needed}")
        return Check(subject=question.subject, status="unknown", text=why_unknown(error, question))
    if LOG_PRINCIPAL in policy:
        return Check(subject=question.subject, status="passed", text="its policy names the service")
    text = f"its policy does not name the service, but may name an account of AWS: if pulumi up is refused, {needed}"
    return Check(subject=question.subject, status="unknown", text=text)


def own_load_balancers(site: Site) -> tuple[list[Record], list[Record]]:
    """Return all application load balancers of the region, and those of the stack. Raises boto3's errors."""
    found: list[Record] = site.api.pages("elbv2", "describe_load_balancers", "LoadBalancers")
    applications = [one for one in found if one["Type"] == "application"]
    arns = [one["LoadBalancerArn"] for one in applications]
    own: set[str] = set()
    # AWS takes 20 ARNs at once.
    for start in range(0, len(arns), 20):
        tagged = site.api.answer("elbv2", "describe_tags", ResourceArns=arns[start : start + 20])["TagDescriptions"]
        own |= {one["ResourceArn"] for one in tagged if tags_of(one.get("Tags")).get(STACK_TAG) == site.stack}
    return applications, [one for one in applications if one["LoadBalancerArn"] in own]


def load_balancer_limit_check(site: Site) -> Check:
    """Return the check that the quota allows one more load balancer."""
    question = Question(
        subject=f"quota {LOAD_BALANCERS.name} holds 1 more",
        actions="elasticloadbalancing:DescribeLoadBalancers and elasticloadbalancing:DescribeTags",
        command=f"aws elbv2 describe-load-balancers --region {site.region}",
    )

    def use() -> tuple[int, int]:
        everything, own = own_load_balancers(site)
        return len(everything), len(own)

    return quota_check(LOAD_BALANCERS, 1, question, use, site)


def controller_check(cluster: str, site: Site, *, installs: bool) -> Check:
    """Return the check that an existing cluster has one controller, and not two."""
    key, (namespace, account) = "charts.awsLoadBalancerController.install", CONTROLLER
    if not installs:
        command = f"kubectl --namespace {namespace} get deployment {account}"
        text = f"the stack cannot ask Kubernetes: {command}; its role needs elasticloadbalancing:RegisterTargets"
        return Check(subject=f"{cluster} runs the AWS Load Balancer Controller", status="unknown", text=text)
    question = Question(
        subject=f"{cluster} has no other AWS Load Balancer Controller",
        actions="eks:ListPodIdentityAssociations and eks:DescribePodIdentityAssociation",
        command=f"aws eks list-pod-identity-associations --cluster-name {cluster} --service-account {account} "
        f"--region {site.region}",
    )
    found = ask(question, lambda: _other_associations(cluster, site))
    if isinstance(found, Check):
        return found
    if found:
        text = f"{cluster} has a Pod Identity association for {namespace}/{account} already ({found[0]}): set "
        return _failed(key, f"{text}{key}: false, because two controllers would conflict")
    text = f"no other Pod Identity role; one with another identity: kubectl get deployments -A | grep {account}"
    return Check(subject=question.subject, status="passed", text=text)


def _other_associations(cluster: str, site: Site) -> list[str]:
    namespace, account = CONTROLLER
    listed = site.api.pages(
        "eks",
        "list_pod_identity_associations",
        "associations",
        clusterName=cluster,
        namespace=namespace,
        serviceAccount=account,
    )
    ids = [one["associationId"] for one in listed]
    tags = {
        id_: site.api.answer("eks", "describe_pod_identity_association", clusterName=cluster, associationId=id_)[
            "association"
        ].get("tags", {})
        for id_ in ids
    }
    return [id_ for id_ in ids if tags[id_].get(STACK_TAG) != site.stack]


def _failed(key: str, text: str) -> Check:
    return Check(subject=key, status="failed", text=text)
