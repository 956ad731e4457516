"""`vllm-eks plan`: prints one plan, or a comparison of all types in the catalogue."""

from pathlib import Path

import click

from vllm_eks.cli.options import PATH, as_json, exit_with, known_region_option
from vllm_eks.cli.plan_answer import PlanRequest, run_plan
from vllm_eks.cli.vllm_options import counted_flags, given_args, mm_limits
from vllm_eks.planner import bounds
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION
from vllm_eks.planner.engine.mm_limits import mm_counts, mm_sizes
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.search.compare import ORDERS, Order

AT_LEAST_1 = click.IntRange(1)
TOKENS = click.IntRange(1, bounds.MOST_TOKENS)


@click.command(
    "plan",
    epilog="""\b
Examples:
  vllm-eks plan Qwen/Qwen3-32B
  vllm-eks plan Qwen/Qwen3-32B --instance-type g6e.12xlarge --json
  vllm-eks plan ./folder-with-config-json --max-model-len 32768
Exit status: 0 it fits or likely fits, 3 it does not fit, 2 invalid input.
""",
)
@click.argument("model", help="The ID of a locked model, or a folder with a config.json.")
@click.option("--instance-type", metavar="TYPE", help="One EC2 type. Default: compare all types.")
@click.option("--instance-file", type=PATH, metavar="FILE", help="A JSON file for a type that is not in the catalogue.")
@click.option(
    "--tensor-parallel-size",
    type=click.IntRange(1, bounds.MOST_GPUS_PER_NODE),
    metavar="N",
    help="Number of GPUs in one node that share each layer (TP).",
)
@click.option(
    "--pipeline-parallel-size",
    type=click.IntRange(1, bounds.MOST_STAGES),
    metavar="N",
    help="Number of pipeline stages, one per node (PP).",
)
@click.option(
    "--max-model-len",
    type=TOKENS,
    metavar="N",
    help="Context length in tokens. Default: the model's limit, at most 8192.",
)
@click.option(
    "--gpu-memory-utilization", type=float, metavar="PART", help="Fraction of a GPU's memory that vLLM may use."
)
@click.option(
    "--max-num-seqs",
    type=click.IntRange(1, bounds.MOST_SEQUENCES),
    metavar="N",
    help="Maximum number of requests in one step.",
)
@click.option("--max-num-batched-tokens", type=TOKENS, metavar="N", help="Maximum number of tokens in one step.")
@click.option("--kv-cache-dtype", metavar="TYPE", default="auto", help="Data type of the KV cache, such as fp8.")
@click.option("--enforce-eager", is_flag=True, help="Plan without CUDA graphs.")
@click.option("--enable-expert-parallel", is_flag=True, help="Keep each expert on one GPU.")
@click.option(
    "--decode-context-parallel-size",
    type=AT_LEAST_1,
    metavar="N",
    default=1,
    help="Number of GPUs that share the KV cache.",
)
@click.option(
    "--dtype", metavar="TYPE", help="Data type of weights that are not quantized: auto, bfloat16, float16 or float32."
)
@click.option(
    "--limit-mm-per-prompt",
    metavar="JSON",
    help="""Maximum number of images, videos and so on in a request: '{"image": 2}', or with count and sizes.""",
)
@click.option(
    "--speculative-config",
    metavar="JSON",
    help="""Speculative decoding: '{"method": "mtp", "num_speculative_tokens": 1}'.""",
)
@click.option("--cpu-offload-gb", metavar="GIB", help="GiB of each GPU's weights that stay in host memory.")
@click.option("--kv-offloading-size", metavar="GIB", help="GiB of host memory for the KV cache of a replica.")
@click.option("--language-model-only", is_flag=True, help="Plan without the encoders of images and other media.")
@click.option("--vllm-version", metavar="VERSION", default=DEFAULT_VLLM_VERSION, help="The vLLM version to plan for.")
@click.option(
    "--replicas",
    type=click.IntRange(1, bounds.MOST_REPLICAS),
    metavar="N",
    default=1,
    help="Number of copies of the model.",
)
@click.option(
    "--region", metavar="REGION", default=REFERENCE_REGION, help="The region of the printed zones and prices."
)
@click.option(
    "--sort",
    "order",
    type=click.Choice(list(ORDERS)),
    metavar="ORDER",
    default="recommended",
    help="Order of the comparison: recommended, price, token-price or throughput.",
)
@click.option(
    "--max-nodes",
    type=AT_LEAST_1,
    metavar="N",
    help="Maximum number of nodes of all replicas. Plans with more are refused.",
)
@as_json
def command(
    model: str,
    instance_type: str | None,
    instance_file: Path | None,
    tensor_parallel_size: int | None,
    pipeline_parallel_size: int | None,
    max_model_len: int | None,
    gpu_memory_utilization: float | None,
    max_num_seqs: int | None,
    max_num_batched_tokens: int | None,
    kv_cache_dtype: str,
    enforce_eager: bool,
    enable_expert_parallel: bool,
    decode_context_parallel_size: int,
    dtype: str | None,
    limit_mm_per_prompt: str | None,
    speculative_config: str | None,
    cpu_offload_gb: str | None,
    kv_offloading_size: str | None,
    language_model_only: bool,
    vllm_version: str,
    replicas: int,
    region: str,
    order: Order,
    max_nodes: int | None,
    as_json: bool,
) -> None:
    """Print whether a MODEL fits an instance type, its layout, and its price."""
    further_args = given_args(
        {
            "--dtype": dtype,
            "--speculative-config": speculative_config,
            "--cpu-offload-gb": cpu_offload_gb,
            "--kv-offloading-size": kv_offloading_size,
            "--language-model-only": language_model_only,
        }
    )
    limits = mm_limits(limit_mm_per_prompt)
    options = ServingOptions(
        tensor_parallel_size=tensor_parallel_size,
        pipeline_parallel_size=pipeline_parallel_size,
        max_model_len=max_model_len,
        gpu_memory_utilization=gpu_memory_utilization,
        max_num_seqs=max_num_seqs,
        max_num_batched_tokens=max_num_batched_tokens,
        kv_cache_dtype=kv_cache_dtype,
        enforce_eager=enforce_eager,
        enable_expert_parallel=enable_expert_parallel,
        decode_context_parallel_size=decode_context_parallel_size,
        limit_mm_per_prompt=mm_counts(limits),
        mm_profile_sizes=mm_sizes(limits),
        vllm_version=vllm_version,
        replicas=replicas,
        flags=counted_flags(further_args, vllm_version),
        further_args=further_args,
    )
    request = PlanRequest(
        model=model,
        instance_type=instance_type,
        instance_file=instance_file,
        region=known_region_option(region),
        options=options,
        order=order,
        max_nodes=max_nodes,
    )
    exit_with(run_plan(request, as_json=as_json))
