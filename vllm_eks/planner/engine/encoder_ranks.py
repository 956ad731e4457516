"""The number of ranks that split a vision tower."""

from vllm_eks.planner.engine.options import ResolvedOptions
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.vllm_classes import can_keep_whole_encoder


def encoder_ranks(model: Architecture, options: ResolvedOptions, tensor_parallel_size: int) -> int:
    """Return the number of ranks over which vLLM splits the layers of a vision tower, 1 if each rank has all of it.

    Source: config/model.py of 0.21.0 to 0.32.0: --mm-encoder-tp-mode data has an effect on some classes only.
    """
    vision = model.vision
    if vision is None or not options.has_tower(vision.kind):
        return 1
    if options.flags.whole_encoder and can_keep_whole_encoder(model.name):
        return 1
    return vision.split_over(tensor_parallel_size, options.version)
