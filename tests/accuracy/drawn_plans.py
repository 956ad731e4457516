"""Random requests of a plan, with the options that users set, for `make suggestions`."""

import json
from dataclasses import dataclass, replace
from random import Random

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.counted_flags import checked_flags
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.engine.rope_scaling import parse_rope_scaling
from vllm_eks.planner.engine.startup import HUGGING_FACE, S3
from vllm_eks.planner.hardware.instances import InstanceType, catalogue
from vllm_eks.planner.memory.lora import can_count_lora
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.known_models import ModelFacts, find_model
from vllm_eks.planner.models.lock_folders import locked_model_ids
from vllm_eks.planner.search.named_models import with_rope_scaling
from vllm_eks.planner.vllm_version import parse_version

VERSIONS = ("0.27.0", "0.27.0", "0.21.0", "0.32.0", "0.33.0", "0.12.0", "0.17.1")
FLAGS: tuple[tuple[str, ...], ...] = (
    ("--dtype", "float16"),
    ("--dtype", "bfloat16"),
    ("--dtype", "float32"),
    ("--cpu-offload-gb", "4"),
    ("--cpu-offload-gb", "40"),
    ("--kv-offloading-size", "16"),
    ("--kv-offloading-size", "2000"),
    ("--block-size", "128"),
    ("--kv-cache-memory-bytes", "2G"),
    ("--kv-cache-memory-bytes", "60G"),
    ("--num-gpu-blocks-override", "64"),
    ("--num-gpu-blocks-override", "20000"),
    ("--language-model-only",),
    ("--mm-encoder-tp-mode", "data"),
    ("--mm-ipc-gpu-memory-gb", "2"),
    ("--compilation-config", '{"cudagraph_mode": "FULL"}'),
    ("--max-cudagraph-capture-size", "2048"),
    ("--speculative-config", '{"method": "ngram", "num_speculative_tokens": 3}'),
    ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 2}'),
    ("--speculative-config", '{"method": "eagle3", "model": "some/head", "num_speculative_tokens": 4}'),
    ("--speculative-config", '{"method": "draft_model", "model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 4}'),
)
"""Counted flags that a stack's extraArgs or the command line may have."""
ROPE = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768, "rope_theta": 1000000.0}


@dataclass(frozen=True)
class Question:
    """The requested plan."""

    model: ModelFacts
    instance: InstanceType
    options: ServingOptions


def draw(random: Random) -> Question:
    """Return a request with some of the options that users set.

    Raises:
        WrongQuestion: The version refuses a drawn flag, or cannot serve a drawn model.
    """
    version = random.choice(VERSIONS)
    model = _drawn_model(random, version)
    return Question(model, _drawn_instance(random), _drawn_options(random, model, version))


def _drawn_options(random: Random, model: ModelFacts, version: str) -> ServingOptions:
    def some(*values: int) -> int | None:
        return random.choice(values) if random.random() < 0.4 else None

    args = random.choice(FLAGS) if random.random() < 0.4 else ()
    adapters = random.random() < 0.1 and can_count_lora(model.architecture)
    limits: dict[str, int] | None = random.choice(({"image": 0}, {"image": 1}, {"image": 0, "video": 0}))
    replicas = random.choice((1, 1, 1, 2, 4, 8, 500))
    return ServingOptions(
        tensor_parallel_size=some(1, 2, 3, 4, 5, 6, 8, 16),
        pipeline_parallel_size=some(1, 2, 3, 4, 5, 99),
        max_model_len=some(500, 2048, 16384, 32768, 40000, 131072, 1_000_000, 20_000_000),
        max_num_seqs=some(1, 7, 16, 64, 256, 512, 1024),
        max_num_batched_tokens=some(64, 1024, 2048, 8192, 32768, 100_000_000),
        gpu_memory_utilization=random.choice((None, None, 0.3, 0.5, 0.8, 0.95, 0.99, 1.0)),
        kv_cache_dtype=random.choice(("auto", "auto", "auto", "fp8", "fp8_e5m2", "bfloat16")),
        enforce_eager=random.random() < 0.2,
        enable_expert_parallel=random.random() < 0.1,
        enable_prefix_caching=random.choice((None, None, True, False)),
        decode_context_parallel_size=random.choice((1,) * 9 + (2,)),
        limit_mm_per_prompt=limits if random.random() < 0.2 else None,
        replicas=replicas,
        zones=random.choice((1, 1, 2)) if replicas % 2 == 0 else 1,
        weights_source=random.choice((HUGGING_FACE, HUGGING_FACE, S3)),
        max_loras=random.choice((1, 8)) if adapters else 0,
        max_lora_rank=random.choice((16, 256)),
        vllm_version=version,
        flags=checked_flags(args, version),
        further_args=args,
    )


def _drawn_model(random: Random, version: str) -> ModelFacts:
    """Return a locked model as it is, with another rope scaling, or as one that is known by its fields only."""
    model = find_model(random.choice(locked_model_ids()))
    changed = random.choice((_as_it_is,) * 8 + (_by_its_fields, lambda one: _stretched(one, version)))
    try:
        return changed(model)
    except WrongQuestion:
        return model


def _as_it_is(model: ModelFacts) -> ModelFacts:
    return model


def _by_its_fields(model: ModelFacts) -> ModelFacts:
    config = {**model.config, "architectures": ["InventedForCausalLM"]}
    return replace(
        model,
        id="./invented",
        config=config,
        architecture=parse_config(config, where="./invented"),
        weights_source="computed",
        known_weights_bytes=None,
        header_parts=None,
    )


def _stretched(model: ModelFacts, version: str) -> ModelFacts:
    return with_rope_scaling(model, parse_rope_scaling(ROPE), parse_version(version))


def _drawn_instance(random: Random) -> InstanceType:
    """Return a type of the catalogue, or one that an instance file describes."""
    instance = random.choice(list(catalogue().values()))
    if random.random() < 0.85:
        return instance
    return InstanceType(
        type="own.type",
        gpu=instance.gpu,
        gpus=random.choice((1, 2, 3, 4, 6, 8, 10)),
        gpu_memory_gib=random.choice((8.0, instance.gpu_memory_gib, 300.0)),
        compute_capability=instance.compute_capability,
        memory_gib=random.choice((None, 16.0, 512.0)),
        nvme_gb=random.choice((0, 100, 4000)),
        usd_per_hour=random.choice((None, 3.5)),
    )


def asked(question: Question) -> str:
    """Return a request on one line, with the options that differ from the defaults."""
    default, options = ServingOptions(), question.options
    set_values = {key: value for key, value in vars(options).items() if value != vars(default)[key] and key != "flags"}
    instance = question.instance
    own = (
        f" ({instance.gpus} x {instance.gpu_memory_gib} GiB, {instance.memory_gib} host)"
        if "own" in instance.type
        else ""
    )
    return f"{question.model.id} on {instance.type}{own}, {json.dumps(set_values, default=str)}"
