"""What two values, or a value and the planner's data, must agree on.

Each check looks only at values that are good by themselves (a bad one is None in a parsed section), so the
report has the schema's faults and these side by side.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from config.cross_field.capacity import capacity_faults
from config.cross_field.limits import node_group_faults, tag_faults
from config.cross_field.models import gated_models, model_faults
from config.cross_field.places import cluster_faults, network_faults
from config.errors import Fault, nearest
from config.settings.charts import ChartsSettings
from config.settings.cluster import ClusterSettings
from config.settings.model import ModelSettings
from config.settings.network import NetworkSettings
from vllm_eks.pins.eks import ADDON_VERSIONS, DEFAULT_KUBERNETES_VERSION, NODE_RELEASE_VERSION
from vllm_eks.stack_files.wording import key_path


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The stack's settings before anybody vouches for them: None stands where a value is bad."""

    project: str
    region: str | None
    has_hugging_face_token: bool
    network: NetworkSettings | None
    cluster: ClusterSettings | None
    models: Mapping[str, ModelSettings]
    charts: ChartsSettings | None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    default_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """Those of aws:defaultTags, which the provider adds."""


def cross_faults(draft: Draft) -> Iterator[Fault]:
    """Yield every fault that one value alone does not show, in the order of the file's sections."""
    if draft.network:
        yield from network_faults(draft.network, f"{draft.project}:network")
        yield from _zones_are_of_the_region(draft.network, draft)
    if draft.cluster:
        yield from cluster_faults(draft.cluster, draft.network, f"{draft.project}:cluster")
        yield from _versions_go_together(draft.cluster, f"{draft.project}:cluster")
    for name, model in draft.models.items():
        zones = draft.network.zones if draft.network else None
        key = key_path(f"{draft.project}:models", name)
        yield from model_faults(model, name, key)
        yield from capacity_faults(model, zones or (), key)
    yield from node_group_faults(draft.models, f"{draft.project}:models")
    yield from tag_faults(draft.tags, draft.default_tags, f"{draft.project}:tags")
    if draft.charts:
        yield from _chart_is_local_or_not(draft.charts, f"{draft.project}:charts")
    if not draft.has_hugging_face_token:
        yield from _gated_models_have_a_token(draft)


def _zones_are_of_the_region(network: NetworkSettings, draft: Draft) -> Iterator[Fault]:
    key = f"{draft.project}:network"
    places = [(zone, key_path(key, "zones", index)) for index, zone in enumerate(network.given_zones or ())]
    if network.existing:
        places += [(zone, key_path(key, "existing", "subnets", zone)) for zone in network.existing.subnets]
    for zone, place in places:
        if draft.region and zone[:-1] != draft.region:
            yield Fault(
                key=place,
                text=f"{zone!r} is not in aws:region {draft.region}: write a zone such as {draft.region}a, "
                "or change aws:region",
            )


def _versions_go_together(cluster: ClusterSettings, key: str) -> Iterator[Fault]:
    """Check that what runs on the nodes is of the cluster's own minor version, and that nothing is unpinned."""
    given = cluster.addon_overrides or {}
    for addon in given:
        if addon not in ADDON_VERSIONS:
            yield Fault(
                key=key_path(key, "addonVersions", addon), text=f"is not a setting: {nearest(addon, ADDON_VERSIONS)}"
            )
    version = cluster.kubernetes_version
    if not version:
        return
    proxy, release = given.get("kube-proxy"), cluster.node_release_override
    if proxy and not proxy.startswith(f"v{version}."):
        yield Fault(
            key=key_path(key, "addonVersions", "kube-proxy"),
            text=f"{proxy!r} is not of kubernetesVersion {version}: write a release that begins with v{version}.",
        )
    if release and not release.startswith(f"{version}."):
        yield Fault(
            key=key_path(key, "nodeReleaseVersion"),
            text=f"{release!r} is not of kubernetesVersion {version}: write a release that begins with {version}.",
        )
    if version != DEFAULT_KUBERNETES_VERSION:
        yield from _every_pin_is_given(cluster, key)


def _every_pin_is_given(cluster: ClusterSettings, key: str) -> Iterator[Fault]:
    why = f"only {DEFAULT_KUBERNETES_VERSION} has pinned versions here, not {cluster.kubernetes_version}"
    missing = [addon for addon in ADDON_VERSIONS if addon not in (cluster.addon_overrides or {})]
    # An existing cluster has its add-ons already.
    is_good = cluster.addon_overrides is not None  # pyright: ignore[reportUnnecessaryComparison]  (a key with a fault holds None)
    if missing and is_good and "existing" not in cluster.model_fields_set:
        yield Fault(
            key=key_path(key, "addonVersions"),
            text=f"lacks {', '.join(missing)}: {why}, so give them (aws eks describe-addon-versions "
            f"--kubernetes-version {cluster.kubernetes_version} lists them)",
        )
    if "node_release_override" not in cluster.model_fields_set:
        example = NODE_RELEASE_VERSION.rpartition("-")[2]
        yield Fault(
            key=key_path(key, "nodeReleaseVersion"),
            text=f"is missing: {why}, so give an AMI release such as {cluster.kubernetes_version}.1-{example}",
        )


def _chart_is_local_or_not(charts: ChartsSettings, key: str) -> Iterator[Fault]:
    for name, info in ChartsSettings.model_fields.items():
        override = getattr(charts, name)
        if override and override.path and (override.repository or override.version):
            yield Fault(
                key=key_path(key, str(info.alias), "path"),
                text="conflicts with repository or version, which a local folder does not use: remove one or the other",
            )


def _gated_models_have_a_token(draft: Draft) -> Iterator[Fault]:
    names = gated_models(draft.models)
    if names:
        listed = ", ".join(f"{name} ({draft.models[name].model})" for name in names)
        yield Fault(
            key=f"{draft.project}:huggingFaceToken",
            text=f"is missing, but {listed} {'is' if len(names) == 1 else 'are'} gated on Hugging Face: accept the "
            "terms there, then run: pulumi config set --secret huggingFaceToken",
        )
