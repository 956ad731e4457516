"""The closed form: throughput and latency of a replica in steady state."""

import pytest

from tests.support.speed import speed_of
from vllm_eks.planner.speed.steady import Lengths, Limits, steady_rate, steady_state
from vllm_eks.planner.speed.step_batch import StepBatch

CHAT = Lengths(input_tokens=1024, output_tokens=512)
ROOMY = Limits(max_num_seqs=256, max_num_batched_tokens=8192, kv_tokens=1e6)


def test_more_requests_give_more_tokens_and_a_later_one() -> None:
    speed = speed_of("meta-llama/Llama-3.1-8B-Instruct", "g6e.xlarge")
    few, many = (steady_state(speed, concurrency=n, lengths=CHAT, limits=ROOMY) for n in (2, 32))

    assert many.output_tokens_per_second.best > few.output_tokens_per_second.best
    assert many.tpot_seconds.best > few.tpot_seconds.best
    assert many.ttft_seconds.best > few.ttft_seconds.best


def test_a_small_cache_is_named_as_the_limit_and_requests_wait() -> None:
    speed = speed_of("meta-llama/Llama-3.1-8B-Instruct", "g6e.xlarge")
    small = Limits(max_num_seqs=256, max_num_batched_tokens=8192, kv_tokens=12800)
    found = steady_state(speed, concurrency=40, lengths=CHAT, limits=small)

    assert (found.limit, found.running_requests, found.waiting_requests) == ("KV cache", 10, 30)


def test_a_rate_is_served_as_long_as_the_replica_keeps_up() -> None:
    speed = speed_of("meta-llama/Llama-3.1-8B-Instruct", "g6e.xlarge")
    served = steady_rate(speed, requests_per_second=1.5, lengths=CHAT, limits=ROOMY)
    flooded = steady_rate(speed, requests_per_second=500, lengths=CHAT, limits=ROOMY)

    assert not served.is_saturated
    assert served.requests_per_second.best == pytest.approx(1.5, rel=1e-3)
    assert flooded.is_saturated


@pytest.mark.parametrize("rate", [0.01, 0.5, 1.5, 2.0])
def test_as_many_run_as_arrive_in_the_time_of_one(rate: float) -> None:
    speed = speed_of("meta-llama/Llama-3.1-8B-Instruct", "g6e.xlarge")
    found = steady_rate(speed, requests_per_second=rate, lengths=CHAT, limits=ROOMY)
    seconds = found.ttft_seconds.best + 511 * found.tpot_seconds.best

    assert found.running_requests == pytest.approx(rate * seconds, rel=1e-4)


def test_a_lone_user_waits_for_the_own_prompt_only() -> None:
    speed = speed_of("meta-llama/Llama-3.1-8B-Instruct", "g6e.xlarge")
    found = steady_state(speed, concurrency=1, lengths=CHAT, limits=ROOMY, rounds=1)
    prompt = StepBatch(
        decoding_requests=1,
        decoding_context_tokens=1280,
        prompt_tokens=1024,
        prompt_context_tokens=1024 * 512,
        prompts=1,
    )
    outside = speed.answer_seconds_of(1024)
    assert outside > speed.answer_seconds

    assert found.ttft_seconds.best == pytest.approx(outside + speed.step_seconds(prompt))


def test_a_measured_step_factor_makes_every_token_later_by_it() -> None:
    plain = speed_of("meta-llama/Llama-3.1-8B-Instruct", "g6e.xlarge")
    slow = speed_of("meta-llama/Llama-3.1-8B-Instruct", "g6e.xlarge", measured_step_factor=1.5)
    before, after = (steady_state(speed, concurrency=8, lengths=CHAT, limits=ROOMY) for speed in (plain, slow))

    assert after.tpot_seconds.best == pytest.approx(1.5 * before.tpot_seconds.best)
    assert after.limit == before.limit
