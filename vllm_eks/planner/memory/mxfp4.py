"""MXFP4 experts (gpt-oss, DeepSeek V4) take more memory than their files, because kernels round sizes up.

vLLM layers/quantization/mxfp4.py, create_weights: Marlin (compute capability 8.x, 9.0 before 0.12, and 12.0) rounds the
expert size per rank up to a multiple of 128 and the hidden size to 256. The kernels of 10.0 round both up to 256, and
since 0.27 as Marlin does. This matches the logged 65.97 GiB of gpt-oss-120b at TP 1 and 4 x 17.22 at TP 4.

Since 0.12 vLLM includes Triton's kernels (vllm/third_party/triton_kernels), which run on 9.0. They keep the scales
twice, as loaded and in their own layout (layout_details/hopper_scale.py), and 32-bit biases: 64.38 GiB logged with
0.14.1. Triton 3.6's also pad the values (layout_details/hopper_value.py).
"""

from vllm_eks.planner.engine.versions import LESS_ROUNDED_ON_BLACKWELL, TRITON_EXPERTS, TRITON_PADS_VALUES
from vllm_eks.planner.models.architecture import Architecture, Experts
from vllm_eks.planner.vllm_version import Version

MARLIN_INTERMEDIATE, MARLIN_HIDDEN = 128, 256
TRITON_INTERMEDIATE = 64
TRITON_VALUE_BYTES, TRITON_SCALE_ROWS, TRITON_SCALES = 64, 256, 2
BLACKWELL_ROUND = 256
MXFP4_GROUP = 32
BYTES_PER_BIAS = 2


def expert_growth(model: Architecture, sm: int, shards: int, version: Version) -> float:
    """Return loaded bytes over stored bytes of the routed experts, when each is split into `shards`."""
    if not model.experts:
        return 1.0
    datacenter = 100 <= sm < 120
    alone = model.quantization.method == "mxfp4"
    if not alone and not (model.compressed and _has_mxfp4(model)):
        return max(1.0, model.experts.least_shard * shards / model.experts.intermediate_size)
    if alone and sm == 90 and version >= TRITON_EXPERTS:
        return _triton_bytes(model, model.experts, shards, version) * shards / _stored_bytes(model, model.experts)
    more = datacenter and version < LESS_ROUNDED_ON_BLACKWELL
    rounded = (BLACKWELL_ROUND, BLACKWELL_ROUND) if more else (MARLIN_INTERMEDIATE, MARLIN_HIDDEN)
    return _growth(model, model.experts, shards, *rounded)


def _has_mxfp4(model: Architecture) -> bool:
    """Return whether the experts of a checkpoint with other formats are in MXFP4 (DeepSeek V4)."""
    scheme = model.quantization.of(f"model.layers.0.{model.expert_module}.0.w1")
    return scheme is not None and (scheme.weight_bits, scheme.group_size) == (4, MXFP4_GROUP)


def triton_growth(model: Architecture, shards: int) -> float:
    """Return the same for the parameters that vLLM creates for Triton's kernels, before they are laid out."""
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


def _stored_bytes(model: Architecture, experts: Experts) -> float:
    """Return the file bytes of one expert: values, scales and 16-bit biases."""
    up, hidden = 2 * experts.intermediate_size, model.hidden_size
    values = up * hidden + hidden * experts.intermediate_size
    return values / 2 + values / MXFP4_GROUP + (up + hidden) * BYTES_PER_BIAS


def _triton_bytes(model: Architecture, experts: Experts, shards: int, version: Version) -> int:
    """Return the bytes of one rank's shard of an expert as Triton's kernels for 9.0 lay it out."""
    size = _round_up(-(-experts.intermediate_size // shards), TRITON_INTERMEDIATE)
    step = TRITON_VALUE_BYTES if version >= TRITON_PADS_VALUES else 1
    total = 0
    for rows, inputs in ((2 * size, model.hidden_size), (model.hidden_size, size)):
        scales = inputs // MXFP4_GROUP
        total += rows * _round_up(inputs // 2, step) + rows * scales
        total += _round_up(rows, TRITON_SCALE_ROWS) * _round_up(scales, TRITON_SCALES)
        total += 2 * BYTES_PER_BIAS * rows
    return total


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step
