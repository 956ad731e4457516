"""Checks that values are consistent with each other and with the planner's data.

Each check reads only values that are valid on their own (others are None in a parsed section), so that the report has
the schema's errors and these together.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from config.cross_field.arns import arn_error, arn_errors, arns_of_models_errors
from config.cross_field.capacity import capacity_errors
from config.cross_field.clients import client_errors
from config.cross_field.endpoint import endpoint_errors
from config.cross_field.limits import node_group_errors, tag_errors
from config.cross_field.models import gated_models, model_errors
from config.cross_field.observability import observability_errors
from config.cross_field.places import cluster_errors, network_errors
from config.cross_field.traffic import traffic_errors
from config.errors import ConfigError, nearest
from config.settings.charts import ChartsSettings
from config.settings.client import ClientSettings
from config.settings.cluster import ClusterSettings
from config.settings.endpoint import EndpointSettings
from config.settings.iam import IamSettings
from config.settings.model import ModelSettings
from config.settings.network import NetworkSettings
from config.settings.observability import ObservabilitySettings
from vllm_eks.pins.eks import ADDON_VERSIONS, DEFAULT_KUBERNETES_VERSION, EBS_CSI_DRIVER, NODE_RELEASE_VERSION
from vllm_eks.stack_files.wording import key_path


@dataclass(frozen=True, kw_only=True)
class Draft:
    """The stack's parsed settings. Invalid values are None."""

    project: str
    region: str | None
    has_hugging_face_token: bool
    network: NetworkSettings | None
    cluster: ClusterSettings | None
    models: Mapping[str, ModelSettings]
    charts: ChartsSettings | None
    observability: ObservabilitySettings | None = None
    written_models: Mapping[str, object] = field(default_factory=dict[str, object])
    """The models as they are in the file, for checks of sections with invalid values."""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    default_tags: Mapping[str, str] = field(default_factory=dict[str, str])
    """The tags in aws:defaultTags, which the provider adds."""
    iam: IamSettings | None = None
    assumed_role: str | None = None
    """The role in aws:assumeRoles."""
    endpoint: EndpointSettings | None = None
    """None if the file does not have the section."""
    written_endpoint: Mapping[str, object] = field(default_factory=dict[str, object])
    """The section as it is in the file."""
    clients: Mapping[str, ClientSettings] = field(default_factory=dict[str, ClientSettings])
    clients_with_keys: Sequence[str] = ()


def cross_field_errors(draft: Draft) -> Iterator[ConfigError]:
    """Yield all errors that involve more than one value, in the order of the file's sections."""
    if draft.network:
        yield from network_errors(draft.network, f"{draft.project}:network")
        yield from _zones_are_of_the_region(draft.network, draft)
    if draft.cluster:
        yield from cluster_errors(draft.cluster, draft.network, f"{draft.project}:cluster")
        installs = draft.observability is not None and draft.observability.prometheus == "install"
        yield from _versions_go_together(draft.cluster, f"{draft.project}:cluster", needs_volumes=installs)
    for name, model in draft.models.items():
        zones = draft.network.zones if draft.network else None
        key = key_path(f"{draft.project}:models", name)
        yield from model_errors(model, name, key)
        yield from capacity_errors(model, zones or (), key)
        yield from traffic_errors(draft.written_models.get(name), key)
    yield from node_group_errors(draft.models, f"{draft.project}:models")
    yield from tag_errors(draft.tags, draft.default_tags, f"{draft.project}:tags")
    if draft.charts:
        yield from _chart_is_local_or_not(draft.charts, f"{draft.project}:charts")
    if draft.observability:
        yield from observability_errors(
            draft.observability, draft.cluster, draft.charts, draft.region, f"{draft.project}:observability"
        )
    yield from endpoint_errors(
        draft.endpoint,
        models=draft.models,
        network=draft.network,
        project=draft.project,
        written=draft.written_endpoint,
    )
    yield from client_errors(draft.clients, draft.models, with_keys=draft.clients_with_keys, project=draft.project)
    if draft.charts and draft.endpoint:
        yield from _a_controller_binds_pods(draft.charts, draft.cluster, f"{draft.project}:charts")
    if draft.region:
        yield from _arns_are_of_the_region(draft, draft.region)
    if not draft.has_hugging_face_token:
        yield from _gated_models_have_a_token(draft)


def _zones_are_of_the_region(network: NetworkSettings, draft: Draft) -> Iterator[ConfigError]:
    key = f"{draft.project}:network"
    places = [(zone, key_path(key, "zones", index)) for index, zone in enumerate(network.given_zones or ())]
    if network.existing:
        places += [(zone, key_path(key, "existing", "subnets", zone)) for zone in network.existing.subnets]
    for zone, place in places:
        if draft.region and zone[:-1] != draft.region:
            yield ConfigError(
                key=place,
                text=f"{zone!r} is not in aws:region {draft.region}: use a zone such as {draft.region}a, or change "
                "aws:region",
            )


