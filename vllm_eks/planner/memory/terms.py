"""GPU memory of one rank, term by term, before vLLM sizes the KV cache.

The order follows vLLM (v1/worker/gpu_worker.py, determine_available_memory). The budget is total x utilization. vLLM
subtracts weights, the activation peak, memory outside torch and, since 0.20, CUDA graphs. The rest is the KV cache.
"""

from dataclasses import dataclass
from math import ceil

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import (
    ENCODER_OUTPUTS_PACKED,
    FULL_GRAPHS_TOO,
    GRAPH_SIZES_THINNED,
)
from vllm_eks.planner.hardware.instances import Gpu
from vllm_eks.planner.memory import constants
from vllm_eks.planner.models.architecture import Architecture, Vision
from vllm_eks.planner.ranges import Range, exactly
from vllm_eks.planner.units import BYTES_PER_GIB


@dataclass(frozen=True, kw_only=True)
class Term:
    """One term of the sum: its bytes, and the rule that it is computed by."""

    name: str
    bytes: Range
    rule: str

    @property
    def size_bytes(self) -> float:
        """Best estimate of the size."""
        return self.bytes.best


def budget_bytes(gpu_memory_gib: float, utilization: float) -> int:
    """Return ceil(total x utilization), as request_memory in vLLM's v1/worker/utils.py."""
    return ceil(gpu_memory_gib * BYTES_PER_GIB * utilization)


def sampler_bytes_per_logit(options: ResolvedOptions) -> Range:
    """Return the sampler's peak bytes per row and vocabulary entry in this version."""
    if options.version >= constants.SORT_REPLACED_SINCE:
        return constants.MASKING_SAMPLER
    if options.version >= constants.SORT_ALWAYS_SINCE:
        return constants.SORTING_SAMPLER
    return constants.SORTING_OR_FLASHINFER_SAMPLER


def sampler_bytes(model: Architecture, options: ResolvedOptions) -> Range:
    """Return the peak of the dummy sampler run on the last stage: logits of max_num_seqs rows, and the hidden state.

    Each rank samples over the whole vocabulary, because TP gathers the logits first.
    """
    hidden = exactly(2 * options.max_num_batched_tokens * model.hidden_size)
    return sampler_bytes_per_logit(options) * (options.max_num_seqs * model.vocab_size) + hidden


def forward_bytes(model: Architecture, options: ResolvedOptions, *, tensor_parallel_size: int) -> Range:
    """Return the peak of a forward pass over max_num_batched_tokens: the buffers of the widest layer in 16 bits.

    Each rank holds the hidden state, residual and norm output whole. Attention and MLP buffers are split.
    """
    tp = tensor_parallel_size
    values = options.max_num_batched_tokens * (4 * model.hidden_size + _attention_values(model, tp))
    mlp = 3 * model.intermediate_size / tp if model.dense_layers else 0.0
    if model.experts:
        split = 1 if options.enable_expert_parallel else tp
        experts = model.experts
        routed = experts.per_token * (3 * experts.intermediate_size / split + model.hidden_size)
        mlp = max(mlp, routed + 3 * experts.shared_intermediate_size / tp)
    values += options.max_num_batched_tokens * mlp
    return (constants.FORWARD_DEVIATION * (2 * values)).at_least(constants.FORWARD_FLOOR)


def _attention_values(model: Architecture, tp: int) -> float:
    """Return the values per token in the attention of the widest kind of layer."""
    sizes = [(model.num_attention_heads + 2 * model.num_key_value_heads) * model.head_dim / tp]
    if model.latent:
        latent = model.latent
        per_head = 2 * (latent.qk_nope_head_dim + latent.qk_rope_head_dim) + latent.v_head_dim
        sizes = [latent.heads * per_head / tp + latent.kv_lora_rank + (latent.q_lora_rank or 0)]
    if model.linear:
        sizes.append(2 * (model.linear.conv_size + 2 * model.linear.value_size) / tp)
    return max(sizes)


