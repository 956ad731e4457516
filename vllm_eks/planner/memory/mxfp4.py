"""MXFP4 experts (gpt-oss) take more memory than their files, because kernels round sizes up.

vLLM layers/quantization/mxfp4.py, create_weights: Marlin (compute capability 8.0 to 9.0 and 12.0) rounds the expert
size per rank up to a multiple of 128 and the hidden size to 256. The kernels of 10.0 round both up to 256, and since
0.27 as Marlin does. This matches the logged 65.97 GiB of gpt-oss-120b at TP 1 and 4 x 17.22 at TP 4. On 9.0 an image
with Triton's kernels rounds less (64.38 logged), and the planner uses the larger value.
"""

from vllm_eks.planner.engine.versions import LESS_ROUNDED_ON_BLACKWELL
from vllm_eks.planner.models.architecture import Architecture, Experts
from vllm_eks.planner.vllm_version import Version

MARLIN_INTERMEDIATE, MARLIN_HIDDEN = 128, 256
TRITON_INTERMEDIATE = 64
BLACKWELL_ROUND = 256


def expert_growth(model: Architecture, sm: int, shards: int, version: Version) -> float:
    """Return loaded bytes over stored bytes of the routed experts, when each is split into `shards`."""
    if not model.experts:
        return 1.0
    if model.quantization.method != "mxfp4":
        return max(1.0, model.experts.least_shard * shards / model.experts.intermediate_size)
    blackwell = 100 <= sm < 120 and version < LESS_ROUNDED_ON_BLACKWELL
    rounded = (BLACKWELL_ROUND, BLACKWELL_ROUND) if blackwell else (MARLIN_INTERMEDIATE, MARLIN_HIDDEN)
    return _growth(model, model.experts, shards, *rounded)


def triton_growth(model: Architecture, shards: int) -> float:
    """Return the same with Triton's kernels, which an image may have for compute capability 9.0."""
    if not model.experts:
        return 1.0
    if model.quantization.method != "mxfp4":
        return max(1.0, model.experts.least_shard * shards / model.experts.intermediate_size)
    return _growth(model, model.experts, shards, TRITON_INTERMEDIATE, 1)


def _growth(model: Architecture, experts: Experts, shards: int, intermediate_step: int, hidden_step: int) -> float:
    shard_size = -(-experts.intermediate_size // shards)
    intermediate = _round_up(shard_size, intermediate_step)
    hidden = _round_up(model.hidden_size, hidden_step)
    return intermediate * hidden * shards / (experts.intermediate_size * model.hidden_size)


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step
