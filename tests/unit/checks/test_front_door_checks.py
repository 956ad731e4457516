"""Checks of a load balancer: certificate, web ACL, log bucket, quota, controller. Unknown answers never pass."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.front_door import (
    certificate_checks,
    controller_check,
    covers,
    load_balancer_limit_check,
    log_bucket_check,
    plain_http_check,
    web_acl_check,
)
from tests.fakes.aws_account import STACK, Account
from tests.support.front_doors import CERTIFICATE, spec
from vllm_eks.check import Check
from vllm_eks.specs.endpoint import AccessLogsSpec

pytestmark = pytest.mark.usefixtures("moto_account")

NOW = datetime(2026, 11, 27, tzinfo=UTC)
KEY = "endpoint.certificateArn"
COVERED = "the certificate covers the models"
ACL = "arn:aws:wafv2:us-west-2:123456789012:regional/webacl/models/01234567-89ab-cdef-0123-456789abcdef"
DESCRIBE = f"aws acm describe-certificate --certificate-arn {CERTIFICATE} --region us-west-2"


def certificate(account: Account | None = None, **changes: Any) -> list[Check]:
    given = {
        "DomainName": "models.example.com",
        "SubjectAlternativeNames": ["models.example.com", "*.models.example.com"],
        "Status": "ISSUED",
        "NotAfter": NOW + timedelta(days=200),
        "KeyAlgorithm": "RSA_2048",
        "Type": "AMAZON_ISSUED",
        **changes,
    }
    account = account or Account(answers={"DescribeCertificate": {"Certificate": given}})
    return list(certificate_checks(spec(), account.site, now=NOW))


def test_a_valid_certificate_passes() -> None:
    text = "*.models.example.com, models.example.com, until 2027-06-15"
    assert certificate() == [Check(subject=COVERED, status="passed", text=text)]


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        (
            {"Status": "PENDING_VALIDATION", "NotAfter": None},
            "failed",
            f"the certificate waits for validation: create the DNS record that this command shows: {DESCRIBE}",
        ),
        (
            {"Status": "REVOKED"},
            "failed",
            f"the certificate is REVOKED, not ISSUED: use another one ({DESCRIBE})",
        ),
        (
            {"NotAfter": NOW - timedelta(days=1)},
            "failed",
            "the certificate expired on 2026-11-26: renew it, or use another one",
        ),
        (
            {"NotAfter": NOW + timedelta(days=13)},
            "warning",
            f"the certificate expires on 2026-12-10, in 13 days: see why ACM does not renew it: {DESCRIBE}",
        ),
        (
            {"NotAfter": NOW + timedelta(days=13), "Type": "IMPORTED"},
            "warning",
            "the certificate expires on 2026-12-10, in 13 days: import a new one",
        ),
        (
            {"KeyAlgorithm": "RSA_1024"},
            "failed",
            "clients refuse its key RSA_1024: request a certificate with one of RSA_2048, RSA_3072, RSA_4096, "
            "EC_prime256v1, EC_secp384r1, EC_secp521r1",
        ),
        (
            {"SubjectAlternativeNames": ["*.example.com"], "DomainName": "*.example.com"},
            "failed",
            "the certificate is for *.example.com and does not cover qwen3.models.example.com: request one for "
            "*.models.example.com and for each other hostname",
        ),
    ],
)
def test_a_certificate_that_clients_refuse_is_an_error_before_it_is_used(
    changes: dict[str, Any], status: Any, text: str
) -> None:
    given = {key: value for key, value in changes.items() if value is not None}
    found = certificate(**given)
    assert found[0] == Check(subject=KEY, status=status, text=text)
    assert any(one.status == "passed" for one in found) == (status == "warning")


def test_a_certificate_of_another_account_is_an_error() -> None:
    (check,) = certificate(Account(answers={"DescribeCertificate": "ResourceNotFoundException"}))
    text = f"{CERTIFICATE} does not exist in this account: correct the ARN, or request a certificate"
    assert check == Check(subject=KEY, status="failed", text=text)


def test_without_the_permission_a_certificate_is_unknown() -> None:
    (check,) = certificate(Account(denied=frozenset({"DescribeCertificate"})))
    text = f"no permission: allow acm:DescribeCertificate, or run {DESCRIBE}"
    assert check == Check(subject=COVERED, status="unknown", text=text)


def test_a_wildcard_matches_one_label() -> None:
    assert covers(["*.example.com"], "chat.example.com")
    assert covers(["*.Example.com"], "chat.example.com")
    assert not covers(["*.example.com"], "example.com")
    assert not covers(["*.example.com"], "a.chat.example.com")
    assert not covers(["*.ample.com"], "chat.example.com")


def test_plain_http_is_a_warning() -> None:
    assert plain_http_check(spec()) is None
    assert plain_http_check(spec(certificate_arn=None)) == Check(
        subject=KEY,
        status="warning",
        text="is not set, so keys and prompts cross the VPC in plain text: set the ARN of a certificate in ACM",
    )


VISIBLE = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "models"}
FOUND_ACL = {
    "Name": "models",
    "Id": "01234567-89ab-cdef-0123-456789abcdef",
    "ARN": ACL,
    "DefaultAction": {"Allow": {}},
    "VisibilityConfig": VISIBLE,
}


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ({"WebACL": FOUND_ACL}, "passed", "it is regional"),
        (
            "WAFNonexistentItemException",
            "failed",
            "models (01234567-89ab-cdef-0123-456789abcdef) does not exist in us-west-2: correct the ARN",
        ),
        (
            "AccessDeniedException",
            "unknown",
            "no permission: allow wafv2:GetWebACL, or run aws wafv2 get-web-acl --name models --scope REGIONAL --id "
            "01234567-89ab-cdef-0123-456789abcdef --region us-west-2",
        ),
    ],
)
def test_the_web_acl_exists(answer: Any, status: str, text: str) -> None:
    check = web_acl_check(spec(web_acl_arn=ACL), Account(answers={"GetWebACL": answer}).site)
    assert check
    assert (check.status, check.text) == (status, text)


ALLOWED = json.dumps({"Statement": [{"Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}}]})
NEEDED = "allow s3:PutObject to the service logdelivery.elasticloadbalancing.amazonaws.com in the policy of acme-logs"


@pytest.mark.parametrize(
    ("place", "policy", "status", "text"),
    [
        ("us-west-2", {"Policy": ALLOWED}, "passed", "its policy names the service"),
        ("eu-west-1", {"Policy": ALLOWED}, "failed", "acme-logs is in eu-west-1: use a bucket in us-west-2"),
        ("us-west-2", "NoSuchBucketPolicy", "failed", f"acme-logs has no policy: {NEEDED}"),
        ("us-west-2", "NoSuchBucket", "failed", "acme-logs does not exist: create it, or correct the name"),
        (
            "us-west-2",
            {"Policy": "{}"},
            "unknown",
            "its policy does not name the service, but may name an account of AWS: if pulumi up is refused, " + NEEDED,
        ),
        (
            "us-west-2",
            "AccessDenied",
            "unknown",
            "no permission: allow s3:GetBucketLocation and s3:GetBucketPolicy, or run aws s3api get-bucket-policy "
            "--bucket acme-logs",
        ),
    ],
)
def test_the_load_balancer_may_write_its_logs(place: str, policy: Any, status: str, text: str) -> None:
    account = Account(answers={"GetBucketLocation": {"LocationConstraint": place}, "GetBucketPolicy": policy})
    check = log_bucket_check(spec(access_logs=AccessLogsSpec(bucket="acme-logs")), account.site)
    assert check
    assert (check.status, check.text) == (status, text)


def balancers(own: bool, number: int) -> dict[str, Any]:
    arns = [f"arn:aws:elasticloadbalancing:us-west-2:123456789012:loadbalancer/app/x/{n}" for n in range(number)]

    def tags(asked: Any) -> dict[str, Any]:
        assert len(asked["ResourceArns"]) <= 20, "AWS takes 20 at once"
        mark = {"Tags": [{"Key": "vllm-eks/stack", "Value": STACK}]}
        described = [{"ResourceArn": arn, **(mark if own and arn == arns[0] else {})} for arn in asked["ResourceArns"]]
        return {"TagDescriptions": described}

    found = [{"LoadBalancerArn": arn, "Type": "application"} for arn in arns]
    return {"DescribeLoadBalancers": {"LoadBalancers": found}, "DescribeTags": tags}


@pytest.mark.parametrize(("own", "status"), [(False, "failed"), (True, "passed")])
def test_a_full_quota_stops_a_new_load_balancer_but_not_the_stack_s_own(own: bool, status: str) -> None:
    account = Account(answers=balancers(own, 50), default_quotas={"L-53DA6B97": 50})
    assert load_balancer_limit_check(account.site).status == status


def test_without_any_permission_nothing_passes() -> None:
    site = Account(denied=frozenset({"*"})).site
    checks = [
        *certificate_checks(spec(), site, now=NOW),
        web_acl_check(spec(web_acl_arn=ACL), site),
        log_bucket_check(spec(access_logs=AccessLogsSpec(bucket="acme-logs")), site),
        load_balancer_limit_check(site),
        controller_check("platform", site, installs=True),
    ]
    assert {check.status for check in checks if check} == {"unknown"}
    assert all(check and check.text.startswith("no permission: allow ") for check in checks)
