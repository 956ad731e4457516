"""A cluster that is there already: found, and held against the list of what it must have (docs/how-to/existing.md)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.account import version_check
from checks.asking import Question, ask, error_code, why_unknown
from checks.security_groups import reach_checks
from checks.site import Site
from vllm_eks.aws.session import Record
from vllm_eks.check import Check
from vllm_eks.specs.cluster import ExistingClusterSpec, FoundControlPlane

KEY = "cluster.existing"
NEEDED_ADDONS = ("vpc-cni", "kube-proxy", "coredns")
POD_IDENTITY = "eks-pod-identity-agent"
NO_SUCH_ADDON = "ResourceNotFoundException"


@dataclass(frozen=True, kw_only=True)
class ClusterWish:
    """What the stack file says of an existing cluster, and what the stack will do in it."""

    cluster: ExistingClusterSpec
    kubernetes_version: str
    """What the stack's nodes will run, such as 1.36."""
    known_versions: Sequence[str] = ()
    """What the stack file may say there; oldest first."""
    vpc_id: str = ""
    """Of the stack's subnets."""
    copies_weights: bool = False
    """Whether pods need AWS credentials, which only Pod Identity gives them."""

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.cluster.name


NOT_LOOKED_UP = FoundControlPlane(
    endpoint="https://not-looked-up.invalid",
    certificate_authority="",
    security_group_id="security-group-of-the-cluster",
)
"""In place of an existing control plane that an offline preview cannot ask for."""


@dataclass(frozen=True, kw_only=True)
class FoundCluster:
    """What GPU nodes and a kubeconfig need of the cluster, and what there is to say about it."""

    control_plane: FoundControlPlane = NOT_LOOKED_UP
    checks: tuple[Check, ...]


def find_cluster(wish: ClusterWish, site: Site) -> FoundCluster:
    """Return the facts of a running cluster, with a check of each thing it must have."""
    name = wish.name
    question = Question(
        subject=f"cluster {name} has what the stack needs",
        actions="eks:DescribeCluster",
        command=f"aws eks describe-cluster --name {name} --region {site.region}",
    )
    found = ask(question, lambda: site.api.answer("eks", "describe_cluster", name=name)["cluster"])
    if isinstance(found, Check):
        if found.text.startswith("not asked"):
            return FoundCluster(checks=(found,))
        # Without its endpoint there is nothing to build on.
        return FoundCluster(checks=(_failed(f"{name}: {found.text}"),))
    faults = tuple(_failed(text) for text in _mismatches(found, wish, site))
    passed = Check(subject=question.subject, status="passed", text=f"ACTIVE, {found['version']}, in {wish.vpc_id}")
    place = found.get("resourcesVpcConfig", {})
    control_plane = FoundControlPlane(
        endpoint=found.get("endpoint", ""),
        certificate_authority=found.get("certificateAuthority", {}).get("data", ""),
        security_group_id=place.get("clusterSecurityGroupId", ""),
    )
    checks = (
        *(faults or (passed,)),
        version_check(found["version"], site, is_existing=True),
        *_warnings(found),
        *_addons(wish, site),
        *reach_checks(name, [control_plane.security_group_id, *wish.cluster.security_group_ids], wish.vpc_id, site),
    )
    return FoundCluster(control_plane=control_plane, checks=checks)


def _mismatches(found: Record, wish: ClusterWish, site: Site) -> Iterator[str]:
    name, version = found["name"], found["version"]
    if found["status"] not in ("ACTIVE", "UPDATING"):
        yield f"{name} is {found['status']}, not ACTIVE: wait until it is"
    if version != wish.kubernetes_version:
        runs = f"{name} runs Kubernetes {version}"
        known = wish.known_versions
        if not known or version in known:
            yield (
                f"{runs}, and the stack's nodes would run {wish.kubernetes_version}: write kubernetesVersion: "
                f'"{version}", with a nodeReleaseVersion of it'
            )
        elif _minor(version) < _minor(known[0]):
            yield (
                f"{runs}, and this release makes nodes of {' and '.join(known)} only: upgrade the cluster first, one "
                f"minor version at a time: aws eks update-cluster-version --name {name} --kubernetes-version "
                f"{_after(version)} --region {site.region}"
            )
        else:
            yield f"{runs}, and this release makes nodes of {' and '.join(known)} only: use a later release of vllm-eks"
    vpc_id = found.get("resourcesVpcConfig", {}).get("vpcId", "")
    if vpc_id != wish.vpc_id:
        yield f"{name} is in {vpc_id}, and network.existing names {wish.vpc_id}: write its own VPC"
    if found.get("kubernetesNetworkConfig", {}).get("ipFamily") == "ipv6":
        yield (
            f"{name} gives pods IPv6 addresses (ipFamily ipv6), and the models' network policies allow IPv4 only, so "
            "nothing resolves or downloads: use a cluster of ipFamily ipv4, which cannot be changed later"
        )


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _after(version: str) -> str:
    major, minor = _minor(version)[:2]
    return f"{major}.{minor + 1}"


