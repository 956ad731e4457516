"""The model keys for vLLM's parallelism and memory."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.settings.bounds import PipelineParallel, Sequences, TensorParallel, Tokens
from config.values import option_rules, rules
from vllm_eks.planner.engine.mm_limits import checked_limits
from vllm_eks.planner.engine.options import LARGEST_STEP_FACTOR, SMALLEST_STEP_FACTOR

VLLM_DEFAULT = "vLLM's default"


class EngineKeys(Settings):
    """Sizes of vLLM's engine, with vLLM's own names."""

    tensor_parallel_size: TensorParallel | None = Field(
        default=None,
        description="The number of GPUs in one node that share each layer (TP).",
        examples=[8],
        json_schema_extra=absent("chosen by the planner"),
    )
    pipeline_parallel_size: PipelineParallel | None = Field(
        default=None,
        description=(
            "The number of pipeline stages of one replica (PP). All stages share one node if it has enough GPUs. "
            "Otherwise each stage gets its own node."
        ),
        examples=[2],
        json_schema_extra=absent("chosen by the planner"),
    )
    max_model_len: Tokens | None = Field(
        default=None,
        description="The maximum context of one request in tokens, prompt and answer together.",
        examples=[16384],
        json_schema_extra=absent("the model's own limit, at most 8192"),
    )
    rope_scaling: (
        Annotated[
            dict[str, Any],
            AfterValidator(option_rules.rope_scaling),
            InSchema(
                additionalProperties=False,
                required=["rope_type"],
                properties=option_rules.rope_schema(),
            ),
        ]
        | None
    ) = Field(
        default=None,
        description=(
            "A rope scaling to use instead of the one in the model's `config.json`, with vLLM's names: `rope_type`, "
            "`factor`, `original_max_position_embeddings` and others. It is passed as `--hf-overrides`, and changes "
            "the maximum context."
        ),
        examples=[
            {
                "rope_type": "yarn",
                "factor": 4,
                "original_max_position_embeddings": 32768,
                "rope_theta": 1000000,
            }
        ],
        json_schema_extra=absent("as in `config.json`"),
    )
    # Not strict: `pulumi config set --path` stores 0.9 as a string, which has only one meaning here.
    gpu_memory_utilization: (
        Annotated[
            float,
            Field(ge=0.1, le=0.98),
            BeforeValidator(rules.no_boolean),
            InSchema(type=["number", "string"], pattern=r"\s*[0-9.eE+-]+\s*"),
        ]
        | None
    ) = Field(
        default=None,
        strict=False,
        description="The fraction of each GPU's memory that vLLM may use.",
        examples=[0.9],
        json_schema_extra=absent(VLLM_DEFAULT),
    )
    max_num_seqs: Sequences | None = Field(
        default=None,
        description="The maximum number of requests in one batch.",
        examples=[64],
        json_schema_extra=absent("vLLM's default, lowered if it would need another node"),
    )
    max_num_batched_tokens: Tokens | None = Field(
        default=None,
        description="The maximum number of tokens in one batch.",
        examples=[8192],
        json_schema_extra=absent(VLLM_DEFAULT),
    )
    kv_cache_dtype: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="The data type of the KV cache, one that the vLLM version supports.",
        examples=["fp8"],
        json_schema_extra=absent(VLLM_DEFAULT),
    )
    enforce_eager: bool = Field(
        default=False,
        description="Runs vLLM without CUDA graphs, which takes less memory and is slower.",
        examples=[True],
    )
    enable_expert_parallel: bool = Field(
        default=False,
        description="Keeps each expert of a mixture-of-experts model on one GPU.",
        examples=[True],
    )
    limit_mm_per_prompt: (
        Annotated[
            dict[str, Any],
            AfterValidator(checked_limits),
            InSchema(additionalProperties=False, properties=option_rules.mm_schema()),
        ]
        | None
    ) = Field(
        default=None,
        description=(
            "The maximum number of images, videos or other items in one request, by modality: a number, or vLLM's "
            "object with `count` and sizes, such as `{count: 1, width: 512, height: 512}`."
        ),
        examples=[{"image": 1}, {"image": {"count": 1, "width": 512, "height": 512}}],
        json_schema_extra=absent(VLLM_DEFAULT),
    )
    measured_step_factor: (
        Annotated[
            float,
            Field(ge=SMALLEST_STEP_FACTOR, le=LARGEST_STEP_FACTOR),
            BeforeValidator(rules.no_boolean),
            InSchema(type=["number", "string"], pattern=r"\s*[0-9.eE+-]+\s*"),
        ]
        | None
    ) = Field(
        default=None,
        strict=False,
        description=(
            "The measured time of an engine step over the predicted one. `vllm-eks bench` with `--calibrate` writes "
            "it, and predictions of speed use it. Remove it after a change of the model, the instance type, the "
            "parallel sizes or the vLLM version."
        ),
        examples=[1.12],
        json_schema_extra=absent("1: the predicted time"),
    )
