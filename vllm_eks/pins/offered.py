"""The newest versions that AWS offers, as a set that fits together. Loads boto3: imported by the command that asks."""

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
"""EKS user guide, retrieve-ami-id, with the part `release_version` in place of `image_id`."""

AMI_VARIANTS = ("nvidia", "standard")
"""GPU nodes and system nodes have the same release."""

ONE_MINOR_AT_A_TIME = ("vpc-cni", "eks-node-monitoring-agent")
"""EKS user guide, updating add-ons: these go through every minor version."""


def with_offers(pins: Iterable[Pin], account: Account, kubernetes_version: str) -> Iterator[Pin]:
    """Yield each pin with the newest that fits the Kubernetes version, or why that is not known.

    Raises:
        WrongQuestion: The credentials are refused.
    """
    # Anybody with good credentials may ask this: whatever fails from here on is a matter of one pin.
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
    except WrongQuestion as fault:
        return replace(pin, remark=f"not known: {str(fault).rstrip('.')}")


def _kubernetes(pin: Pin, account: Account) -> Pin:
    listed = account.pages("eks", "describe_cluster_versions", "clusterVersions")
    standard = [one["clusterVersion"] for one in listed if one.get("versionStatus") == "STANDARD_SUPPORT"]
    if not standard:
        return replace(pin, remark="not known: EKS lists no version in standard support")
    newest = max(standard, key=numbers)
    fitting = [one for one in standard if one in SUPPORTED_KUBERNETES_VERSIONS]
    offered = max(fitting, key=numbers) if fitting else None
    if newest == offered:
        return replace(pin, offered=offered)
    known = " and ".join(SUPPORTED_KUBERNETES_VERSIONS)
    return replace(pin, offered=offered, remark=f"EKS has {newest}; this release of vllm-eks makes nodes of {known}")


def _node_release(pin: Pin, account: Account, version: str) -> Pin:
    found = {
        variant: account.answer("ssm", "get_parameter", Name=AMI_PARAMETER.format(version=version, variant=variant))
        for variant in AMI_VARIANTS
    }
    releases = {variant: answer["Parameter"]["Value"] for variant, answer in found.items()}
    # Both kinds of nodes run the same release, so the older one is what both have.
    oldest = min(releases.values(), key=numbers)
    if len(set(releases.values())) == 1:
        return replace(pin, offered=oldest)
    told = ", ".join(f"{variant} {release}" for variant, release in releases.items())
    return replace(pin, offered=oldest, remark=f"the newest that both images have ({told})")


def _addon(pin: Pin, account: Account, kubernetes_version: str) -> Pin:
    name = pin.key.removeprefix(f"{ADDONS}.")
    asked = {"addonName": name, "kubernetesVersion": kubernetes_version}
    found = account.pages("eks", "describe_addon_versions", "addons", **asked)
    versions = [one for addon in found for one in addon.get("addonVersions", ()) if _fits(one, kubernetes_version)]
    names = sorted((one["addonVersion"] for one in versions), key=numbers)
    if not names:
        return replace(pin, remark=f"not known: EKS lists no version of {name} for {kubernetes_version}")
    newest = names[-1]
    if name in ONE_MINOR_AT_A_TIME and pin.used:
        step = _next_minor(names, pin.used)
        if step and step != newest:
            return replace(pin, offered=step, remark=f"the next minor version on the way to {newest}")
    return replace(pin, offered=newest)


def _fits(version: Record, kubernetes_version: str) -> bool:
    # Where EKS says nothing about one of these, the version is for all.
    architectures = version.get("architecture") or ["amd64"]
    clusters = {one.get("clusterVersion") for one in version.get("compatibilities", ())} or {kubernetes_version}
    return "amd64" in architectures and kubernetes_version in clusters


def _next_minor(names: Sequence[str], used: str) -> str | None:
    major, minor = numbers(used)[:2]
    within = [one for one in names if numbers(one)[:1] == (major,) and numbers(one)[1] <= minor + 1]
    return within[-1] if within else None
