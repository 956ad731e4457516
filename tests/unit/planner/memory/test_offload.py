"""Weights in host memory leave the GPU and count against the node."""

import pytest

from tests.support.plans import LLAMA_8B, laid_out, planned
from vllm_eks.planner.engine.counted_flags import engine_flags
from vllm_eks.planner.models.known_models import find_model


def test_offloaded_weights_leave_the_gpu_and_count_against_the_host() -> None:
    plain, moved = (
        planned(LLAMA_8B, "g6e.4xlarge", flags=engine_flags(args, "0.27.0")) for args in ((), ("--cpu-offload-gb", "8"))
    )
    before, after = (laid_out(plan).tightest for plan in (plain, moved))
    assert before.weights.size_bytes - after.weights.size_bytes == 8 * 2**30
    assert after.weights.rule.partition(" (")[0].endswith("8.00 GiB in host memory")
    assert moved.throughput is None  # the host's memory decides the speed
    too_much = planned(
        LLAMA_8B, "g6e.xlarge", pipeline_parallel_size=1, flags=engine_flags(("--cpu-offload-gb=12",), "0.27.0")
    )
    (doubt,) = too_much.doubts
    assert doubt.code == "host_too_small"
    assert doubt.message == (
        "1 workers may need 26 GiB of host memory, 18 of it for what flags keep there, and the pods of g6e.xlarge get "
        "26 GiB"
    )
    refused = planned(
        LLAMA_8B, "g6e.xlarge", pipeline_parallel_size=1, flags=engine_flags(("--cpu-offload-gb=14",), "0.27.0")
    )
    assert [(refusal.code, refusal.message) for refusal in refused.refusals] == [
        (
            "host_too_small",
            "1 workers need 28 GiB of host memory, 21 of it for what flags keep there, and the pods of g6e.xlarge get "
            "26 GiB",
        )
    ]


def test_every_layer_of_a_group_except_the_fetched_one_leaves_the_gpu() -> None:
    args = ("--offload-group-size", "8", "--offload-num-in-group", "2")
    plain = laid_out(planned(LLAMA_8B, "g6e.4xlarge")).tightest.weights.size_bytes
    moved = laid_out(planned(LLAMA_8B, "g6e.4xlarge", flags=engine_flags(args, "0.27.0"))).tightest.weights.size_bytes
    layer = find_model(LLAMA_8B).parts.layers[0].total_bytes
    # 32 layers: 8 of them leave, and there is room for one of those.
    assert plain - moved == pytest.approx(7 * layer, rel=1e-6)
