"""GPU memory of one rank, term by term: what vLLM takes before it sizes the KV cache, and what is left.

The order is vLLM's own (v1/worker/gpu_worker.py, determine_available_memory): total x utilization is the budget;
weights, the activation peak, memory outside torch and, from 0.20, CUDA graphs come off it; the KV cache gets the rest.
Terms that nobody can know exactly stand on the cautious side; each says where its number is from.
"""

from dataclasses import dataclass
from math import ceil

from planner.architecture import Architecture, Vision
from planner.options import ResolvedOptions
from planner.units import BYTES_PER_GIB, BYTES_PER_MIB

BLOCK_TOKENS = 16
"""vLLM's default --block-size on CUDA."""

SAMPLER_BYTES_PER_LOGIT = 39
"""Upper value over public start-up logs: peak = 39 B x max_num_seqs x vocabulary (A10G to H100, 0.8 to 0.33)."""

FORWARD_FLOOR_BYTES = 0.4 * BYTES_PER_GIB
"""Workspaces that even a small forward pass allocates: FlashInfer's buffer alone is 394 MiB by default."""

NON_TORCH_BYTES = {1: 0.15 * BYTES_PER_GIB, 2: 0.7 * BYTES_PER_GIB, 4: 0.7 * BYTES_PER_GIB}
NON_TORCH_BYTES_WIDE = 1.5 * BYTES_PER_GIB
"""CUDA context and NCCL buffers: upper ends seen in logs, 0.05-0.15 GiB at TP 1, 0.5-0.7 at 2 and 4, 1-1.5 at 8."""
PIPELINE_NON_TORCH_BYTES = 0.25 * BYTES_PER_GIB
"""One more NCCL communicator between stages. Estimate: few logs with PP are public."""

GRAPH_BYTES_PER_LAYER_AND_SIZE = 0.3 * BYTES_PER_MIB
"""Piecewise CUDA graphs. Estimate on the cautious side of two logs (0.16 and 0.26 MiB a layer and size)."""

LLAMA4_TILES = 16
"""Largest number of tiles of one image in Llama 4's processor, and one global tile beside them."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One line of the sum: its bytes, and the rule that a reader can redo it with."""

    name: str
    size_bytes: float
    rule: str


def budget_bytes(gpu_memory_gib: float, utilization: float) -> int:
    """Return ceil(total x utilization), as vLLM's v1/worker/utils.py request_memory."""
    return ceil(gpu_memory_gib * BYTES_PER_GIB * utilization)


def sampler_bytes(model: Architecture, options: ResolvedOptions) -> float:
    """Return the peak of the dummy sampler run on the last stage: logits of max_num_seqs rows."""
    return SAMPLER_BYTES_PER_LOGIT * options.max_num_seqs * model.vocab_size


def forward_bytes(model: Architecture, options: ResolvedOptions, *, tensor_parallel_size: int) -> float:
    """Return the peak of a forward pass over max_num_batched_tokens: the widest layer's buffers in 16 bits.

    Hidden state, residual and norm output are whole on every rank; attention and MLP buffers are split.
    """
    tp = tensor_parallel_size
    attention = (model.num_attention_heads + 2 * model.num_key_value_heads) * model.head_dim / tp
    mlp = 3 * model.intermediate_size / tp if len(model.moe_layers) < model.num_hidden_layers else 0.0
    if model.experts:
        split = 1 if options.enable_expert_parallel else tp
        experts = model.experts
        routed = experts.per_token * (3 * experts.intermediate_size / split + model.hidden_size)
        mlp = max(mlp, routed + 3 * experts.shared_intermediate_size / tp)
    values = options.max_num_batched_tokens * (4 * model.hidden_size + attention + mlp)
    return max(2 * values, FORWARD_FLOOR_BYTES)


def encoder_bytes(vision: Vision, options: ResolvedOptions, *, tensor_parallel_size: int) -> float:
    """Return the peak of profiling the vision encoder with as many largest images as one batch holds."""
    shuffled = (vision.patches_per_tile - 1) * vision.pixel_shuffle_ratio**2
    image_tokens = (LLAMA4_TILES + 1) * shuffled
    images = max(1, int(options.max_num_batched_tokens // image_tokens))
    if options.images_per_prompt is not None:
        images = min(images, options.images_per_prompt)
    patches = images * (LLAMA4_TILES + 1) * vision.patches_per_tile
    return 2 * patches * (8 * vision.hidden_size + 2 * vision.intermediate_size / tensor_parallel_size)


def activation_term(
    model: Architecture, options: ResolvedOptions, *, tensor_parallel_size: int, is_first: bool, is_last: bool
) -> Term:
    """Return the activation peak of a stage: the largest of forward, sampler (last) and encoder (first)."""
    peaks = {"forward": forward_bytes(model, options, tensor_parallel_size=tensor_parallel_size)}
    if is_last:
        peaks["sampler"] = sampler_bytes(model, options)
    if is_first and model.vision and options.images_per_prompt != 0:
        peaks["encoder"] = encoder_bytes(model.vision, options, tensor_parallel_size=tensor_parallel_size)
    largest = max(peaks, key=lambda name: peaks[name])
    rule = {
        "forward": f"{options.max_num_batched_tokens} batched tokens through the widest layer, at least 0.4 GiB",
        "sampler": f"{SAMPLER_BYTES_PER_LOGIT} B x {options.max_num_seqs} seqs x {model.vocab_size} vocabulary",
        "encoder": "largest images of one batch through the vision tower",
    }[largest]
    return Term(name=f"activations ({largest})", size_bytes=peaks[largest], rule=rule)


def non_torch_term(*, tensor_parallel_size: int, pipeline_parallel_size: int) -> Term:
    """Return the memory outside torch: CUDA context and NCCL."""
    size = NON_TORCH_BYTES.get(tensor_parallel_size, NON_TORCH_BYTES_WIDE)
    if pipeline_parallel_size > 1:
        size += PIPELINE_NON_TORCH_BYTES
    return Term(
        name="outside torch",
        size_bytes=size,
        rule=f"CUDA context and NCCL at TP={tensor_parallel_size} PP={pipeline_parallel_size}, upper end of logs",
    )


def graph_capture_sizes(max_num_seqs: int) -> int:
    """Return how many batch sizes vLLM captures: 1, 2, 4, 8..256 by 8, then by 16 up to min(2 x seqs, 512)."""
    largest = min(2 * max_num_seqs, 512)
    small = sum(1 for size in (1, 2, 4) if size <= largest)
    middle = len(range(8, min(largest, 256) + 1, 8))
    return small + middle + len(range(272, largest + 1, 16))


def cuda_graph_term(options: ResolvedOptions, *, layers: int) -> Term:
    """Return the CUDA graphs of a stage of so many layers: none with --enforce-eager."""
    sizes = 0 if options.enforce_eager else graph_capture_sizes(options.max_num_seqs)
    return Term(
        name="CUDA graphs",
        size_bytes=GRAPH_BYTES_PER_LAYER_AND_SIZE * layers * sizes,
        rule=f"0.3 MiB x {layers} layers x {sizes} captured sizes (estimate)",
    )


def kv_bytes_per_token(model: Architecture, *, layers: int, tensor_parallel_size: int, kv_dtype_bytes: int) -> int:
    """Return KV-cache bytes of one token on one rank of a stage of so many layers.

    Keys and values of max(1, KV heads // TP) heads. Llama 4's chunked layers count in full: vLLM keeps the hybrid
    manager off for them by default.
    """
    heads = max(1, model.num_key_value_heads // tensor_parallel_size)
    return layers * 2 * heads * model.head_dim * kv_dtype_bytes
