"""What the oracle gets wrong: errors that it makes and a real vLLM does not, and the other way round."""

MADE_BY_THE_ORACLE = {
    "cannot be called on meta tensors": "the class reads values of tensors, and the oracle's have none",
    "Cannot copy out of meta tensor": "the class reads values of tensors, and the oracle's have none",
    "Missing required keys in `rope_parameters`": "the config.json lacks a field that the class reads, and the planner "
    "does not",
    "failed to be inspected": "the class does not import beside the oracle's packages",
    "Config' object has no attribute": "the config.json lacks a field that the class reads, and the planner does not",
    "No module named": "the class imports a package that the oracle lacks",
    "is not installed. Install it with": "the class imports a package that the oracle lacks",
    "'_ProcessGroup' object has no attribute": "the oracle's process groups are not real ones",
    "not supported by the Triton attention backend on NVIDIA A": "the oracle has no FlashInfer, and images do",
    "is a per-layer attribute and may vary": "the oracle's transformers is too new for this vLLM to read its "
    "configs of Gemma 4",
    "but Transformers does not recognize this architecture": "the config needs the code of its repository, which the "
    "oracle does not run",
}
"""Words of vLLM's error -> the reason why a real vLLM does not make it."""
NO_FP8_IN_TRITON = (
    "Triton does not compile fp8e4nv before compute capability 8.9, which this version does not check (triton_attn.py "
    "of 0.24.0 does)"
)
ONLY_KERNELS_REFUSE = {
    "compressed attention (DeepSeek V4) needs compute capability": "FlashMLA's sparse kernels run on Hopper and "
    "Blackwell only (is_flashmla_sparse_supported), and the class takes them without a check",
    "an FP8 KV cache": NO_FP8_IN_TRITON,
}
"""Words of the planner's refusal -> why vLLM's classes start anyway, and the first forward pass fails."""


def unanswered(planner: str | None, oracle: str | None) -> str | None:
    """Return why the oracle cannot tell whether vLLM starts, or None when it can.

    Args:
        planner: Why the planner refuses, or None when it does not.
        oracle: Why vLLM's classes refuse, or None when they do not.
    """
    if planner is None and oracle is not None:
        return next((reason for words, reason in MADE_BY_THE_ORACLE.items() if words in oracle), None)
    if planner is not None and oracle is None:
        return next((reason for words, reason in ONLY_KERNELS_REFUSE.items() if words in planner), None)
    return None
