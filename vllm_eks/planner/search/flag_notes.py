"""Notes on the counted flags of a plan: guesses and disadvantages."""

from collections.abc import Iterator

from vllm_eks.planner.search.plan import Plan


def notes_on_flags(plan: Plan) -> Iterator[str]:
    """Yield a note for each flag whose memory is a guess or that slows down every step."""
    flags = plan.options.flags
    if flags.speculation and flags.speculation.is_estimated:
        yield (
            f"the memory of {flags.speculation.model} is a guess from the model's own layers: lock it with vllm-eks "
            f"lock {flags.speculation.model} to count it"
        )
    if not flags.offload.is_off:
        yield "weights in host memory are read over PCIe in every step, so there is no estimate of tokens per second"
