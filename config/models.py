"""The settings a stack may give, as pydantic models: camelCase in the file, snake_case here.

A model checks each value by itself; what needs two values or the planner's data is in `config.cross_checks`, so
that one wrong value hides no other fault. Descriptions are shown when a required key is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from config import rules
from config.pins import ADDON_VERSIONS, DEFAULT_KUBERNETES_VERSION, NODE_RELEASE_VERSION
from planner.options import ServingOptions
from planner.release_values import Serving
from planner.versions import DEFAULT_IMAGE, DEFAULT_VLLM_VERSION

Zone = Annotated[str, AfterValidator(rules.zone)]
AddonVersion = Annotated[str, AfterValidator(rules.addon_version)]
AtLeastOne = Annotated[int, Field(ge=1)]


class Settings(BaseModel):
    """Base of all settings: unknown keys refused, no silent conversion of types, frozen."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)


class NetworkSettings(Settings):
    """The VPC."""

    # strict=False on tuples only: a list of the file becomes a tuple; its items stay strict.
    zones: Annotated[tuple[Zone, ...], AfterValidator(rules.zones)] = Field(
        strict=False, description="two or more availability zones, such as [us-west-2a, us-west-2b]"
    )
    cidr: Annotated[str, AfterValidator(rules.network_cidr)] = "10.0.0.0/16"
    nat_gateways: Literal["single", "perZone"] = "single"

    @property
    def system_zones(self) -> tuple[str, ...]:
        """The two zones of the system nodes: the first of the alphabet, so that the order in the file is free."""
        return tuple(sorted(self.zones)[:2])


class ClusterSettings(Settings):
    """The control plane and what its nodes run."""

    public_access_cidrs: Annotated[
        tuple[Annotated[str, AfterValidator(rules.public_access_cidr)], ...], AfterValidator(rules.distinct)
    ] = Field(
        strict=False,
        description="who may reach the API server, such as [203.0.113.7/32]; [] makes it private only",
    )
    kubernetes_version: Annotated[str, AfterValidator(rules.kubernetes_version)] = DEFAULT_KUBERNETES_VERSION
    addon_overrides: dict[str, AddonVersion] = Field(default={}, alias="addonVersions")
    node_release_override: Annotated[str, AfterValidator(rules.node_release_version)] | None = Field(
        default=None, alias="nodeReleaseVersion"
    )
    admins: Annotated[
        tuple[Annotated[str, AfterValidator(rules.principal_arn)], ...], AfterValidator(rules.distinct)
    ] = Field(default=(), strict=False)
    kubeconfig_path: Annotated[str, AfterValidator(rules.existing_file)] | None = None

    @property
    def addon_versions(self) -> dict[str, str]:
        """Every add-on's version: the stack's own where it gives one, else the pin."""
        return {**ADDON_VERSIONS, **self.addon_overrides}

    @property
    def node_release_version(self) -> str:
        """The AMI release of all nodes."""
        return self.node_release_override or NODE_RELEASE_VERSION


