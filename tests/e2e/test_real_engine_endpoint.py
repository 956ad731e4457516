"""A stack with a load balancer, metrics and logs, on the real engine: up, up again, and destroy."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.engine_lab import LAB, ROOT, client, leftovers, nothing_is_left, open_lab, why_not
from tests.e2e.stand_in_charts import CRDS, stand_in_charts

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "")

DOMAIN = "models.example.com"
NO_PROXY_THERE = "http://127.0.0.1:9"
"""The update's own request to the models fails at once. Otherwise it would wait minutes for a name of example.com."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Any]:
    with open_lab() as found:
        add_types(found)
        yield found
        remove_crds(found)


def add_types(lab: Any) -> None:
    """Let the lab's AWS provider start with more types. The lab writes these files again each time it starts."""
    python, entry = lab.home / "venv" / "bin" / "python", ROOT / "tests" / "e2e" / "aws_types" / "provider.py"
    for file in Path(lab.env["PULUMI_HOME"]).glob("plugins/resource-aws-v*/pulumi-resource-aws"):
        version = file.parent.name.partition("-v")[2]
        command = f'exec "{python}" -W ignore "{entry}" "{LAB / "aws"}" "$@"'
        file.write_text(f"#!/bin/sh\nLAB_AWS_VERSION={version} {command}\n")


def remove_crds(lab: Any) -> None:
    lab.kubectl("delete", "crds", "--ignore-not-found", *CRDS)


def certificate(lab: Any, folder: Path) -> str:
    """Import a certificate for the models into the emulated account, and return its ARN."""
    key, body = folder / "key.pem", folder / "certificate.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90"]
    words += ["-subj", f"/CN=*.{DOMAIN}", "-addext", f"subjectAltName=DNS:*.{DOMAIN}"]
    subprocess.run([*words, "-keyout", key, "-out", body], check=True, capture_output=True)
    made = client(lab, "acm").import_certificate(Certificate=body.read_bytes(), PrivateKey=key.read_bytes())
    return made["CertificateArn"]


def hosted_zone(lab: Any) -> str:
    """Create the domain's zone in the emulated account, and return its ID. Only AWS's IDs all begin with Z."""
    route53 = client(lab, "route53")
    while True:
        made = route53.create_hosted_zone(Name=DOMAIN, CallerReference="models")["HostedZone"]["Id"]
        if (id_ := made.rpartition("/")[2]).startswith("Z"):
            return id_
        route53.delete_hosted_zone(Id=id_)


def web_acl(lab: Any) -> str:
    """Create a web ACL in the emulated account, and return its ARN."""
    seen = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "models"}
    made = client(lab, "wafv2").create_web_acl(
        Name="models", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen
    )
    return made["Summary"]["ARN"]


def use_default_key(lab: Any) -> None:
    """Let the account make its own key aws/ebs. It comes with the first encrypted volume, and AWS never deletes it."""
    ec2 = client(lab, "ec2")
    ec2.delete_volume(VolumeId=ec2.create_volume(AvailabilityZone="us-west-2a", Size=1, Encrypted=True)["VolumeId"])


def settings(lab: Any, folder: Path) -> dict[str, Any]:
    """Return the dev stack with all three, and create in the account what it names."""
    found = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    found["config"]["vllm-eks:endpoint"] = {
        "scheme": "internetFacing",
        "domain": DOMAIN,
        "certificateArn": certificate(lab, folder),
        "hostedZoneId": hosted_zone(lab),
        "sourceRanges": ["0.0.0.0/0"],
        "webAclArn": web_acl(lab),
    }
    found["config"]["vllm-eks:observability"] = {"prometheus": "install", "logs": "cloudWatch"}
    found["config"]["vllm-eks:charts"] = stand_in_charts(folder / "charts")
    return found


def held(lab: Any) -> dict[str, list[str]]:
    """Return what the lab's own list of an account does not have, by kind."""
    balancers, ec2, route53 = client(lab, "elbv2"), client(lab, "ec2"), client(lab, "route53")
    (zone,) = route53.list_hosted_zones()["HostedZones"]
    records = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    own_groups = [{"Name": "description", "Values": ["The load balancer in front of the models"]}]
    return {
        "load balancers": [one["Scheme"] for one in balancers.describe_load_balancers()["LoadBalancers"]],
        "target groups": [str(one["Port"]) for one in balancers.describe_target_groups()["TargetGroups"]],
        "records": [one["Name"].rstrip(".") for one in records if one["Type"] == "A"],
        "security groups": [
            one["Description"] for one in ec2.describe_security_groups(Filters=own_groups)["SecurityGroups"]
        ],
        "volumes": [one["VolumeType"] for one in ec2.describe_volumes()["Volumes"]],
    }


def test_a_stack_with_a_load_balancer_metrics_and_logs_is_destroyed_whole(lab: Any, tmp_path: Path) -> None:
    use_default_key(lab)
    before = lab.holdings()
    stack = lab.stack("dev", settings(lab, tmp_path))
    stack.env["https_proxy"] = NO_PROXY_THERE
    stack.up().check()
    assert held(lab) == {
        "load balancers": ["internet-facing"],
        "target groups": ["8000"],
        "records": [f"llama-4-scout.{DOMAIN}"],
        "security groups": ["The load balancer in front of the models"],
        "volumes": ["gp3"],
    }
    assert "this machine cannot connect" in stack.outputs()["models"]["llama-4-scout"]["frontDoor"]
    assert stack.up().check().changed == []

    stack.destroy().check()
    kind = "customresourcedefinition.apiextensions.k8s.io/"
    assert {one.removeprefix(kind) for one in lab.left() if one.startswith(kind)} == set(CRDS)
    remove_crds(lab)
    assert nothing_is_left(lab, before)
    assert not any(held(lab).values()), held(lab)
    found = leftovers(stack)
    assert (found.returncode, found.stderr) == (0, "")
    assert "nothing is left" in found.stdout
