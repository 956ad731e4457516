"""The layers that have a KV cache or a state, including changes by flags: draft layers and types of values."""

from dataclasses import replace
from functools import lru_cache

from vllm_eks.planner.engine.engine_flags import AUTO, FLOAT32, EngineFlags
from vllm_eks.planner.engine.speculation import WITHOUT_CACHE, Speculation
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.mixers import (
    Attention,
    Beside,
    CompressedLatent,
    GroupedQuery,
    KimiDelta,
    Latent,
    Lightning,
    LinearState,
    Mamba1,
    Mamba2,
    ShortConv,
)

STATE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


def cached_layers(model: Architecture, flags: EngineFlags, *, tensor_parallel_size: int) -> Architecture:
    """Return the model with the layers of a drafter at its end, and with the types of its caches that flags set.

    Only the KV cache follows it: weights and activations are those of the model itself.
    """
    if flags.speculation is None and (flags.state_dtype, flags.convolution_dtype, flags.dtype) == (AUTO, AUTO, AUTO):
        return model
    return _changed(model, flags, tensor_parallel_size)


@lru_cache(maxsize=256)
def _changed(model: Architecture, flags: EngineFlags, tp: int) -> Architecture:
    drafts = _draft_attention(model, flags.speculation, tp) if flags.speculation else ()
    tokens = flags.speculation.tokens if flags.speculation else 0
    layers = model.num_hidden_layers
    return replace(
        model,
        attention=(*(_with_state(one, flags, tokens) for one in model.attention), *drafts),
        num_hidden_layers=layers + len(drafts),
        # A drafter reads the whole context, also where the model's layers read chunks.
        unchunked_layers=model.unchunked_layers | frozenset(range(layers, layers + len(drafts))),
        dtype=FLOAT32 if flags.dtype == FLOAT32 else "bfloat16",
    )


def draft_layers(model: Architecture, speculation: Speculation) -> int:
    """Return the number of layers with a KV cache that the drafter adds."""
    if not speculation.has_weights or speculation.method in WITHOUT_CACHE:
        return 0
    if speculation.draft is not None:
        return speculation.draft.architecture.num_hidden_layers
    return max(1, model.draft_layers) if speculation.method == "mtp" else 1


def whole_context_layer(model: Architecture) -> int:
    """Return the last layer with attention over the whole context, else the last one."""
    whole = [
        index
        for index, one in enumerate(model.attention)
        if isinstance(one, Latent)
        or (isinstance(one, GroupedQuery) and one.window_tokens is None and not one.shares_cache)
    ]
    return (whole or [model.num_hidden_layers - 1])[-1]


def _draft_attention(model: Architecture, speculation: Speculation, tp: int) -> tuple[Attention, ...]:
    count = draft_layers(model, speculation)
    if not count:
        return ()
    if speculation.draft is not None:
        alone = speculation.draft_tensor_parallel_size == 1
        return tuple(_whole_heads(one, tp if alone else 1) for one in speculation.draft.architecture.attention)
    if speculation.method == "mtp":
        drafts = model.attention[whole_context_layer(model)]
        if isinstance(drafts, CompressedLatent):
            drafts = replace(drafts, ratio=0, index_heads=0)
        return (drafts,) * count
    head = GroupedQuery(heads=model.num_attention_heads, kv_heads=model.num_key_value_heads, head_dim=model.head_dim)
    return (head,) * count


def _whole_heads(attention: Attention, ranks: int) -> Attention:
    """Return the attention of a draft that every rank runs completely, as if it had that many times the KV heads."""
    if ranks == 1 or not isinstance(attention, GroupedQuery):
        return attention
    return replace(attention, heads=attention.heads * ranks, kv_heads=attention.kv_heads * ranks)


def _with_state(attention: Attention, flags: EngineFlags, drafted_tokens: int) -> Attention:
    """Return a state with the types of --mamba-cache-dtype and --mamba-ssm-cache-dtype, for this number of drafted
    tokens.

    Source: mamba_utils.py. The convolutions of delta nets and Mamba 2 keep the drafted tokens too. Kimi's state has 32
    bits in any case, and lightning attention has one type for all.
    """
    of_convolution = STATE_BYTES.get(flags.convolution_dtype, 2)
    match attention:
        case LinearState() | Mamba2() | Mamba1():
            drafted = 0 if isinstance(attention, Mamba1) else drafted_tokens
            of_state = STATE_BYTES.get(flags.state_dtype, max(of_convolution, attention.state_value_bytes))
            kernel = _kernel(attention.conv_kernel, of_convolution, drafted)
            return replace(attention, state_value_bytes=of_state, conv_kernel=kernel)
        case KimiDelta():
            return replace(attention, conv_kernel=_kernel(attention.conv_kernel, of_convolution, drafted_tokens))
        case ShortConv():
            return replace(attention, conv_kernel=_kernel(attention.conv_kernel, of_convolution, 0))
        case Lightning():
            return replace(attention, state_value_bytes=max(of_convolution, attention.state_value_bytes))
        case Beside():
            state = _with_state(attention.state, flags, drafted_tokens)
            return replace(attention, state=state) if isinstance(state, Mamba2) else attention
        case _:
            return attention


def _kernel(conv_kernel: int, value_bytes: int, drafted_tokens: int) -> int:
    """Return the kernel whose state of 2-byte values is as large as this one of other values and more tokens."""
    return (conv_kernel - 1 + drafted_tokens) * value_bytes // 2 + 1