class ModelSettings(Settings):
    """One served model and the GPU nodes under it."""

    model: str = Field(description="the Hugging Face id, such as meta-llama/Llama-4-Scout-17B-16E-Instruct")
    instance_type: str = Field(description="the EC2 type of its GPU nodes, such as g5.48xlarge")
    zone: Zone = Field(description="the zone of its GPU nodes, one of network.zones")
    replicas: AtLeastOne = 1
    tensor_parallel_size: AtLeastOne | None = None
    pipeline_parallel_size: AtLeastOne | None = None
    max_model_len: AtLeastOne | None = None
    # Not strict: `pulumi config set --path` leaves 0.9 a string, and there is only one thing it can mean.
    gpu_memory_utilization: Annotated[float, Field(ge=0.1, le=0.98)] | None = Field(default=None, strict=False)
    max_num_seqs: AtLeastOne | None = None
    max_num_batched_tokens: AtLeastOne | None = None
    kv_cache_dtype: Literal["auto", "fp8", "fp8_e4m3", "fp8_e5m2"] | None = None
    enforce_eager: bool = False
    enable_expert_parallel: bool = False
    limit_mm_per_prompt: dict[str, Annotated[int, Field(ge=0)]] | None = None
    revision: Annotated[str, Field(min_length=1)] | None = None
    own_image: Annotated[str, AfterValidator(rules.image)] | None = Field(default=None, alias="image")
    own_vllm_version: Annotated[str, AfterValidator(rules.vllm_version)] | None = Field(
        default=None, alias="vllmVersion"
    )
    efa: bool = False
    extra_args: tuple[str, ...] = Field(default=(), strict=False)

    @property
    def image(self) -> str:
        """The container image: the stack's own, or the one this release pins."""
        return self.own_image or DEFAULT_IMAGE

    @property
    def vllm_version(self) -> str:
        """The vLLM release inside `image`."""
        return self.own_vllm_version or DEFAULT_VLLM_VERSION

    def serving_options(self) -> ServingOptions:
        """Return the wishes the planner takes, with its own defaults for what the stack does not say."""
        wishes = {
            "tensor_parallel_size": self.tensor_parallel_size,
            "pipeline_parallel_size": self.pipeline_parallel_size,
            "max_model_len": self.max_model_len,
            "gpu_memory_utilization": self.gpu_memory_utilization,
            "max_num_seqs": self.max_num_seqs,
            "max_num_batched_tokens": self.max_num_batched_tokens,
            "kv_cache_dtype": self.kv_cache_dtype,
            "limit_mm_per_prompt": self.limit_mm_per_prompt,
            "enforce_eager": self.enforce_eager,
            "enable_expert_parallel": self.enable_expert_parallel,
            "vllm_version": self.vllm_version,
            "replicas": self.replicas,
        }
        return ServingOptions(**{name: wish for name, wish in wishes.items() if wish is not None})

    def serving(self, name: str) -> Serving:
        """Return what the chart needs beside the plan."""
        return Serving(
            name=name,
            zone=self.zone,
            image=self.image,
            revision=self.revision,
            efa=self.efa,
            extra_args=self.extra_args,
        )


class ChartOverride(Settings):
    """Where one third-party chart comes from, when not from its publisher."""

    repository: Annotated[str, AfterValidator(rules.chart_repository)] | None = None
    version: Annotated[str, Field(min_length=1)] | None = None
    path: Annotated[str, AfterValidator(rules.chart_folder)] | None = None

    def over(self, *, chart: str, repository: str | None, version: str | None) -> dict[str, str | None]:
        """Return the chart source to use in place of the publisher's, under the same three names.

        A chart of an OCI registry is named by its whole address (`oci://host/folder/name`), without a
        repository; elsewhere by its name, beside a repository. A local folder has neither.
        """
        if self.path:
            return {"chart": self.path, "repository": None, "version": None}
        name, wanted = chart.rpartition("/")[2], self.version or version
        if self.repository is None:
            return {"chart": chart, "repository": repository, "version": wanted}
        if self.repository.startswith("oci://"):
            return {"chart": f"{self.repository}/{name}", "repository": None, "version": wanted}
        return {"chart": name, "repository": self.repository, "version": wanted}


class ChartsSettings(Settings):
    """The third-party charts; many companies mirror them."""

    nvidia_device_plugin: ChartOverride = ChartOverride()
    efa_device_plugin: ChartOverride = ChartOverride()
    leader_worker_set: ChartOverride = ChartOverride()


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """Everything under the project's name in `Pulumi.<stack>.yaml`, but for the secrets."""

    network: NetworkSettings
    cluster: ClusterSettings
    models: Mapping[str, ModelSettings]
    tags: Mapping[str, str]
    charts: ChartsSettings

    @property
    def model_zones(self) -> Mapping[str, str]:
        """The zone of each model's GPU nodes."""
        return {name: model.zone for name, model in self.models.items()}

    @property
    def any_efa(self) -> bool:
        """Whether any model asks for EFA, so that its device plugin is needed."""
        return any(model.efa for model in self.models.values())
