"""The speed of a plan under the load that it states."""

from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_8B, LLAMA_70B, planned
from vllm_eks.planner.search.throughput import throughput, usd_per_million_tokens


def test_a_small_cache_holds_fewer_requests_than_are_stated() -> None:
    found = planned(LLAMA_8B, "g5.xlarge").throughput

    assert found is not None
    assert found.running_requests == 2007 // 80, "32,112 tokens are 2,007 blocks, and a request of 1,280 has 80"
    assert (found.lengths.input_tokens, found.lengths.output_tokens) == (1024, 256)


def test_no_more_requests_than_asked_and_shorter_ones_in_a_short_context() -> None:
    found = planned(LLAMA_8B, "g6e.xlarge", max_num_seqs=8, max_model_len=640).throughput

    assert found is not None
    assert found.running_requests == 8
    assert (found.lengths.input_tokens, found.lengths.output_tokens) == (512, 128)


def test_the_estimate_has_a_range_and_says_on_what_it_rests() -> None:
    found = planned(LLAMA_70B, "p5.48xlarge", tensor_parallel_size=4).throughput

    assert found is not None
    assert found.tokens_per_second.low < found.tokens_per_second.best < found.tokens_per_second.high
    assert found.evidence.label == "measured"
    assert len(found.evidence.row_ids) >= 9


def test_a_slow_link_limits_gpus_that_share_layers() -> None:
    plan = planned(LLAMA_70B, "g6e.48xlarge")
    assert plan.layout is not None
    slow = replace(plan.instance, gpu_interconnect_gbytes_per_second=1.0)
    found = throughput(plan.model, slow, plan.layout, plan.options)

    assert plan.throughput is not None
    assert found is not None
    assert found.tokens_per_second.best < plan.throughput.tokens_per_second.best
    assert found.steady.limit in ("link", "flops")


def test_without_a_bandwidth_there_is_no_estimate_and_no_price() -> None:
    plan = planned(LLAMA_8B, "g5.xlarge")
    unknown = replace(plan, instance=replace(plan.instance, gpu_memory_bandwidth_gbytes_per_second=None))

    assert (unknown.throughput, unknown.usd_per_million_tokens) == (None, None)


def test_a_million_tokens_cost_the_hourly_price_over_the_rate() -> None:
    assert usd_per_million_tokens(3.6, 1000) == pytest.approx(1.0)
    plan = planned(LLAMA_8B, "g5.48xlarge", tensor_parallel_size=2, replicas=4)
    assert plan.throughput is not None
    rate = 4 * plan.throughput.tokens_per_second.best
    assert plan.usd_per_million_tokens == pytest.approx(16.288 / 3.6e3 / rate * 1e6)
