"""The vLLM flags of a plan, in the forms its command line takes."""

import json

from planner.plan import Plan
from planner.startup import S3

PLANNER_OWNED_FLAGS = frozenset(
    {
        "--tensor-parallel-size",
        "-tp",
        "--pipeline-parallel-size",
        "-pp",
        "--max-model-len",
        "--gpu-memory-utilization",
        "--device-memory-utilization",
        "--max-num-seqs",
        "--max-num-batched-tokens",
        "--kv-cache-dtype",
        "--enforce-eager",
        "--enable-expert-parallel",
        "-ep",
        "--disable-expert-parallel",
        "--limit-mm-per-prompt",
        "--distributed-executor-backend",
        "--block-size",
        "--kv-cache-memory-bytes",
        "--num-gpu-blocks-override",
        "--data-parallel-size",
        "-dp",
        "--decode-context-parallel-size",
        "-dcp",
        "--prefill-context-parallel-size",
        "-pcp",
        "--dtype",
        "--quantization",
        "-q",
    }
)
"""Flags that change a layout or its memory: extraArgs may not carry them."""

TYPED_FLAGS = frozenset(
    {
        "--tool-call-parser",
        "--enable-auto-tool-choice",
        "--reasoning-parser",
        "--enable-prefix-caching",
        "--enable-chunked-prefill",
        "--enable-lora",
        "--lora-modules",
        "--max-loras",
        "--max-lora-rank",
    }
)
"""Flags with a key of their own in the stack file, which checks them, and for LoRA counts their memory."""

STREAMER_FLAGS = frozenset({"--load-format", "--model-loader-extra-config"})
"""Flags of how weights are loaded: the plan's own where they are streamed from S3, free otherwise."""

CHART_OWNED_FLAGS = frozenset(
    {
        "--model",
        "--revision",
        "--served-model-name",
        "--host",
        "--port",
        "--api-key",
        "--middleware",
        "--nnodes",
        "-n",
        "--node-rank",
        "-r",
        "--master-addr",
        "--master-port",
        "--headless",
        "--download-dir",
    }
)
"""Flags that the chart writes, by pod: extraArgs may not carry them either."""


def vllm_args(plan: Plan) -> list[str]:
    """Return the arguments of `vllm serve MODEL` that the plan decides; empty when there is no layout.

    Every size is given, also where it equals vLLM's default: what was planned is what runs.
    """
    layout, options = plan.layout, plan.options
    if layout is None:
        return []
    args = [
        "--tensor-parallel-size",
        str(layout.tensor_parallel_size),
        "--pipeline-parallel-size",
        str(layout.pipeline_parallel_size),
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
    if options.mm_limits and plan.model.is_multimodal:
        args += ["--limit-mm-per-prompt", json.dumps(dict(options.mm_limits))]
    if options.weights_source == S3:
        args += ["--load-format", "runai_streamer"]
        if plan.reads_once:
            args += ["--model-loader-extra-config", json.dumps({"distributed": True})]
    if layout.pipeline_parallel_size > 1:
        # vLLM's own multi-node start knows only the backends mp, uni and external_launcher.
        args += ["--distributed-executor-backend", "mp"]
    return args
