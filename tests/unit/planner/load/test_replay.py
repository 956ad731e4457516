"""What the requests of a replay see."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vllm_eks.planner.load.arrivals import arrivals_of
from vllm_eks.planner.load.kv_blocks import NOBODY, BlockPool
from vllm_eks.planner.load.lengths import fixed
from vllm_eks.planner.load.meters import MOST_SCHEDULED
from vllm_eks.planner.load.replay import replay
from vllm_eks.planner.load.replayed import Replay, percentile_of
from vllm_eks.planner.load.scheduler import EngineSizes, Scheduler
from vllm_eks.planner.load.step_times import NO_STEPS
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.load.workloads import WORKLOADS

SIZES = EngineSizes(max_num_seqs=256, max_num_batched_tokens=2048, blocks=4000)


def seconds(
    *,
    decoding_requests: float,
    decoding_context_tokens: float,
    prompt_tokens: float = 0.0,
    prompt_context_tokens: float = 0.0,
    prompts: float = 0.0,
) -> float:
    return 0.01 + 2e-5 * decoding_requests + 2e-7 * decoding_context_tokens + 1e-4 * prompt_tokens


def replayed(traffic: Traffic, sizes: EngineSizes = SIZES, *, measured: int = 200, seed: int = 1) -> Replay:
    return replay(
        arrivals_of(traffic, seed),
        sizes,
        seconds,
        measured=measured,
        shared_prefix_tokens=traffic.shared_prefix_tokens,
    )


def chat(requests_per_second: float) -> Traffic:
    return Traffic(lengths=WORKLOADS["chat"].lengths, requests_per_second=requests_per_second)


def test_a_request_alone_waits_for_its_prompt_and_then_for_each_token() -> None:
    alone = replayed(Traffic(lengths=fixed(1000, 11), requests_per_second=0.01), measured=5)

    assert alone.percentile("ttft", 50) == pytest.approx(0.01 + 1e-4 * 1000)
    assert alone.percentile("itl", 50) == pytest.approx(0.01 + 2e-5 + 2e-7 * 1005, rel=1e-3)
    assert alone.percentile("e2e", 50) == pytest.approx(0.11 + 10 * 0.01022, rel=1e-3)


def test_the_time_outside_the_engine_is_part_of_the_first_token_and_of_the_whole_request() -> None:
    traffic = Traffic(lengths=fixed(100, 2), requests_per_second=0.01)
    one, other = (
        replay(arrivals_of(traffic, 1), SIZES, seconds, measured=5, answer_seconds_of=answer)
        for answer in (lambda _: 0.0, lambda tokens: tokens / 200)
    )

    assert other.percentile("ttft", 50) - one.percentile("ttft", 50) == pytest.approx(0.5)
    assert other.percentile("e2e", 50) - one.percentile("e2e", 50) == pytest.approx(0.5)


def test_a_replay_gives_the_same_answer_each_time_and_another_seed_another_one() -> None:
    assert replayed(chat(4)).ttft_seconds == replayed(chat(4)).ttft_seconds
    assert replayed(chat(4)).ttft_seconds != replayed(chat(4), seed=2).ttft_seconds


def test_equal_steps_are_computed_once() -> None:
    quiet = replayed(chat(0.5))

    assert quiet.steps > 20_000
    # Little more than the step with its prompt, and one for all steps up to its end, for each of the 223 requests.
    assert quiet.scheduled < 600


@pytest.mark.parametrize("in_flight", [1, 2])
@pytest.mark.parametrize(
    ("load", "blocks", "prefix"), [(0.5, 4000, 0), (3.0, 4000, 100), (6.0, 600, 0), (6.0, 300, 100)]
)
def test_steps_done_together_are_those_done_one_by_one(
    load: float, blocks: int, prefix: int, in_flight: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = replace(chat(load), shared_prefix_tokens=prefix)
    sizes = replace(SIZES, blocks=blocks, steps_in_flight=in_flight)
    together = replayed(traffic, sizes, measured=60)
    monkeypatch.setattr("vllm_eks.planner.load.replay._Run._equal_steps", lambda _: NO_STEPS)
    one_by_one = replayed(traffic, sizes, measured=60)

    assert (together.steps, together.preemptions) == (one_by_one.steps, one_by_one.preemptions)
    assert together.scheduled < one_by_one.scheduled
    if together.waits_seconds:
        # Requests that wait are counted when the next steps are scheduled, so the first measured one may be another.
        return
    assert together.ttft_seconds == pytest.approx(one_by_one.ttft_seconds)
    assert together.e2e_seconds == pytest.approx(one_by_one.e2e_seconds)
    assert together.mean_running == pytest.approx(one_by_one.mean_running, rel=1e-3)
    assert together.kv_use == pytest.approx(one_by_one.kv_use, rel=0.02)


def test_far_above_capacity_requests_wait_for_the_kv_cache_and_the_rate_stays_below_the_load() -> None:
    flooded = replayed(chat(40))

    assert flooded.requests_per_second < 10
    assert flooded.waits_seconds.keys() == {"kv"}
    assert flooded.kv_use > 0.95
    assert flooded.preemptions > 0
    assert flooded.scheduled < MOST_SCHEDULED


def test_a_load_without_end_is_cut() -> None:
    for traffic in (chat(100_000), Traffic(lengths=fixed(500, 100), concurrent_users=50_000)):
        cut = replayed(traffic)

        assert cut.is_cut
        assert cut.scheduled < 100
    assert not replayed(chat(20)).is_cut


def test_max_num_seqs_makes_requests_wait_too() -> None:
    few = replayed(chat(8), EngineSizes(max_num_seqs=8, max_num_batched_tokens=2048, blocks=4000))

    assert few.waits_seconds.keys() == {"seqs"}
    assert few.mean_running <= 8


def test_a_shared_prefix_is_computed_once_and_makes_the_first_token_faster() -> None:
    lengths = fixed(1024, 64)
    apart = replayed(Traffic(lengths=lengths, requests_per_second=2))
    shared = replayed(Traffic(lengths=lengths, requests_per_second=2, shared_prefix_tokens=800))

    assert shared.percentile("ttft", 50) < apart.percentile("ttft", 50) / 2
    assert shared.kv_use < apart.kv_use


def test_users_who_think_send_fewer_requests() -> None:
    lengths = WORKLOADS["chat"].lengths
    hasty = replayed(Traffic(lengths=lengths, concurrent_users=8))
    slow = replayed(Traffic(lengths=lengths, concurrent_users=8, think_seconds=10.0))

    assert hasty.mean_running == pytest.approx(8, abs=0.2)
    assert slow.mean_running < 3
    # Little's law: users = rate x (time of a request + time to think).
    assert slow.requests_per_second * (slow.mean_e2e_seconds + 10) == pytest.approx(8, rel=0.15)


def test_a_rate_is_reached_as_long_as_the_engine_keeps_up() -> None:
    assert replayed(chat(4), measured=600).requests_per_second == pytest.approx(4, rel=0.1)


def test_a_request_that_no_kv_cache_holds_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"^a request of 1,000 tokens does not fit 10 KV blocks$"):
        replayed(
            Traffic(lengths=fixed(1000, 1), requests_per_second=1),
            EngineSizes(max_num_seqs=1, max_num_batched_tokens=64, blocks=10),
        )


@pytest.mark.parametrize(("percentile", "value"), [(0, 1.0), (50, 2.5), (100, 4.0), (90, 3.7)])
def test_percentiles_are_numpys(percentile: int, value: float) -> None:
    assert percentile_of([4.0, 1.0, 3.0, 2.0], percentile) == pytest.approx(value)


def test_token_gaps_count_as_often_as_there_are_tokens() -> None:
    gaps = replayed(Traffic(lengths=fixed(1000, 11), requests_per_second=0.01), measured=5)

    assert sum(count for _, count in gaps.itl_steps) >= 5 * 10
    assert gaps.percentile("itl", 99) < 0.011


@settings(max_examples=30)
@given(
    load=st.floats(0.1, 30.0),
    blocks=st.integers(210, 3000),
    seqs=st.integers(1, 64),
    prefix=st.sampled_from((0, 100, 500)),
    in_flight=st.integers(1, 2),
    seed=st.integers(0, 5),
)
def test_no_load_breaks_the_books(load: float, blocks: int, seqs: int, prefix: int, in_flight: int, seed: int) -> None:
    sizes = EngineSizes(max_num_seqs=seqs, max_num_batched_tokens=512, blocks=blocks, steps_in_flight=in_flight)
    lengths = WORKLOADS["chat"].lengths
    found = replay(
        arrivals_of(Traffic(lengths=lengths, requests_per_second=load), seed),
        sizes,
        seconds,
        measured=30,
        shared_prefix_tokens=prefix,
    )

    assert 0 < found.kv_use <= found.peak_kv_use + 1e-9 <= 1 + 2e-9
    assert found.mean_decoding <= found.mean_running <= seqs
    assert all(0 < first <= whole for first, whole in zip(found.ttft_seconds, found.e2e_seconds, strict=True))
    assert all(wait >= 0 for wait in found.queue_seconds)


def test_blocks_come_back_with_their_content_until_they_are_taken() -> None:
    pool = BlockPool(10)
    pool.take(10)
    pool.give(7, 4)
    pool.give(NOBODY, 3)
    assert (pool.free, pool.cached_of(7)) == (7, 4)

    pool.give_unfilled(1)
    pool.take(2)
    assert pool.cached_of(7) == 3

    pool.take_back(7, 2)
    assert (pool.free, pool.used, pool.cached_of(7)) == (4, 6, 1)

    pool.forget(7)
    assert (pool.free, pool.cached_of(7)) == (4, 0)


@settings(max_examples=25)
@given(
    load=st.floats(0.1, 30.0),
    blocks=st.integers(210, 400),
    prefix=st.sampled_from((0, 100, 500)),
    in_flight=st.integers(1, 2),
    seed=st.integers(0, 5),
)
def test_every_block_is_either_free_or_held(load: float, blocks: int, prefix: int, in_flight: int, seed: int) -> None:
    sizes = EngineSizes(max_num_seqs=16, max_num_batched_tokens=512, blocks=blocks, steps_in_flight=in_flight)
    scheduler = Scheduler(sizes, shared_prefix_tokens=prefix)
    arrivals = arrivals_of(Traffic(lengths=WORKLOADS["chat"].lengths, requests_per_second=load), seed)
    for _ in range(300):
        while arrivals.next_seconds <= scheduler.decode_steps / 40:
            scheduler.waiting.append(arrivals.take())
        for chunk in scheduler.schedule():
            if chunk.is_last:
                chunk.request.written += 1
                scheduler.start_decoding(chunk.request)
        for one in list(scheduler.running.values()):
            if one.decoding and one.offset + scheduler.decode_steps >= one.prompt_tokens + one.output_tokens:
                scheduler.stop_decoding(one)
                one.finished = True
                scheduler.release(one)

        own = sum(
            (-(-(one.offset + scheduler.decode_steps) // 16) if one.decoding else one.blocks) - one.shared_blocks
            for one in scheduler.running.values()
        )
        assert scheduler.pool.used == own + scheduler.pool.shared_held
        assert 0 <= scheduler.pool.free <= blocks
