"""Sizes that were not requested: vLLM's defaults, then the lower ones that the search tries before it adds a node."""

from collections.abc import Iterator
from dataclasses import replace

from vllm_eks.planner.engine.options import ResolvedOptions, ServingOptions
from vllm_eks.planner.models.known_models import ModelFacts

LOWER_BATCHES = (
    (512, 16384),
    (256, 16384),
    (256, 2048),
    (128, 2048),
    (64, 2048),
    (32, 2048),
    (32, 1024),
    (32, 512),
)
"""Caps of --max-num-seqs and --max-num-batched-tokens. 256 and 2048 are vLLM's defaults for smaller GPUs."""
LEAST_BATCH_WITH_IMAGES = 2048
"""Some models do not let vLLM split an image over batches, so a batch must hold the largest image."""
SHORTER_CONTEXTS = (4096, 2048)
"""Lower values of the planner's own default of --max-model-len."""


Sizes = tuple[int, int, int]
"""--max-num-seqs, --max-num-batched-tokens and --max-model-len."""


def sizes_to_try(
    model: ModelFacts, options: ResolvedOptions, requested: ServingOptions, *, least_batch: int
) -> tuple[Sizes, ...]:
    """Return each set of sizes to try, those of the options first. A requested size is kept.

    Args:
        model: The model, whose images a batch must hold.
        options: The resolved options.
        requested: The requested options. None means a default.
        least_batch: The smallest --max-num-batched-tokens that the vLLM version accepts.
    """
    return tuple(dict.fromkeys((sizes_of(options), *_lower(model, options, requested, least_batch))))


def sizes_of(options: ResolvedOptions) -> Sizes:
    """Return the sizes of the options."""
    return options.max_num_seqs, options.max_num_batched_tokens, options.max_model_len


def with_sizes(options: ResolvedOptions, sizes: Sizes) -> ResolvedOptions:
    """Return the options with other sizes."""
    seqs, tokens, context = sizes
    return replace(options, max_num_seqs=seqs, max_num_batched_tokens=tokens, max_model_len=context)


def _lower(model: ModelFacts, options: ResolvedOptions, requested: ServingOptions, least_batch: int) -> Iterator[Sizes]:
    """Yield smaller sizes, some of them several times."""
    if model.architecture.vision and options.images_per_prompt != 0:
        least_batch = max(least_batch, LEAST_BATCH_WITH_IMAGES)
    seqs, tokens = options.max_num_seqs, options.max_num_batched_tokens
    for most_seqs, most_tokens in LOWER_BATCHES:
        if requested.max_num_seqs is None:
            seqs = min(options.max_num_seqs, most_seqs)
        if requested.max_num_batched_tokens is None:
            tokens = min(options.max_num_batched_tokens, max(most_tokens, least_batch, seqs))
        yield seqs, tokens, options.max_model_len
    if requested.max_model_len is None:
        for context in SHORTER_CONTEXTS:
            yield seqs, tokens, min(options.max_model_len, context)


def lowered(found: ResolvedOptions, default: ResolvedOptions) -> dict[str, tuple[int, int]]:
    """Return each flag whose value is below its default, with both values."""
    sizes = {
        "--max-num-seqs": (found.max_num_seqs, default.max_num_seqs),
        "--max-num-batched-tokens": (found.max_num_batched_tokens, default.max_num_batched_tokens),
        "--max-model-len": (found.max_model_len, default.max_model_len),
    }
    return {flag: both for flag, both in sizes.items() if both[0] < both[1]}
