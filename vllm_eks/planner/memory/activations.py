"""The activation peak of one rank: the largest of forward pass, sampler and vision encoder (profile_run in vLLM)."""

from vllm_eks.planner.engine.flag_rules import runs_in_32_bits
from vllm_eks.planner.engine.model_runner import uses_second_runner
from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.engine.versions import ENCODER_OUTPUTS_SPREAD, ENCODER_ROTARY_FUSED, TOTAL_CONSUMPTION_COUNTED
from vllm_eks.planner.hardware.instances import Gpu
from vllm_eks.planner.memory import constants
from vllm_eks.planner.memory.moe_workspace import keeps_workspace, workspace_bytes
from vllm_eks.planner.memory.terms import Term
from vllm_eks.planner.models.architecture import Architecture, Vision
from vllm_eks.planner.ranges import Range, exactly


def sampler_bytes_per_logit(model: Architecture, options: ResolvedOptions, *, tensor_parallel_size: int) -> Range:
    """Return the sampler's peak bytes per row and vocabulary entry in this version."""
    if uses_second_runner(model, options.version, options.drafting):
        return constants.LOGITS_ALONE if tensor_parallel_size == 1 else constants.LOGITS_GATHERED
    if options.version >= constants.SORT_REPLACED_SINCE:
        return constants.MASKING_SAMPLER
    if options.version >= constants.SORT_ALWAYS_SINCE:
        return constants.SORTING_SAMPLER
    return constants.SORTING_OR_FLASHINFER_SAMPLER


def sampler_bytes(model: Architecture, options: ResolvedOptions, *, tensor_parallel_size: int) -> Range:
    """Return the peak of the dummy sampler run on the last stage: logits of max_num_seqs rows, and the hidden state.

    Each rank samples over the whole vocabulary, because TP gathers the logits first.
    """
    hidden = exactly(2 * options.max_num_batched_tokens * model.hidden_size)
    per_logit = sampler_bytes_per_logit(model, options, tensor_parallel_size=tensor_parallel_size)
    if options.drafting:
        per_logit = per_logit + constants.REJECTION_SAMPLER
    return per_logit * (options.max_num_seqs * model.vocab_size) + hidden


def sampler_state_term(model: Architecture, options: ResolvedOptions) -> Term | None:
    """Return the second model runner's token counts for penalties on the last stage, or None without them.

    Source: v1/worker/gpu/sample/penalties.py: 4 bytes and a bit per row and vocabulary entry. vLLM counts them only
    where its profile counts everything that is in use.
    """
    counted = options.version >= TOTAL_CONSUMPTION_COUNTED and uses_second_runner(
        model, options.version, options.drafting
    )
    if not counted:
        return None
    return Term(
        name="sampler state",
        bytes=exactly(constants.PENALTY_BYTES_PER_LOGIT * options.max_num_seqs * model.vocab_size),
        rule=f"{constants.PENALTY_BYTES_PER_LOGIT:g} B x {options.max_num_seqs} seqs x {model.vocab_size} vocabulary",
    )


def forward_bytes(model: Architecture, gpu: Gpu, options: ResolvedOptions, *, tensor_parallel_size: int) -> Range:
    """Return the peak of a forward pass over max_num_batched_tokens: the buffers of the widest layer in 16 bits.

    Each rank holds the complete hidden state, residual and norm output. Attention and MLP buffers are split.
    """
    tp = tensor_parallel_size
    values = options.max_num_batched_tokens * (4 * model.hidden_size + _attention_values(model, tp))
    mlp = 3 * model.intermediate_size / tp if model.dense_layers else 0.0
    if model.experts:
        split = 1 if options.enable_expert_parallel else tp
        experts = model.experts
        width = experts.input_size or model.hidden_size
        routed = experts.per_token * (experts.matrices * experts.intermediate_size / split + width)
        if keeps_workspace(model, gpu, options):
            routed = 0.0
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


def profiled_item(vision: Vision, options: ResolvedOptions) -> tuple[int, int]:
    """Return the patches and the tokens of the image that vLLM profiles with: the largest, or of the sizes given."""
    sizes = dict(dict(options.mm_sizes).get("image", ()))
    if vision.grid and sizes and options.images_per_prompt:
        return vision.grid.item(sizes.get("width"), sizes.get("height"))
    return vision.profile_patches, vision.profile_tokens


