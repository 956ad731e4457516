"""The newest versions in AWS that are compatible with each other. Imports boto3, so only the command that needs it
imports it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from vllm_eks.aws.account import Account
from vllm_eks.aws.session import Record
from vllm_eks.errors import WrongQuestion
from vllm_eks.pins.eks import SUPPORTED_KUBERNETES_VERSIONS
from vllm_eks.pins.pinned import ADDONS, KUBERNETES, NODE_RELEASE, Pin, numbers

AMI_PARAMETER = (
    "/aws/service/eks/optimized-ami/{version}/amazon-linux-2023/x86_64/{variant}/recommended/release_version"
)
"""EKS user guide, retrieve-ami-id, with `release_version` instead of `image_id`."""

AMI_VARIANTS = ("nvidia", "standard")
"""GPU nodes and system nodes have the same release."""

ONE_MINOR_AT_A_TIME = ("vpc-cni", "eks-node-monitoring-agent")
"""EKS user guide, updating add-ons: these must be updated one minor version at a time."""


def with_offers(pins: Iterable[Pin], account: Account, kubernetes_version: str) -> Iterator[Pin]:
    """Yield each pin with the newest version for the Kubernetes version, or why it is unknown.

    Raises:
        WrongQuestion: The credentials are rejected.
    """
    # All valid credentials allow this call. A later error concerns only one pin.
    account.answer("sts", "get_caller_identity")
    for pin in pins:
        if pin.key == KUBERNETES:
            yield _asked(pin, lambda pin: _kubernetes(pin, account))
        elif pin.key == NODE_RELEASE:
            yield _asked(pin, lambda pin: _node_release(pin, account, kubernetes_version))
        elif pin.key.startswith(ADDONS):
            yield _asked(pin, lambda pin: _addon(pin, account, kubernetes_version))
        else:
            yield pin


def _asked(pin: Pin, ask: Callable[[Pin], Pin]) -> Pin:
    try:
        return ask(pin)
    except WrongQuestion as error:
        return replace(pin, remark=f"unknown: {str(error).rstrip('.')}")


def _kubernetes(pin: Pin, account: Account) -> Pin:
    listed = account.pages("eks", "describe_cluster_versions", "clusterVersions")
    standard = [one["clusterVersion"] for one in listed if one.get("versionStatus") == "STANDARD_SUPPORT"]
    if not standard:
        return replace(pin, remark="unknown: EKS lists no version in standard support")
    newest = max(standard, key=numbers)
    fitting = [one for one in standard if one in SUPPORTED_KUBERNETES_VERSIONS]
    offered = max(fitting, key=numbers) if fitting else None
    if newest == offered:
        return replace(pin, offered=offered)
    known = " and ".join(SUPPORTED_KUBERNETES_VERSIONS)
    return replace(pin, offered=offered, remark=f"EKS has {newest}; this release of vllm-eks supports nodes of {known}")


def _node_release(pin: Pin, account: Account, version: str) -> Pin:
    found = {
        variant: account.answer("ssm", "get_parameter", Name=AMI_PARAMETER.format(version=version, variant=variant))
        for variant in AMI_VARIANTS
    }
    releases = {variant: answer["Parameter"]["Value"] for variant, answer in found.items()}
    # Both kinds of nodes have the same release, so use the older one, which both have.
    oldest = min(releases.values(), key=numbers)
    if len(set(releases.values())) == 1:
        return replace(pin, offered=oldest)
    releases_text = ", ".join(f"{variant} {release}" for variant, release in releases.items())
    return replace(pin, offered=oldest, remark=f"the newest release of both AMIs ({releases_text})")


def _addon(pin: Pin, account: Account, kubernetes_version: str) -> Pin:
    name = pin.key.removeprefix(f"{ADDONS}.")
    asked = {"addonName": name, "kubernetesVersion": kubernetes_version}
    found = account.pages("eks", "describe_addon_versions", "addons", **asked)
    versions = [one for addon in found for one in addon.get("addonVersions", ()) if _fits(one, kubernetes_version)]
    names = sorted((one["addonVersion"] for one in versions), key=numbers)
    if not names:
        return replace(pin, remark=f"unknown: EKS lists no version of {name} for {kubernetes_version}")
    newest = names[-1]
    if name in ONE_MINOR_AT_A_TIME and pin.used:
        step = _next_minor(names, pin.used)
        if step and step != newest:
            return replace(pin, offered=step, remark=f"the next minor version on the way to {newest}")
    return replace(pin, offered=newest)


def _fits(version: Record, kubernetes_version: str) -> bool:
    # Without this information, the version is compatible with all.
    architectures = version.get("architecture") or ["amd64"]
    clusters = {one.get("clusterVersion") for one in version.get("compatibilities", ())} or {kubernetes_version}
    return "amd64" in architectures and kubernetes_version in clusters


def _next_minor(names: Sequence[str], used: str) -> str | None:
    major, minor = numbers(used)[:2]
    within = [one for one in names if numbers(one)[:1] == (major,) and numbers(one)[1] <= minor + 1]
    return within[-1] if within else None
