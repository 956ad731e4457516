"""MXFP4 experts (gpt-oss) take more memory than their files, because kernels round sizes up.

vLLM layers/quantization/mxfp4.py, create_weights: Marlin (compute capability 8.0 to 9.0 and 12.0) rounds the expert
size per rank up to a multiple of 128 and the hidden size to 256. The kernels of 10.0 round both up to 256. This matches
the logged 65.97 GiB of gpt-oss-120b at TP 1 and 4 x 17.22 at TP 4. On 9.0 an image with Triton's kernels rounds less
(64.38 logged), and the planner uses the larger value.
"""

from vllm_eks.planner.models.architecture import Architecture

MARLIN_INTERMEDIATE, MARLIN_HIDDEN = 128, 256
BLACKWELL_ROUND = 256


def expert_growth(model: Architecture, sm: int, shards: int) -> float:
    """Return loaded bytes over stored bytes of the routed experts, when each is split into `shards`."""
    if model.quantization.method != "mxfp4" or not model.experts:
        return 1.0
    shard_size = -(-model.experts.intermediate_size // shards)
    blackwell = 100 <= sm < 120
    intermediate = _round_up(shard_size, BLACKWELL_ROUND if blackwell else MARLIN_INTERMEDIATE)
    hidden = _round_up(model.hidden_size, BLACKWELL_ROUND if blackwell else MARLIN_HIDDEN)
    return intermediate * hidden * shards / (model.experts.intermediate_size * model.hidden_size)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step