def profiled_images(vision: Vision, options: ResolvedOptions) -> int:
    """Return the number of such images that vLLM runs through the encoder at once when it profiles memory."""
    by_largest = vision.grid is not None and vision.grid.is_batched_by_largest
    tokens = vision.profile_tokens if by_largest else profiled_item(vision, options)[1]
    images = max(1, options.max_num_batched_tokens // tokens)
    # Where images are limited to 0 and the tower stays, vLLM profiles videos.
    if not options.images_per_prompt:
        return images
    return min(images, options.images_per_prompt * options.max_num_seqs)


def encoder_bytes(vision: Vision, options: ResolvedOptions, *, tensor_parallel_size: int) -> Range:
    """Return the peak of the vision encoder for a batch of profiled images."""
    tp = vision.split_over(tensor_parallel_size, options.version)
    patches = profiled_images(vision, options) * profiled_item(vision, options)[0]
    mlp = exactly(2 * patches * (3 * vision.hidden_size + 2 * vision.intermediate_size / tp))
    # Each rank holds the complete residual, norm and output. Values per head are split.
    fused = options.version >= ENCODER_ROTARY_FUSED
    values = constants.ENCODER_ATTENTION_VALUES_FUSED if fused else constants.ENCODER_ATTENTION_VALUES
    attention = values * (2 * patches * vision.hidden_size * (3 + 21 / tp) / 24)
    return attention.at_least(mlp)


def encoder_output_bytes(vision: Vision, options: ResolvedOptions) -> Range:
    """Return the bytes of the encoder outputs, which vLLM keeps while it profiles the decoder.

    In 0.11 each output is padded to the whole encoder budget.
    """
    output_tokens = profiled_item(vision, options)[1]
    since, until = ENCODER_OUTPUTS_SPREAD
    if since <= options.version < until:
        output_tokens = max(output_tokens, options.max_num_batched_tokens)
    tokens = profiled_images(vision, options) * output_tokens
    return exactly(2 * tokens * vision.output_size)


def activation_term(
    model: Architecture, gpu: Gpu, options: ResolvedOptions, *, tensor_parallel_size: int, is_last: bool
) -> Term:
    """Return the activation peak of a stage: the largest of forward, encoder and, on the last stage, sampler.

    vLLM runs the vision encoder on every stage when it profiles. The encoder runs before the experts have their
    workspace, which then stays while the sampler runs.
    """
    tp = tensor_parallel_size
    wide = 2.0 if runs_in_32_bits(model, gpu.sm, options.flags) else 1.0
    peaks = {"forward": forward_bytes(model, gpu, options, tensor_parallel_size=tp) * wide}
    if is_last:
        peaks["sampler"] = sampler_bytes(model, options, tensor_parallel_size=tp)
    workspace = exactly(workspace_bytes(model, gpu, options, tensor_parallel_size=tp))
    peaks = {name: peak + workspace for name, peak in peaks.items()}
    if model.vision and options.has_tower(model.vision.kind):
        kept = encoder_output_bytes(model.vision, options) * wide
        peaks = {name: peak + kept for name, peak in peaks.items()}
        peaks["encoder"] = kept + encoder_bytes(model.vision, options, tensor_parallel_size=tp) * wide
    largest = max(peaks, key=lambda name: peaks[name].best)
    size = peaks[largest]
    for other in peaks.values():
        size = size.at_least(other)
    per_logit = sampler_bytes_per_logit(model, options, tensor_parallel_size=tp).best
    rule = {
        "forward": f"{options.max_num_batched_tokens} batched tokens through the widest layer, at least 0.4 GiB",
        "sampler": f"{per_logit:g} B x {options.max_num_seqs} seqs x {model.vocab_size} vocabulary, and the hidden "
        "state",
        "encoder": "a batch of profiled images through the vision tower",
    }[largest]
    if workspace.best and largest != "encoder":
        rule += ", and the experts' workspace"
    return Term(name=f"activations ({largest})", bytes=size, rule=rule)
