"""Every code of a refusal, with its usual cause and fix. The codes are part of the `--json` contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RefusalCode = Literal[
    "heads_not_divisible",
    "kv_heads_not_divisible",
    "shard_not_divisible",
    "weights_do_not_fit",
    "kv_cache_too_small",
    "context_too_long",
    "dtype_unsupported",
    "quantization_unsupported",
    "pipeline_unsupported",
    "too_few_layers",
    "not_enough_gpus",
    "host_too_small",
    "engine_refuses",
]


@dataclass(frozen=True, kw_only=True)
class CodeText:
    """What a code means. The message of a refusal has the numbers."""

    cause: str
    fix: str


REFUSAL_CODES: Mapping[RefusalCode, CodeText] = {
    "heads_not_divisible": CodeText(
        cause=(
            "The tensor parallel size does not divide the attention heads, those of linear attention, or those of the "
            "vision encoder."
        ),
        fix="Choose a tensor parallel size that divides them, or leave it to the planner.",
    ),
    "kv_heads_not_divisible": CodeText(
        cause="The KV heads can neither be split over the tensor parallel size nor copied to it evenly.",
        fix="Choose a tensor parallel size that divides the KV heads, or a multiple of them.",
    ),
    "shard_not_divisible": CodeText(
        cause=(
            "A dimension of the weights cannot be split over the tensor parallel size: vocabulary, intermediate size, "
            "experts, or a block of the quantization. Also a decode context parallel size that does not suit the "
            "layout."
        ),
        fix="Choose a smaller tensor parallel size; for experts, try expert parallelism.",
    ),
    "weights_do_not_fit": CodeText(
        cause=(
            "The weights, activations and overhead of the fullest GPU take all the memory that vLLM may use, or CUDA "
            "graphs need more than the memory outside it."
        ),
        fix=(
            "Add GPUs (a larger instance type, or more pipeline stages), choose a quantized model, or lower "
            "`maxNumBatchedTokens`. For CUDA graphs, lower `gpuMemoryUtilization` or set `enforceEager`."
        ),
    ),
    "kv_cache_too_small": CodeText(
        cause="The memory left for the KV cache does not hold one request of the maximum length.",
        fix="Shorten `maxModelLen`, set `kvCacheDtype: fp8`, lower `maxNumSeqs`, or add GPUs.",
    ),
    "context_too_long": CodeText(
        cause="`maxModelLen` is above the model's own limit, with its RoPE scaling counted as vLLM does.",
        fix="Lower `maxModelLen` to the limit in the message.",
    ),
    "dtype_unsupported": CodeText(
        cause=(
            "The GPU does not run vLLM or an FP8 KV cache, or expert parallelism is set for a model without experts."
        ),
        fix="Choose a newer GPU, or remove the key that the message names.",
    ),
    "quantization_unsupported": CodeText(
        cause="The GPU or the vLLM version does not run the model's quantization.",
        fix="Choose a newer GPU, another quantization of the model, or a version that has it.",
    ),
    "pipeline_unsupported": CodeText(
        cause="Pipeline stages on several nodes need vLLM's own multi-node start, which older versions lack, or "
        "vLLM's class of the model cannot be split into stages.",
        fix="Use vLLM 0.11.1 or later, or an instance type that holds all stages or the whole model.",
    ),
    "too_few_layers": CodeText(
        cause="The model has fewer layers than there are pipeline stages.",
        fix="Lower the pipeline parallel size.",
    ),
    "not_enough_gpus": CodeText(
        cause="One node has fewer GPUs than the tensor parallel size, or one zone needs more nodes than EKS allows.",
        fix="Lower the tensor parallel size and add pipeline stages; for nodes, lower `replicas` or add zones.",
    ),
    "host_too_small": CodeText(
        cause=(
            "A node's local disks do not hold the weights and the image, or its host memory may not last while they "
            "load."
        ),
        fix="Choose a larger instance type; for disks, stream the weights from S3 (`weights: {source: s3}`).",
    ),
    "engine_refuses": CodeText(
        cause=(
            "These sizes break a start-up rule of the vLLM version, such as the number of sequences that its state "
            "holds."
        ),
        fix="Write the value that the message names, or use another vLLM version.",
    ),
}
