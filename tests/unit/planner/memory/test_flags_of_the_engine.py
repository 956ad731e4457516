"""KV cache blocks and weights with counted flags, as vLLM's own classes have them.

The numbers are of vLLM 0.32.0: every class built on the meta device for an A10G, TP=4, with 8 GiB for the KV cache.
"""

import pytest

from vllm_eks.planner.engine.counted_flags import checked_flags
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.stages import Layout, build_layout
from vllm_eks.planner.models.known_models import find_model

HYBRID, WINDOWS = "Qwen/Qwen3.5-27B", "google/gemma-3-4b-it"
POOL_BYTES = 8 * 2**30


def layout_of(model: str, args: tuple[str, ...]) -> tuple[Layout, float]:
    """Return the layout, and the requests of 8192 tokens that 8 GiB hold at once."""
    instance = find_instance("g5.48xlarge")
    requested = ServingOptions(
        flags=checked_flags(args, "0.32.0"), vllm_version="0.32.0", max_num_seqs=256, max_num_batched_tokens=2048
    )
    options = resolve(requested, instance, context_limit_tokens=8192)
    layout = build_layout(find_model(model), instance, options, tensor_parallel_size=4, pipeline_parallel_size=1)
    blocks = POOL_BYTES // layout.stages[0].block_bytes
    return layout, blocks / layout.cache.blocks_per_request(8192, options)


@pytest.mark.parametrize(
    ("model", "args", "block_tokens", "block_bytes", "concurrency"),
    [
        (HYBRID, (), 784, 12845056, 39.294),
        (HYBRID, ("--mamba-ssm-cache-dtype", "float16"), 400, 6553600, 48.519),
        (HYBRID, ("--mamba-cache-dtype", "float32"), 800, 13107200, 38.529),
        (HYBRID, ("--language-model-only",), 784, 12845056, 39.294),
        (HYBRID, ("--block-size", "1024"), 1024, 16777216, 36.571),
        (WINDOWS, (), 16, 81920, 43.009),
        (WINDOWS, ("--dtype", "float32"), 16, 163840, 21.505),
        (WINDOWS, ("--block-size", "64"), 64, 327680, 42.694),
    ],
)
def test_blocks_are_those_of_the_engine(
    model: str, args: tuple[str, ...], block_tokens: int, block_bytes: int, concurrency: float
) -> None:
    layout, requests = layout_of(model, args)
    assert (layout.cache.block_tokens, layout.stages[0].block_bytes) == (block_tokens, block_bytes)
    assert requests == pytest.approx(concurrency, abs=0.001)


def test_drafted_tokens_enlarge_the_states_and_the_drafter_adds_a_layer() -> None:
    layout, _ = layout_of(HYBRID, ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 2}'))
    # The engine without its drafter has blocks of 800 tokens and 16 layers; the drafter's layer is the seventeenth.
    assert layout.cache.block_tokens == 800
    assert layout.stages[0].block_bytes == 13107200 // 16 * 17


@pytest.mark.parametrize(
    ("model", "args", "more_gib"),
    [
        (HYBRID, ("--language-model-only",), 12.557 - 12.778),
        (WINDOWS, ("--language-model-only",), 1.932 - 2.140),
        (HYBRID, ("--mamba-ssm-cache-dtype", "float16"), 0),
    ],
)
def test_weights_and_tables_change_as_those_of_the_engine(model: str, args: tuple[str, ...], more_gib: float) -> None:
    (plain,), (changed,) = layout_of(model, ())[0].stages, layout_of(model, args)[0].stages
    # Of the published files the tower is 1 % smaller than the engine's.
    assert (changed.loaded_bytes - plain.loaded_bytes) / 2**30 == pytest.approx(more_gib, abs=0.003)


def test_32_bits_double_weights_and_tables() -> None:
    (plain,), (wide,) = layout_of(WINDOWS, ())[0].stages, layout_of(WINDOWS, ("--dtype", "float32"))[0].stages
    assert wide.loaded_bytes == 2 * plain.loaded_bytes