def profiled_images(vision: Vision, options: ResolvedOptions) -> int:
    """Return the number of largest images that vLLM runs through the encoder at once when it profiles memory."""
    images = max(1, options.max_num_batched_tokens // vision.profile_tokens)
    if options.images_per_prompt is None:
        return images
    return min(images, options.images_per_prompt * options.max_num_seqs)


def encoder_bytes(vision: Vision, options: ResolvedOptions, *, tensor_parallel_size: int) -> Range:
    """Return the peak of the vision encoder for a batch of largest images."""
    tp = tensor_parallel_size if vision.is_sharded else 1
    patches = profiled_images(vision, options) * vision.profile_patches
    mlp = exactly(2 * patches * (3 * vision.hidden_size + 2 * vision.intermediate_size / tp))
    # Each rank holds residual, norm and output whole. Values per head are split.
    attention = constants.ENCODER_ATTENTION_VALUES * (2 * patches * vision.hidden_size * (3 + 21 / tp) / 24)
    return attention.at_least(mlp)


def encoder_output_bytes(vision: Vision, options: ResolvedOptions) -> Range:
    """Return the bytes of the encoder outputs, which vLLM keeps while it profiles the decoder.

    Up to 0.12 each output is padded to the whole encoder budget.
    """
    output_tokens = vision.profile_tokens
    if options.version < ENCODER_OUTPUTS_PACKED:
        output_tokens = max(output_tokens, options.max_num_batched_tokens)
    tokens = profiled_images(vision, options) * output_tokens
    return exactly(2 * tokens * vision.output_size)


def activation_term(model: Architecture, options: ResolvedOptions, *, tensor_parallel_size: int, is_last: bool) -> Term:
    """Return the activation peak of a stage: the largest of forward, encoder and, on the last stage, sampler.

    vLLM runs the vision encoder on every stage when it profiles.
    """
    peaks = {"forward": forward_bytes(model, options, tensor_parallel_size=tensor_parallel_size)}
    if is_last:
        peaks["sampler"] = sampler_bytes(model, options)
    if model.vision and options.images_per_prompt != 0:
        kept = encoder_output_bytes(model.vision, options)
        peaks = {name: peak + kept for name, peak in peaks.items()}
        peaks["encoder"] = kept + encoder_bytes(model.vision, options, tensor_parallel_size=tensor_parallel_size)
    largest = max(peaks, key=lambda name: peaks[name].best)
    size = peaks[largest]
    for other in peaks.values():
        size = size.at_least(other)
    rule = {
        "forward": f"{options.max_num_batched_tokens} batched tokens through the widest layer, at least 0.4 GiB",
        "sampler": f"{sampler_bytes_per_logit(options).best:g} B x {options.max_num_seqs} seqs x "
        f"{model.vocab_size} vocabulary, and the hidden state",
        "encoder": "a batch of largest images through the vision tower",
    }[largest]
    return Term(name=f"activations ({largest})", bytes=size, rule=rule)


def buffers_term(model: Architecture, options: ResolvedOptions, *, groups: int, is_first: bool) -> Term:
    """Return the model runner's persistent buffers: input embeddings, inputs from the previous stage, block tables.

    Source: v1/worker/gpu_model_runner.py and block_table.py. The second model runner keeps block tables twice and
    creates them after it sizes the KV cache.
    """
    embedded = 2 * options.max_num_batched_tokens * model.hidden_size
    received = 0 if is_first else 2 * embedded
    tables = 4 * options.max_num_seqs * ceil(options.max_model_len / constants.BLOCK_TOKENS) * groups
    return Term(
        name="runner buffers",
        bytes=Range(received, embedded + received + tables, embedded + received + 2 * tables),
        rule=f"{1 if is_first else 3} x {options.max_num_batched_tokens} tokens x {model.hidden_size} x 2 B, and block "
        f"tables of {options.max_num_seqs} seqs in {groups} group{'' if groups == 1 else 's'}",
    )


def non_torch_term(gpu: Gpu, *, tensor_parallel_size: int, pipeline_parallel_size: int) -> Term:
    """Return the memory outside torch: CUDA context and NCCL."""
    tp = tensor_parallel_size
    if tp == 1:
        size = constants.NON_TORCH_ONE_GPU
    elif tp <= 4:
        size = constants.NON_TORCH_FEW_GPUS
    else:
        size = constants.NON_TORCH_MANY_GPUS if gpu.has_nvlink else constants.NON_TORCH_MANY_GPUS_PCIE
    if pipeline_parallel_size > 1:
        size = size + constants.NON_TORCH_PIPELINE
    link = "NVLink" if gpu.has_nvlink else "PCIe"
    return Term(
        name="outside torch",
        bytes=size,
        rule=f"CUDA context and NCCL at TP={tp} PP={pipeline_parallel_size} over {link}, from logs",
    )


def graph_capture_sizes(options: ResolvedOptions) -> tuple[int, ...]:
    """Return the batch sizes that vLLM captures: 1, 2, 4, 8..256 by 8, then by 16, up to min(2 x seqs, 512)."""
    largest = min(2 * options.max_num_seqs, 512)
    by_8, by_16 = 8, 16 if options.version >= GRAPH_SIZES_THINNED else 8
    sizes = [1, 2, 4, *range(8, min(largest + 1, 256), by_8), *range(256, largest + 1, by_16)]
    return tuple(size for size in sizes if size <= min(largest, options.max_num_batched_tokens))


def captured_graphs(options: ResolvedOptions) -> int:
    """Return the number of CUDA graphs that vLLM captures, 0 with --enforce-eager.

    vLLM captures one piecewise graph per size and, since 0.11, a full graph for each size of a decode batch.
    """
    if options.enforce_eager:
        return 0
    sizes = graph_capture_sizes(options)
    full = sum(1 for size in sizes if size <= options.max_num_seqs) if options.version >= FULL_GRAPHS_TOO else 0
    return len(sizes) + full


def cuda_graph_term(graphs: int, *, layers: int) -> Term:
    """Return the memory of the CUDA graphs on a stage with this number of layers."""
    return Term(
        name="CUDA graphs",
        bytes=constants.GRAPH_BYTES_PER_LAYER * (layers * graphs),
        rule=f"0.2 MiB x {layers} layers x {graphs} captured graphs (estimate)",
    )
