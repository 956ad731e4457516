"""Notes on the counted flags of a plan: guesses and disadvantages."""

from collections.abc import Iterator

from vllm_eks.planner.search.plan import Plan


def notes_on_flags(plan: Plan) -> Iterator[str]:
    """Yield a note for each flag whose memory is a guess or that slows down every step."""
    flags, vision = plan.options.flags, plan.model.architecture.vision
    if vision and flags.language_model_only and any(count for _, count in plan.options.mm_limits):
        yield "--language-model-only turns off images and other media, whatever --limit-mm-per-prompt is"
    elif vision and vision.grid and "image" in dict(plan.options.mm_sizes) and plan.options.images_per_prompt:
        yield "memory is reserved for images of the sizes in --limit-mm-per-prompt: larger ones may run out of memory"
    if flags.speculation and flags.speculation.is_estimated:
        yield (
            f"the memory of {flags.speculation.model} is a guess from the model's own layers: lock it with vllm-eks "
            f"lock {flags.speculation.model} to count it"
        )
    if flags.speculation and flags.speculation.method == "suffix":
        yield "the method suffix needs the package arctic-inference in the image: add it to an own image"
    if not flags.offload.is_off:
        yield "weights in host memory are read over PCIe in every step, so there is no estimate of tokens per second"
