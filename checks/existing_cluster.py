"""Looks up an existing cluster and checks its requirements (docs/how-to/existing.md)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from checks.account import version_check
from checks.asking import Question, ask, error_code, why_unknown
from checks.security_groups import traffic_checks
from checks.site import Site
from vllm_eks.aws.session import Record
from vllm_eks.check import NOT_QUERIED, Check
from vllm_eks.specs.cluster import ExistingClusterSpec, FoundControlPlane

KEY = "cluster.existing"
REQUIRED_ADDONS = ("vpc-cni", "kube-proxy", "coredns")
POD_IDENTITY = "eks-pod-identity-agent"
NO_SUCH_ADDON = "ResourceNotFoundException"


@dataclass(frozen=True, kw_only=True)
class ClusterRequest:
    """The existing cluster in the stack file, and what the stack needs from it."""

    cluster: ExistingClusterSpec
    kubernetes_version: str
    """The version of the stack's nodes, such as 1.36."""
    known_versions: Sequence[str] = ()
    """The supported versions, oldest first."""
    vpc_id: str = ""
    """The VPC of the stack's subnets."""
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
"""A placeholder for an existing control plane in an offline preview."""


@dataclass(frozen=True, kw_only=True)
class FoundCluster:
    """The cluster's properties that GPU nodes and a kubeconfig need, and its checks."""

    control_plane: FoundControlPlane = NOT_LOOKED_UP
    checks: tuple[Check, ...]


def find_cluster(requested: ClusterRequest, site: Site) -> FoundCluster:
    """Return the properties of a running cluster, with a check of each requirement."""
    name = requested.name
    question = Question(
        subject=f"cluster {name} has what the stack needs",
        actions="eks:DescribeCluster",
        command=f"aws eks describe-cluster --name {name} --region {site.region}",
    )
    found = ask(question, lambda: site.api.answer("eks", "describe_cluster", name=name)["cluster"])
    if isinstance(found, Check):
        if found.text.startswith(NOT_QUERIED):
            return FoundCluster(checks=(found,))
        # The stack cannot continue without the endpoint.
        return FoundCluster(checks=(_failed(f"{name}: {found.text}"),))
    failed = tuple(_failed(text) for text in _mismatches(found, requested, site))
    passed = Check(subject=question.subject, status="passed", text=f"ACTIVE, {found['version']}, in {requested.vpc_id}")
    place = found.get("resourcesVpcConfig", {})
    control_plane = FoundControlPlane(
        endpoint=found.get("endpoint", ""),
        certificate_authority=found.get("certificateAuthority", {}).get("data", ""),
        security_group_id=place.get("clusterSecurityGroupId", ""),
    )
    checks = (
        *(failed or (passed,)),
        version_check(found["version"], site, is_existing=True),
        *_warnings(found),
        *_addons(requested, site),
        *traffic_checks(
            name, [control_plane.security_group_id, *requested.cluster.security_group_ids], requested.vpc_id, site
        ),
    )
    return FoundCluster(control_plane=control_plane, checks=checks)


def _mismatches(found: Record, requested: ClusterRequest, site: Site) -> Iterator[str]:
    name, version = found["name"], found["version"]
    if found["status"] not in ("ACTIVE", "UPDATING"):
        yield f"{name} is {found['status']}, not ACTIVE: wait until it is"
    if version != requested.kubernetes_version:
        runs = f"{name} runs Kubernetes {version}"
        known = requested.known_versions
        if not known or version in known:
            yield (
                f"{runs}, and the stack's nodes would run {requested.kubernetes_version}: set kubernetesVersion: "
                f'"{version}" and a nodeReleaseVersion of that version'
            )
        elif _minor(version) < _minor(known[0]):
            yield (
                f"{runs}, and this release supports only nodes of {' and '.join(known)}: upgrade the cluster first, "
                f"one minor version at a time: aws eks update-cluster-version --name {name} --kubernetes-version "
                f"{_after(version)} --region {site.region}"
            )
        else:
            yield f"{runs}, and this release supports only nodes of {' and '.join(known)}: use a later vllm-eks"
    vpc_id = found.get("resourcesVpcConfig", {}).get("vpcId", "")
    if vpc_id != requested.vpc_id:
        yield f"{name} is in {vpc_id}, and network.existing has {requested.vpc_id}: set the cluster's VPC"
    if found.get("kubernetesNetworkConfig", {}).get("ipFamily") == "ipv6":
        yield (
            f"{name} gives pods IPv6 addresses (ipFamily ipv6), and the models' network policies allow only IPv4, so "
            "DNS and downloads fail: use a cluster with ipFamily ipv4 (it cannot be changed later)"
        )