def _arns_are_of_the_region(draft: Draft, region: str) -> Iterator[ConfigError]:
    project = draft.project
    sections: dict[str, BaseModel | None] = {
        "cluster": draft.cluster,
        "iam": draft.iam,
        "observability": draft.observability,
        "endpoint": draft.endpoint,
    }
    for name, section in sections.items():
        yield from arn_errors(section, region, f"{project}:{name}")
    yield from arns_of_models_errors(draft.models, region, f"{project}:models")
    if draft.assumed_role and (error := arn_error(draft.assumed_role, region, "aws:assumeRoles")):
        yield error


def _versions_go_together(cluster: ClusterSettings, key: str, *, needs_volumes: bool) -> Iterator[ConfigError]:
    """Check that node versions match the cluster's minor version, and that every version is pinned."""
    given = cluster.addon_overrides or {}
    for addon in given:
        if addon not in ADDON_VERSIONS:
            yield ConfigError(
                key=key_path(key, "addonVersions", addon), text=f"is not a setting: {nearest(addon, ADDON_VERSIONS)}"
            )
    version = cluster.kubernetes_version
    if not version:
        return
    proxy, release = given.get("kube-proxy"), cluster.node_release_override
    if proxy and not proxy.startswith(f"v{version}."):
        yield ConfigError(
            key=key_path(key, "addonVersions", "kube-proxy"),
            text=f"{proxy!r} does not match kubernetesVersion {version}: set a release that begins with v{version}.",
        )
    if release and not release.startswith(f"{version}."):
        yield ConfigError(
            key=key_path(key, "nodeReleaseVersion"),
            text=f"{release!r} does not match kubernetesVersion {version}: set a release that begins with {version}.",
        )
    if version != DEFAULT_KUBERNETES_VERSION:
        yield from _every_pin_is_given(cluster, key, needs_volumes=needs_volumes)


def _every_pin_is_given(cluster: ClusterSettings, key: str, *, needs_volumes: bool) -> Iterator[ConfigError]:
    why = f"only {DEFAULT_KUBERNETES_VERSION} has pinned versions, not {cluster.kubernetes_version}"
    needed = [addon for addon in ADDON_VERSIONS if needs_volumes or addon != EBS_CSI_DRIVER]
    missing = [addon for addon in needed if addon not in (cluster.addon_overrides or {})]
    # An existing cluster already has its add-ons.
    is_good = cluster.addon_overrides is not None  # pyright: ignore[reportUnnecessaryComparison]  (a key with an error holds None)
    if missing and is_good and "existing" not in cluster.model_fields_set:
        yield ConfigError(
            key=key_path(key, "addonVersions"),
            text=f"lacks {', '.join(missing)}: {why}, so set them (aws eks describe-addon-versions "
            f"--kubernetes-version {cluster.kubernetes_version} lists them)",
        )
    if "node_release_override" not in cluster.model_fields_set:
        example = NODE_RELEASE_VERSION.rpartition("-")[2]
        yield ConfigError(
            key=key_path(key, "nodeReleaseVersion"),
            text=f"is missing: {why}, so set an AMI release such as {cluster.kubernetes_version}.1-{example}",
        )


def _chart_is_local_or_not(charts: ChartsSettings, key: str) -> Iterator[ConfigError]:
    for name, info in ChartsSettings.model_fields.items():
        override = getattr(charts, name)
        if override and override.path and (override.repository or override.version):
            yield ConfigError(
                key=key_path(key, str(info.alias), "path"),
                text="conflicts with repository or version, which a local folder does not use: remove one",
            )


def _a_controller_binds_pods(
    charts: ChartsSettings, cluster: ClusterSettings | None, key: str
) -> Iterator[ConfigError]:
    controller = charts.aws_load_balancer_controller
    if cluster and "existing" not in cluster.model_fields_set and controller and not controller.install:
        yield ConfigError(
            key=key_path(key, "awsLoadBalancerController", "install"),
            text="false is for an existing cluster that already runs the controller, and this cluster is new: remove "
            "it, because without the controller no model gets requests",
        )


def _gated_models_have_a_token(draft: Draft) -> Iterator[ConfigError]:
    names = gated_models(draft.models)
    if names:
        listed = ", ".join(f"{name} ({draft.models[name].model})" for name in names)
        yield ConfigError(
            key=f"{draft.project}:huggingFaceToken",
            text=f"is missing, but {listed} {'is' if len(names) == 1 else 'are'} gated on Hugging Face: accept the "
            "terms there, then run pulumi config set --secret huggingFaceToken",
        )
