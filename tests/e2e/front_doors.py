"""What a stack with a load balancer, metrics and logs needs: types of AWS, charts, and what its file names."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.engine_lab import LAB, ROOT, client, open_lab
from tests.e2e.stand_in_charts import CRDS, stand_in_charts

DOMAIN = "models.example.com"
NO_PROXY_THERE = "http://127.0.0.1:9"
"""The update's own request to the models fails at once. Otherwise it would wait minutes for a name of example.com."""


@contextmanager
def open_door_lab() -> Iterator[Any]:
    """Open the lab with more types of AWS, and remove the CRDs at the end."""
    with open_lab() as found:
        add_types(found)
        try:
            yield found
        finally:
            remove_crds(found)


def add_types(lab: Any) -> None:
    """Let the lab's AWS provider start with more types. The lab writes these files again each time it starts."""
    python, entry = lab.home / "venv" / "bin" / "python", ROOT / "tests" / "e2e" / "aws_types" / "provider.py"
    for file in Path(lab.env["PULUMI_HOME"]).glob("plugins/resource-aws-v*/pulumi-resource-aws"):
        version = file.parent.name.partition("-v")[2]
        command = f'exec "{python}" -W ignore "{entry}" "{LAB / "aws"}" "$@"'
        file.write_text(f"#!/bin/sh\nLAB_AWS_VERSION={version} {command}\n")


def remove_crds(lab: Any) -> None:
    """Delete what Helm keeps."""
    lab.kubectl("delete", "crds", "--ignore-not-found", *CRDS)


@dataclass(frozen=True, kw_only=True)
class Named:
    """What exists in the account and on this machine before the stack, and the stack file names."""

    certificate: str
    """For all names of the domain."""
    zone: str
    web_acl: str
    charts: dict[str, dict[str, str]]


def make_named(lab: Any, folder: Path) -> Named:
    """Create all of it in the emulated account."""
    _use_default_key(lab)
    return Named(
        certificate=certificate(lab, folder, DOMAIN),
        zone=hosted_zone(lab),
        web_acl=_web_acl(lab),
        charts=stand_in_charts(folder / "charts"),
    )


def certificate(lab: Any, folder: Path, *domains: str) -> str:
    """Import a certificate for the names of these domains into the emulated account, and return its ARN."""
    key, body = folder / "key.pem", folder / "certificate.pem"
    names = ",".join(f"DNS:*.{domain}" for domain in domains)
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90"]
    words += ["-subj", f"/CN=*.{domains[0]}", "-addext", f"subjectAltName={names}"]
    subprocess.run([*words, "-keyout", key, "-out", body], check=True, capture_output=True)
    made = client(lab, "acm").import_certificate(Certificate=body.read_bytes(), PrivateKey=key.read_bytes())
    return made["CertificateArn"]


def new_stack(lab: Any, name: str, settings: dict[str, Any]) -> Any:
    """Return a stack whose update cannot connect to the load balancer."""
    stack = lab.stack(name, settings)
    stack.env["https_proxy"] = stack.env["http_proxy"] = NO_PROXY_THERE
    return stack


def dev_settings(named: Named, **sections: Any) -> dict[str, Any]:
    """Return the dev stack with the stand-in charts and some sections."""
    found = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())
    found["config"]["vllm-eks:charts"] = dict(named.charts)
    return found | {"config": found["config"] | {f"vllm-eks:{key}": value for key, value in sections.items()}}


def hosted_zone(lab: Any) -> str:
    """Create the domain's zone in the emulated account, and return its ID. Only AWS's IDs all begin with Z."""
    route53 = client(lab, "route53")
    while True:
        made = route53.create_hosted_zone(Name=DOMAIN, CallerReference="models")["HostedZone"]["Id"]
        if (id_ := made.rpartition("/")[2]).startswith("Z"):
            return id_
        route53.delete_hosted_zone(Id=id_)


def _web_acl(lab: Any) -> str:
    """Create a web ACL in the emulated account, and return its ARN."""
    seen = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "models"}
    made = client(lab, "wafv2").create_web_acl(
        Name="models", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen
    )
    return made["Summary"]["ARN"]


def _use_default_key(lab: Any) -> None:
    """Let the account make its own key aws/ebs. It comes with the first encrypted volume, and AWS never deletes it."""
    ec2 = client(lab, "ec2")
    ec2.delete_volume(VolumeId=ec2.create_volume(AvailabilityZone="us-west-2a", Size=1, Encrypted=True)["VolumeId"])