def _minor(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _after(version: str) -> str:
    major, minor = _minor(version)[:2]
    return f"{major}.{minor + 1}"


def _warnings(found: Record) -> Iterator[Check]:
    name = found["name"]
    if found["status"] == "UPDATING":
        yield _warning(f"{name} is UPDATING: EKS may refuse changes to its node groups and add-ons until that ends")
    if found.get("computeConfig", {}).get("enabled"):
        yield _warning(
            f"{name} is in Auto Mode, whose network, DNS and Pod Identity work only on its own nodes: install the "
            f"add-ons {', '.join((*REQUIRED_ADDONS, POD_IDENTITY))} for the stack's GPU nodes"
        )
    if found.get("accessConfig", {}).get("authenticationMode") == "CONFIG_MAP":
        yield _warning(
            f"{name} has no access entries (authenticationMode CONFIG_MAP): add the role that runs Pulumi to the "
            "ConfigMap aws-auth. EKS adds the nodes' role to it, so do not let another tool overwrite it"
        )
    for issue in found.get("health", {}).get("issues", ()):
        yield _warning(f"{name} has an issue: {issue.get('code')}: {' '.join(issue.get('message', '').split())}")


def _addons(requested: ClusterRequest, site: Site) -> Iterator[Check]:
    for addon in (*REQUIRED_ADDONS, *([POD_IDENTITY] if requested.copies_weights else [])):
        question = Question(
            subject=f"cluster {requested.name} has {addon}",
            actions="eks:DescribeAddon",
            command=f"aws eks describe-addon --cluster-name {requested.name} --addon-name {addon} "
            f"--region {site.region}",
        )
        try:
            found = site.api.answer("eks", "describe_addon", clusterName=requested.name, addonName=addon)["addon"]
        except Exception as error:
            yield _no_addon(error, addon, question, requested, site)
        else:
            yield _addon(found, addon, question, requested)


def _no_addon(error: Exception, addon: str, question: Question, requested: ClusterRequest, site: Site) -> Check:
    if error_code(error) != NO_SUCH_ADDON:
        return Check(subject=question.subject, status="unknown", text=why_unknown(error, question))
    if addon == POD_IDENTITY:
        return _failed(
            f"{requested.name} has no add-on {addon}, which pods need for AWS credentials with weights.source: s3: run "
            f"aws eks create-addon --cluster-name {requested.name} --addon-name {addon} --region {site.region}"
        )
    text = (
        f"EKS does not manage it, and a self-managed {addon} is enough: check kubectl --namespace kube-system get "
        f"pods, or run aws eks create-addon --cluster-name {requested.name} --addon-name {addon} --region {site.region}"
    )
    return Check(subject=question.subject, status="unknown", text=text)


def _addon(found: Record, addon: str, question: Question, requested: ClusterRequest) -> Check:
    version, status = found.get("addonVersion", ""), found.get("status", "")
    if status in ("ACTIVE", "UPDATING", ""):
        return Check(subject=question.subject, status="passed", text=f"version {version}")
    issues = "; ".join(
        f"{one.get('code')}: {' '.join(one.get('message', '').split())}"
        for one in found.get("health", {}).get("issues", ())
    )
    text = f"the add-on {addon} of {requested.name} is {status} ({issues or 'EKS gives no reason'})"
    return _warning(text)


def _warning(text: str) -> Check:
    return Check(subject=KEY, status="warning", text=text)


def _failed(text: str) -> Check:
    return Check(subject=KEY, status="failed", text=text)
