"""The `vllm serve` flags of a plan."""

import json

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.startup import S3
from vllm_eks.planner.search.plan import Plan


def vllm_args(plan: Plan) -> list[str]:
    """Return the arguments of `vllm serve MODEL` that the plan sets. Without parallel sizes there are none.

    Sizes that equal vLLM's defaults are set too, so that the pods run exactly the plan.
    """
    sizes, options = plan.sizes, plan.options
    if sizes is None:
        return []
    args = [
        "--tensor-parallel-size",
        str(sizes.tensor_parallel_size),
        "--pipeline-parallel-size",
        str(sizes.pipeline_parallel_size),
        "--max-model-len",
        str(options.max_model_len),
        "--gpu-memory-utilization",
        str(options.gpu_memory_utilization),
        "--max-num-seqs",
        str(options.max_num_seqs),
        "--max-num-batched-tokens",
        str(options.max_num_batched_tokens),
    ]
    if options.decode_context_parallel_size > 1:
        args += ["--decode-context-parallel-size", str(options.decode_context_parallel_size)]
    if options.kv_cache_dtype != "auto":
        args += ["--kv-cache-dtype", options.kv_cache_dtype]
    if options.enforce_eager:
        args.append("--enforce-eager")
    if options.enable_expert_parallel:
        args.append("--enable-expert-parallel")
    if options.mm_limits and (plan.model.is_multimodal or plan.stated):
        args += ["--limit-mm-per-prompt", json.dumps(_mm_limits(options))]
    if options.weights_source == S3:
        args += ["--load-format", "runai_streamer"]
        if plan.reads_once:
            args += ["--model-loader-extra-config", json.dumps({"distributed": True})]
    if sizes.pipeline_parallel_size > 1:
        # vLLM's multi-node start supports only the backends mp, uni and external_launcher.
        args += ["--distributed-executor-backend", "mp"]
    return [*args, *options.further_args]


def _mm_limits(options: ResolvedOptions) -> dict[str, int | dict[str, int]]:
    sizes = dict(options.mm_sizes)
    return {
        modality: {"count": count, **dict(sizes[modality])} if modality in sizes else count
        for modality, count in options.mm_limits
    }