def _warnings(found: Record) -> Iterator[Check]:
    name = found["name"]
    if found["status"] == "UPDATING":
        yield _warning(f"{name} is UPDATING: changes to its node groups and add-ons may be refused until that ends")
    if found.get("computeConfig", {}).get("enabled"):
        yield _warning(
            f"{name} is in Auto Mode, whose network, DNS and Pod Identity work on its own nodes only: the stack's GPU "
            f"nodes need the add-ons {', '.join((*NEEDED_ADDONS, POD_IDENTITY))} installed"
        )
    if found.get("accessConfig", {}).get("authenticationMode") == "CONFIG_MAP":
        yield _warning(
            f"{name} knows no access entries (authenticationMode CONFIG_MAP): whoever runs Pulumi must stand in the "
            "ConfigMap aws-auth; EKS adds the nodes' role to it by itself, so do not let another tool overwrite it"
        )
    for issue in found.get("health", {}).get("issues", ()):
        yield _warning(f"{name} has an issue: {issue.get('code')}: {' '.join(issue.get('message', '').split())}")


def _addons(wish: ClusterWish, site: Site) -> Iterator[Check]:
    for addon in (*NEEDED_ADDONS, *([POD_IDENTITY] if wish.copies_weights else [])):
        question = Question(
            subject=f"cluster {wish.name} has {addon}",
            actions="eks:DescribeAddon",
            command=f"aws eks describe-addon --cluster-name {wish.name} --addon-name {addon} --region {site.region}",
        )
        try:
            found = site.api.answer("eks", "describe_addon", clusterName=wish.name, addonName=addon)["addon"]
        except Exception as error:
            yield _no_addon(error, addon, question, wish, site)
        else:
            yield _addon(found, addon, question, wish)


def _no_addon(error: Exception, addon: str, question: Question, wish: ClusterWish, site: Site) -> Check:
    if error_code(error) != NO_SUCH_ADDON:
        return Check(subject=question.subject, status="unknown", text=why_unknown(error, question))
    if addon == POD_IDENTITY:
        return _failed(
            f"{wish.name} has no add-on {addon}, and weights.source: s3 needs it: without it pods get no AWS "
            f"credentials: aws eks create-addon --cluster-name {wish.name} --addon-name {addon} --region {site.region}"
        )
    text = (
        f"EKS does not manage it, and a self-managed {addon} will do: kubectl --namespace kube-system get pods; or let "
        f"EKS: aws eks create-addon --cluster-name {wish.name} --addon-name {addon} --region {site.region}"
    )
    return Check(subject=question.subject, status="unknown", text=text)


def _addon(found: Record, addon: str, question: Question, wish: ClusterWish) -> Check:
    version, status = found.get("addonVersion", ""), found.get("status", "")
    if status in ("ACTIVE", "UPDATING", ""):
        return Check(subject=question.subject, status="passed", text=f"version {version}")
    issues = "; ".join(
        f"{one.get('code')}: {' '.join(one.get('message', '').split())}"
        for one in found.get("health", {}).get("issues", ())
    )
    text = f"the add-on {addon} of {wish.name} is {status} ({issues or 'EKS gives no reason'})"
    return _warning(text)


def _warning(text: str) -> Check:
    return Check(subject=KEY, status="warning", text=text)


def _failed(text: str) -> Check:
    return Check(subject=KEY, status="failed", text=text)
