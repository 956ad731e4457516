"""The workspace of the kernels of routed experts."""

import pytest

from tests.support.plans import LLAMA_8B, QWEN_235B
from tests.unit.planner.memory.test_memory import resolved
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.activations import activation_term, forward_bytes, sampler_bytes
from vllm_eks.planner.memory.moe_workspace import keeps_workspace, workspace_bytes
from vllm_eks.planner.models.known_models import find_model

QWEN_235B_FP8 = "Qwen/Qwen3-235B-A22B-FP8"


def test_two_buffers_of_tokens_times_experts_each_as_wide_as_its_widest_use() -> None:
    moe, hopper = find_model(QWEN_235B).architecture, find_instance("p5.48xlarge").one_gpu
    options = resolved("p5.48xlarge", vllm_version="0.21.0", max_num_batched_tokens=32768)
    assert workspace_bytes(moe, hopper, options, tensor_parallel_size=4) == 2 * 32768 * 8 * (4096 + 4096)
    whole = resolved("p5.48xlarge", vllm_version="0.21.0", enable_expert_parallel=True)
    narrow = find_model("Qwen/Qwen3-30B-A3B").architecture
    assert workspace_bytes(narrow, hopper, whole, tensor_parallel_size=4) == 2 * 8192 * 8 * (2048 + 2048)
    in_chunks = resolved("p5.48xlarge", vllm_version="0.17.1", max_num_batched_tokens=32768)
    assert workspace_bytes(moe, hopper, in_chunks, tensor_parallel_size=4) == 2 * 16384 * 8 * (4096 + 4096)
    dense = find_model(LLAMA_8B).architecture
    assert workspace_bytes(dense, hopper, options, tensor_parallel_size=1) == 0


@pytest.mark.parametrize(
    ("model", "instance", "version", "together", "kept"),
    [
        (QWEN_235B, "p5.48xlarge", "0.13.0", False, False),
        (QWEN_235B, "p5.48xlarge", "0.14.0", False, True),
        (QWEN_235B, "p6-b200.48xlarge", "0.19.1", False, True),
        (QWEN_235B, "p6-b200.48xlarge", "0.20.0", False, False),
        (QWEN_235B_FP8, "p6-b200.48xlarge", "0.19.1", False, False),
        (QWEN_235B_FP8, "p5.48xlarge", "0.21.0", False, True),
        (QWEN_235B_FP8, "p5.48xlarge", "0.21.0", True, False),
        (QWEN_235B_FP8, "g6e.48xlarge", "0.21.0", True, True),
    ],
)
def test_some_kernels_keep_a_workspace(model: str, instance: str, version: str, together: bool, kept: bool) -> None:
    options = resolved(instance, vllm_version=version, enable_expert_parallel=together)
    assert keeps_workspace(find_model(model).architecture, find_instance(instance).one_gpu, options) is kept


def test_the_workspace_remains_while_the_sampler_runs_and_replaces_the_experts_in_the_forward_pass() -> None:
    moe, hopper = find_model(QWEN_235B).architecture, find_instance("p5.48xlarge").one_gpu
    options = resolved("p5.48xlarge", vllm_version="0.21.0")
    workspace = workspace_bytes(moe, hopper, options, tensor_parallel_size=8)
    term = activation_term(moe, hopper, options, tensor_parallel_size=8, is_last=True)
    assert term.size_bytes == sampler_bytes(moe, options, tensor_parallel_size=8).best + workspace
    assert term.rule == "14.5 B x 1024 seqs x 151936 vocabulary, and the hidden state, and the experts' workspace"
    attention = (64 + 2 * 4) * 128 / 8
    forward = forward_bytes(moe, hopper, options, tensor_parallel_size=8)
    assert forward.best == pytest.approx(max(2 * 8192 * (4 * 4096 + attention), 0.4 * 2**30))
