"""Parameters of each kind of mixer, by how tensor parallelism splits them (vLLM's layers of 0.32)."""

from dataclasses import replace

from vllm_eks.planner.models.layer_shape import LayerShape
from vllm_eks.planner.models.mixers import (
    CompressedLatent,
    GroupedQuery,
    KimiDelta,
    Latent,
    Lightning,
    LinearState,
    Mamba1,
    Mamba2,
    ShortConv,
    StateMixer,
)


def grouped_query_shape(attention: GroupedQuery, hidden_size: int, *, has_bias: bool) -> LayerShape:
    """Return the parameters of grouped-query attention."""
    query = attention.heads * attention.head_dim
    key_value = attention.kv_heads * (attention.head_dim + attention.value_size)
    output = attention.heads * attention.value_size
    index = attention.index_heads * attention.index_head_dim
    if rank := attention.query_rank:
        return LayerShape(
            split=rank * query + hidden_size * output,
            whole=hidden_size * (rank + key_value),
            unquantized_whole=rank,
            kv_heads=attention.kv_heads,
        )
    times = 2 if attention.has_cross else 1
    return LayerShape(
        split=times * hidden_size * (query * (2 if attention.has_output_gate else 1) + output + index),
        key_value=times * hidden_size * (key_value + attention.index_head_dim),
        kv_heads=attention.kv_heads,
        unquantized=times * (query + key_value) if has_bias else 0,
    )


def latent_shape(attention: Latent, hidden_size: int) -> LayerShape:
    """Return the parameters of latent attention, with its sparse indexer."""
    query = attention.heads * (attention.qk_nope_head_dim + attention.qk_rope_head_dim)
    rank, compressed = attention.q_lora_rank, attention.kv_lora_rank
    up = compressed * attention.heads * (attention.qk_nope_head_dim + attention.v_head_dim)
    output = attention.heads * attention.v_head_dim * hidden_size * (2 if attention.has_output_gate else 1)
    indexer = 0
    if attention.index_heads:
        indexer = (rank or hidden_size) * attention.index_heads * attention.index_head_dim
        indexer += hidden_size * (attention.index_head_dim + attention.index_heads)
    return LayerShape(
        split=(rank or hidden_size) * query + up + output,
        whole=hidden_size * ((rank or 0) + compressed + attention.qk_rope_head_dim) + indexer,
        unquantized_whole=(rank or 0) + compressed,
    )


def compressed_shape(attention: CompressedLatent, hidden_size: int) -> LayerShape:
    """Return the parameters of compressed attention, with its compressors, indexer and mixing of residual streams."""
    query, rank, dim = attention.heads * attention.head_dim, attention.q_lora_rank, attention.head_dim
    output = attention.output_groups * attention.output_rank
    compressed = 2 * attention.overlap * hidden_size if attention.ratio else 0
    streams = attention.streams
    # Two mixings, in 32 bits.
    mixing = 2 * 2 * streams * (2 + streams) * streams * hidden_size if streams > 1 else 0
    return LayerShape(
        split=query * rank + query * attention.output_rank + output * hidden_size,
        whole=hidden_size * (rank + dim) + attention.index_heads * attention.index_head_dim * rank,
        unquantized_whole=rank
        + dim
        + compressed * (dim + attention.index_head_dim)
        + attention.index_heads * hidden_size
        + mixing,
    )


def state_shape(mixer: StateMixer, hidden_size: int) -> LayerShape:
    """Return the parameters of a mixer that keeps a state."""
    match mixer:
        case LinearState():
            values = mixer.value_size
            return LayerShape(
                split=hidden_size * (mixer.conv_size + 2 * values + 2 * mixer.value_heads),
                unquantized=mixer.conv_size * mixer.conv_kernel,
                unquantized_whole=mixer.value_head_dim + 2 * mixer.value_heads,
            )
        case Mamba2():
            shared = 2 * mixer.groups * mixer.state_size
            # vLLM keeps the convolution a second time, as a buffer (mamba_mixer2.py, conv_weights).
            taps = 2 * mixer.conv_kernel + 1
            return LayerShape(
                split=hidden_size * (3 * mixer.size + mixer.heads),
                grouped=hidden_size * shared + shared * taps,
                groups=mixer.groups,
                unquantized=mixer.size * (taps + 1) + 4 * mixer.heads,
            )
        case Mamba1():
            channels = mixer.size
            return LayerShape(
                split=channels * (3 * hidden_size + 2 * mixer.time_step_rank + 2 * mixer.state_size),
                # A has 32 bits.
                unquantized=channels * (mixer.conv_kernel + 3 + 2 * mixer.state_size),
            )
        case ShortConv():
            return LayerShape(split=4 * hidden_size * mixer.size, unquantized=mixer.size * mixer.conv_kernel)
        case KimiDelta():
            size = mixer.heads * mixer.head_dim
            gate = hidden_size * size if mixer.has_full_rank_gate else size * mixer.head_dim
            decay = hidden_size * size if mixer.has_full_rank_decay else size * mixer.head_dim
            down = hidden_size * mixer.head_dim
            return LayerShape(
                split=hidden_size * (4 * size + mixer.heads) + decay + gate,
                whole=down * (2 - mixer.has_full_rank_gate - mixer.has_full_rank_decay),
                unquantized=3 * size * mixer.conv_kernel + size,
            )
        case Lightning():
            return LayerShape(split=5 * hidden_size * mixer.heads * mixer.head_dim)


def beside(first: LayerShape, second: LayerShape) -> LayerShape:
    """Return the parameters of two mixers in one layer. Only the first has keys, only the second has groups."""
    return replace(
        first,
        split=first.split + second.split,
        grouped=second.grouped,
        groups=second.groups,
        unquantized=first.unquantized + second.unquantized,
        unquantized_whole=first.unquantized_whole + second.unquantized_whole,
    )
