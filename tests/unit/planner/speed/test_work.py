"""The bytes and operations of one rank, from the facts of the planner."""

import pytest

from tests.support.plans import LLAMA_8B, planned
from vllm_eks.planner.search.plan import Plan
from vllm_eks.planner.speed.work import StageWork, stage_works


def works(plan: Plan) -> tuple[StageWork, ...]:
    assert plan.layout is not None
    return stage_works(plan.model, plan.instance, plan.layout, plan.options)


def test_a_dense_model_reads_its_weights_and_computes_twice_its_parameters() -> None:
    (work,) = works(planned(LLAMA_8B, "g6e.xlarge"))
    assert work.head is not None
    layers = 8_030_261_248 - 2 * 128_256 * 4096 - 4096

    assert work.dense.weight_bytes == 2 * layers
    assert work.dense.flops_per_token == 2 * layers
    assert work.head.weight_bytes == 2 * 128_256 * 4096
    assert [(one.token_bytes, one.window_tokens) for one in work.caches] == [(131_072, None)]
    # 32 layers x 32 heads x 128 values, each multiplied and added for the key and for the value.
    assert [one.prompt_flops for one in work.attention] == [4 * 32 * 32 * 128]


def test_a_cache_in_fp8_has_half_the_bytes_and_is_read_more_slowly() -> None:
    (wide,) = works(planned(LLAMA_8B, "g6e.xlarge"))
    (narrow,) = works(planned(LLAMA_8B, "g6e.xlarge", kv_cache_dtype="fp8"))

    assert (wide.has_narrow_cache, narrow.has_narrow_cache) == (False, True)
    assert narrow.caches[0].token_bytes == wide.caches[0].token_bytes / 2


def test_ranks_share_the_work_and_stages_the_layers() -> None:
    (whole,) = works(planned(LLAMA_8B, "g6e.48xlarge", tensor_parallel_size=1))
    (half,) = works(planned(LLAMA_8B, "g6e.48xlarge", tensor_parallel_size=2))
    first, last = works(planned(LLAMA_8B, "g6e.48xlarge", tensor_parallel_size=1, pipeline_parallel_size=2))

    assert half.dense.flops_per_token == pytest.approx(whole.dense.flops_per_token / 2, rel=0.01)
    assert half.caches[0].token_bytes == whole.caches[0].token_bytes / 2
    assert (first.layers, last.layers, first.head, last.head is None) == (16, 16, None, False)


def test_a_token_computes_with_its_experts_only() -> None:
    (work,) = works(planned("openai/gpt-oss-120b", "p5en.48xlarge", tensor_parallel_size=1))
    assert work.experts is not None
    assert work.routing is not None

    assert (work.routing.count, work.routing.per_token, work.mixture_layers) == (128, 4, 36)
    assert (work.dense.kernel, work.experts.kernel) == ("16-bit", "4-bit")
    assert work.experts.flops_per_token == pytest.approx(2 * 36 * 4 * 3 * 2880 * 2880, rel=1e-3)
    assert {one.window_tokens for one in work.caches} == {None, 128}


def test_the_experts_of_a_checkpoint_have_their_own_format() -> None:
    (work,) = works(planned("moonshotai/Kimi-K2.5", "p5en.48xlarge", tensor_parallel_size=8))
    assert work.experts is not None

    assert (work.dense.kernel, work.experts.kernel) == ("16-bit", "4-bit")
    assert work.launched_layers == 2 * 61, "latent attention has about twice the kernels"


def test_states_are_read_and_written_once_for_each_request() -> None:
    (work,) = works(planned("Qwen/Qwen3.5-27B", "g6e.48xlarge", tensor_parallel_size=4))

    assert work.state_bytes_per_request > 1e6
    assert len(work.caches) == 1, "a quarter of the layers has a KV cache"
