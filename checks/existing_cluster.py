"""A cluster that is there already: found, and held against the list of what it must have (docs/existing.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pulumi_aws as aws

from checks.asking import Question, ask
from checks.result import Check

KEY = "cluster.existing"
NEEDED_ADDONS = ("vpc-cni", "kube-proxy", "coredns")


@dataclass(frozen=True, kw_only=True)
class FoundCluster:
    """What GPU nodes and a kubeconfig need of the cluster, and what there is to say about it."""

    facts: Mapping[str, str] = field(
        default_factory=lambda: {
            "endpoint": "https://not-looked-up.invalid",
            "certificate_authority": "",
            "security_group_id": "security-group-of-the-cluster",
        }
    )
    checks: tuple[Check, ...]


def find_cluster(name: str, *, kubernetes_version: str, vpc_id: str, region: str) -> FoundCluster:
    """Return the facts of a running cluster, with a check of each thing it must have.

    Args:
        name: The cluster's name.
        kubernetes_version: What the stack's nodes will run, such as 1.36.
        vpc_id: The VPC of the stack's subnets.
        region: The stack's region.
    """
    question = Question(
        subject=f"cluster {name} has what the stack needs",
        actions="eks:DescribeCluster",
        command=f"aws eks describe-cluster --name {name} --region {region}",
    )
    found = ask(question, lambda: aws.eks.get_cluster(name=name))
    if isinstance(found, Check):
        if found.text.startswith("not asked"):
            return FoundCluster(checks=(found,))
        # Without its endpoint there is nothing to build on.
        return FoundCluster(checks=(_failed(f"{name}: {found.text}"),))
    faults = tuple(_failed(text) for text in _mismatches(found, kubernetes_version, vpc_id))
    passed = Check(subject=question.subject, status="passed", text=f"ACTIVE, {found.version}, in {vpc_id}")
    authorities = found.certificate_authorities
    facts = {
        "endpoint": found.endpoint,
        "certificate_authority": authorities[0].data if authorities else "",
        "security_group_id": found.vpc_config.cluster_security_group_id,
    }
    return FoundCluster(facts=facts, checks=(*(faults or (passed,)), *_addons(name, region)))


def _mismatches(found: aws.eks.AwaitableGetClusterResult, kubernetes_version: str, vpc_id: str) -> Iterator[str]:
    if found.status != "ACTIVE":
        yield f"{found.name} is {found.status}, not ACTIVE: wait until it is"
    if found.version != kubernetes_version:
        yield (
            f"{found.name} runs Kubernetes {found.version}, and the stack's nodes would run {kubernetes_version}: "
            f'write kubernetesVersion: "{found.version}", with a nodeReleaseVersion of it'
        )
    if found.vpc_config.vpc_id != vpc_id:
        yield f"{found.name} is in {found.vpc_config.vpc_id}, and network.existing names {vpc_id}: write its own VPC"


def _addons(name: str, region: str) -> Iterator[Check]:
    for addon in NEEDED_ADDONS:
        question = Question(
            subject=f"cluster {name} has {addon}",
            actions="eks:DescribeAddon",
            command=f"kubectl --namespace kube-system get pods (a self-managed {addon} will do), or aws eks "
            f"describe-addon --cluster-name {name} --addon-name {addon} --region {region}",
        )
        found = ask(question, lambda addon=addon: aws.eks.get_addon(cluster_name=name, addon_name=addon))
        if isinstance(found, Check):
            yield found
        else:
            yield Check(subject=question.subject, status="passed", text=f"version {found.addon_version}")


def _failed(text: str) -> Check:
    return Check(subject=KEY, status="failed", text=text)
