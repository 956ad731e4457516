"""The settings of one served model, as a pydantic model."""

import json

from pydantic import ConfigDict

from config.settings.images import ImagesSettings
from config.settings.model_keys.endpoint import EndpointKeys
from config.settings.model_keys.engine import EngineKeys
from config.settings.model_keys.nodes import NodeKeys
from config.settings.model_keys.source import SourceKeys
from config.settings.model_keys.traffic import TrafficKeys
from config.settings.model_keys.unplanned import UnplannedKeys
from vllm_eks.planner.engine.counted_flags import engine_flags
from vllm_eks.planner.engine.engine_flags import NO_FLAGS
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.planner.engine.mm_limits import mm_counts, mm_sizes
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.engine.rope_scaling import RopeScaling, hf_overrides, parse_rope_scaling
from vllm_eks.planner.engine.serving_flags import ServingFlags
from vllm_eks.planner.engine.startup import S3
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.planner.models.known_models import ModelFacts
from vllm_eks.planner.search.gpu_nodes import GpuNodes
from vllm_eks.planner.search.named_models import find_stack_model, with_rope_scaling
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.search.plan_model import plan
from vllm_eks.planner.search.serving import ServingSpec
from vllm_eks.planner.search.stated import stated_plan
from vllm_eks.planner.sizing.load_warnings import with_load_warnings
from vllm_eks.planner.units import BYTES_PER_GIB
from vllm_eks.planner.vllm_version import parse_version
from vllm_eks.specs.weights import WeightsSpec


class ModelSettings(TrafficKeys, EndpointKeys, UnplannedKeys, SourceKeys, EngineKeys, NodeKeys):
    """One served model and its GPU nodes. The bases are in reverse order, because errors follow the order of fields."""

    # `config.cross_field` checks what the schema states here, with better texts.
    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["zone"]}, {"required": ["zones"]}],
            "dependencies": {"image": ["vllmVersion"], "vllmVersion": ["image"]},
        }
    )

    @property
    def node_zones(self) -> tuple[str, ...]:
        """The zones of its GPU nodes, the home zone first."""
        return (self.zone,) if self.zone else self.zones

    @property
    def vllm_version(self) -> str:
        """The vLLM version in its image."""
        return self.own_vllm_version or DEFAULT_VLLM_VERSION

    def serving_options(self) -> ServingOptions:
        """Return the planner's options, with its defaults for missing keys."""
        default = ServingOptions()
        return ServingOptions(
            tensor_parallel_size=self.tensor_parallel_size,
            pipeline_parallel_size=self.pipeline_parallel_size,
            max_model_len=self.max_model_len,
            gpu_memory_utilization=self.gpu_memory_utilization,
            max_num_seqs=self.max_num_seqs,
            max_num_batched_tokens=self.max_num_batched_tokens,
            kv_cache_dtype=default.kv_cache_dtype if self.kv_cache_dtype is None else self.kv_cache_dtype,
            limit_mm_per_prompt=mm_counts(self.limit_mm_per_prompt),
            mm_profile_sizes=mm_sizes(self.limit_mm_per_prompt),
            enforce_eager=self.enforce_eager,
            enable_expert_parallel=self.enable_expert_parallel,
            vllm_version=self.vllm_version,
            enable_prefix_caching=self.enable_prefix_caching,
            replicas=self.replicas,
            zones=len(self.node_zones),
            weights_source=self.weights.source,
            max_loras=self.lora_slots,
            max_lora_rank=default.max_lora_rank if self.max_lora_rank is None else self.max_lora_rank,
            flags=engine_flags(self.extra_args, self.vllm_version) if self.extra_args else NO_FLAGS,
            further_args=self._rope_args(),
            measured_step_factor=self.measured_step_factor or default.measured_step_factor,
        )

    def facts(self) -> ModelFacts:
        """Return the facts of the model, with the rope scaling that the stack asks for.

        Raises:
            UnknownModel: It is not locked.
            WrongQuestion: Its folder has no config.json, or one that cannot be planned.
        """
        facts, version = find_stack_model(self.model), parse_version(self.vllm_version)
        return with_rope_scaling(facts, self.rope, version) if self.rope else facts

    @property
    def rope(self) -> RopeScaling | None:
        """The rope scaling that replaces the one of config.json."""
        return parse_rope_scaling(self.rope_scaling) if self.rope_scaling else None

    def _rope_args(self) -> tuple[str, ...]:
        if not self.rope or not self.planned:
            return ()
        overrides = hf_overrides(self.rope, find_stack_model(self.model).config, parse_version(self.vllm_version))
        return ("--hf-overrides", json.dumps(overrides))

    def plan(self, *, region: str) -> Plan:
        """Return the plan of the model on its instance type, at the prices of a region, with warnings about its load.

        Without a plan of its memory it is what the stack states.
        """
        if self.planned:
            planned = plan(self.facts(), find_instance(self.instance_type, region), self.serving_options())
            if self.traffic is None:
                return planned
            return with_load_warnings(planned, *self.traffic.read())
        return stated_plan(
            self.model,
            find_instance(self.instance_type, region),
            self.serving_options(),
            weights_bytes=round((self.weights_gib or 0) * BYTES_PER_GIB),
        )

    @property
    def level(self) -> ServiceLevel:
        """The limits of latencies that the stack file states with its traffic."""
        return self.traffic.read()[1] if self.traffic else ServiceLevel()

    def gpu_nodes(self, plan: Plan) -> GpuNodes:
        """Return the placement and the capacity type of the plan's nodes."""
        return GpuNodes(
            plan=plan,
            zones=self.node_zones,
            capacity_type=self.capacity_type,
            capacity_reservation_id=self.capacity_reservation_id,
            capacity_reservation_group_arn=self.capacity_reservation_group_arn,
            placement_group=self.placement_group,
            parked=self.parked,
            efa=self.efa,
        )

    @property
    def lora_slots(self) -> int:
        """The number of adapters in one batch: as set, or else all."""
        return (self.max_loras or len(self.lora_modules)) if self.lora_modules else 0

    @property
    def is_copied(self) -> bool:
        """Whether the stack copies its weights to a bucket."""
        return self.weights.source == S3 and self.weights.s3_uri is None

    def weights_spec(self, plan: Plan) -> WeightsSpec:
        """Return the source of its weights."""
        return WeightsSpec(
            model=self.model,
            revision=self.revision or plan.model.revision,
            from_s3=self.weights.source == S3,
            s3_uri=self.weights.s3_uri,
            copy_seconds=plan.startup.copy_seconds,
        )

    def serving_spec(self, name: str, images: ImagesSettings) -> ServingSpec:
        """Return what the chart needs besides the plan. The model's image has priority over the stack's."""
        return ServingSpec(
            name=name,
            image=self.own_image or images.vllm,
            hook_image=images.hook,
            revision=self.revision,
            flags=ServingFlags(
                tool_call_parser=self.tool_call_parser,
                reasoning_parser=self.reasoning_parser,
                enable_prefix_caching=self.enable_prefix_caching,
                enable_chunked_prefill=self.enable_chunked_prefill,
                lora_modules=self.lora_modules,
                max_loras=self.lora_slots,
                max_lora_rank=self.max_lora_rank or ServingFlags.max_lora_rank,
            ),
            extra_args=self.extra_args,
            further_names=self.served_names,
            env=self.env,
            client_namespaces=self.client_namespaces,
        )
