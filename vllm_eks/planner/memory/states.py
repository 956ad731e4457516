"""Bytes of the state that a request keeps in one layer on one rank.

Source: vLLM's model_executor/layers/mamba/mamba_utils.py (MambaStateShapeCalculator, MambaStateDtypeCalculator) in
0.32. Convolutions keep 16-bit values.
"""

from vllm_eks.planner.models.mixers import (
    KimiDelta,
    Lightning,
    LinearState,
    Mamba1,
    Mamba2,
    ShortConv,
    StateMixer,
)

CONV_VALUE_BYTES = 2
KDA_VALUE_BYTES = 4


def state_bytes(mixer: StateMixer, *, tensor_parallel_size: int) -> int:
    """Return the bytes of one request's state in this layer, on each rank."""
    tp = tensor_parallel_size
    match mixer:
        case LinearState():
            values = mixer.value_heads * mixer.key_head_dim * mixer.value_head_dim
            convolution = mixer.conv_size * (mixer.conv_kernel - 1) * CONV_VALUE_BYTES
            return (values * mixer.state_value_bytes + convolution) // tp
        case Mamba2():
            groups = mixer.groups if mixer.groups % tp == 0 else tp
            channels = (mixer.size + 2 * groups * mixer.state_size) // tp
            state = mixer.heads // tp * mixer.head_dim * mixer.state_size * mixer.state_value_bytes
            return channels * (mixer.conv_kernel - 1) * CONV_VALUE_BYTES + state
        case Mamba1():
            channels = mixer.size // tp
            convolution = channels * (mixer.conv_kernel - 1) * CONV_VALUE_BYTES
            return convolution + channels * mixer.state_size * mixer.state_value_bytes
        case ShortConv():
            return mixer.size // tp * (mixer.conv_kernel - 1) * CONV_VALUE_BYTES
        case KimiDelta():
            channels = 3 * mixer.heads * mixer.head_dim // tp
            state = mixer.heads // tp * mixer.head_dim**2 * KDA_VALUE_BYTES
            return channels * (mixer.conv_kernel - 1) * CONV_VALUE_BYTES + state
        case Lightning():
            return mixer.heads // tp * mixer.head_dim**2 * mixer.state_value_bytes
