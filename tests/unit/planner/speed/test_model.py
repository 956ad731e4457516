"""The time of an engine step: it grows with each part of the batch, and falls with a faster machine."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plans import LLAMA_8B, LLAMA_70B, planned
from tests.support.speed import speed_of
from vllm_eks.planner.speed.constants import known_constants
from vllm_eks.planner.speed.model import SpeedModel
from vllm_eks.planner.speed.step_batch import StepBatch

MACHINES = (
    speed_of(LLAMA_8B, "g6.xlarge"),
    speed_of(LLAMA_70B, "p5.48xlarge", tensor=8),
    speed_of("openai/gpt-oss-120b", "p5en.48xlarge", tensor=2),
    speed_of("deepseek-ai/DeepSeek-V3.2", "p5en.48xlarge", tensor=8),
    speed_of("Qwen/Qwen3.5-27B", "g6e.48xlarge", tensor=4),
    speed_of("google/gemma-3-27b-it", "p4d.24xlarge", tensor=2, pipeline=2),
)
BATCHES = st.builds(
    StepBatch,
    decoding_requests=st.integers(1, 512),
    decoding_context_tokens=st.integers(512, 2_000_000),
    prompt_tokens=st.integers(0, 8192),
    prompt_context_tokens=st.integers(0, 30_000_000),
    prompts=st.integers(0, 8),
)


@given(st.sampled_from(MACHINES), BATCHES, st.integers(1, 500))
def test_a_step_takes_no_less_time_with_more_of_anything(speed: SpeedModel, batch: StepBatch, more: int) -> None:
    seconds = speed.step_seconds(batch)
    # A further request brings its context, and a prompt token the tokens before it.
    context = batch.decoding_context_tokens / batch.decoding_requests
    prompts = batch.prompt_tokens + more
    before = batch.prompt_context_tokens / batch.prompt_tokens if batch.prompt_tokens else 0.0
    larger = (
        replace(
            batch,
            decoding_requests=batch.decoding_requests + more,
            decoding_context_tokens=batch.decoding_context_tokens + more * context,
        ),
        replace(batch, decoding_context_tokens=batch.decoding_context_tokens + more),
        replace(batch, prompt_tokens=prompts, prompt_context_tokens=prompts * before),
        replace(batch, prompt_context_tokens=batch.prompt_context_tokens + more),
        replace(batch, prompts=batch.prompts + more),
    )

    assert [one for one in larger if speed.step_seconds(one) < seconds * (1 - 1e-9)] == []


@given(st.sampled_from(MACHINES), BATCHES)
def test_a_step_takes_at_least_its_largest_part_and_at_most_all_of_them(speed: SpeedModel, batch: StepBatch) -> None:
    """Parts are kept by their numbers of tokens: each batch must get its own."""
    times = speed.step_time(batch)

    assert times.total == speed.step_seconds(batch)
    assert times.total <= times.bandwidth + times.flops + times.link + times.overhead + 1e-9
    assert times.total >= max(times.bandwidth, times.flops) - 1e-9


def test_a_model_that_has_seen_other_batches_gives_the_time_of_a_fresh_one() -> None:
    for speed in MACHINES:
        for tokens in range(40, 0, -1):
            batch = StepBatch(decoding_requests=tokens, decoding_context_tokens=100 * tokens)
            fresh = replace(speed, stages=tuple(replace(stage, _matrices={}, _outputs={}) for stage in speed.stages))
            assert speed.step_seconds(batch) == fresh.step_seconds(batch)


@given(BATCHES, st.floats(1.0, 4.0))
def test_a_faster_memory_or_link_is_never_slower(batch: StepBatch, factor: float) -> None:
    plan = planned(LLAMA_70B, "g6e.48xlarge")
    assert plan.layout is not None
    instance = plan.instance
    memory = replace(
        instance, gpu_memory_bandwidth_gbytes_per_second=(instance.gpu_memory_bandwidth_gbytes_per_second or 0) * factor
    )
    link = replace(
        instance, gpu_interconnect_gbytes_per_second=(instance.gpu_interconnect_gbytes_per_second or 0) * factor
    )
    slow, *fast = (SpeedModel.build(plan.model, one, plan.layout, plan.options) for one in (instance, memory, link))

    assert slow is not None
    for one in fast:
        assert one is not None
        assert one.step_seconds(batch) <= slow.step_seconds(batch)


@pytest.mark.parametrize(("slower", "faster"), [("g6.xlarge", "g6e.xlarge"), ("g6e.xlarge", "p5.4xlarge")])
def test_a_faster_gpu_takes_less_time(slower: str, faster: str) -> None:
    batch = StepBatch(decoding_requests=16, decoding_context_tokens=16_000, prompt_tokens=1024)

    assert speed_of(LLAMA_8B, faster).step_seconds(batch) < speed_of(LLAMA_8B, slower).step_seconds(batch)


def test_the_parts_of_a_step_say_what_limits_it() -> None:
    small, large = StepBatch(decoding_requests=1, decoding_context_tokens=100), 1024
    prompts = StepBatch(
        decoding_requests=1, decoding_context_tokens=100, prompt_tokens=8192, prompt_context_tokens=8192 * large
    )

    assert speed_of(LLAMA_8B, "p5.4xlarge").step_time(small).limit == "bandwidth"
    assert speed_of(LLAMA_8B, "p5.4xlarge").step_time(prompts).limit == "flops"
    assert speed_of(LLAMA_70B, "g6e.48xlarge", tensor=8).step_time(prompts).limit == "link"
    assert speed_of("Qwen/Qwen3-0.6B", "p5.4xlarge").step_time(small).limit == "overhead"


def test_experts_that_no_token_chooses_are_not_read() -> None:
    one, many = (StepBatch(decoding_requests=n, decoding_context_tokens=100) for n in (1, 256))
    work = speed_of("openai/gpt-oss-120b", "p5en.48xlarge", tensor=2)

    assert work.step_time(many).bandwidth > 5 * work.step_time(one).bandwidth


def test_eager_steps_take_the_time_that_the_host_needs_to_start_the_kernels() -> None:
    plan = planned(LLAMA_8B, "p5.4xlarge", enforce_eager=True)
    assert plan.layout is not None
    eager = SpeedModel.build(plan.model, plan.instance, plan.layout, plan.options)
    batch = StepBatch(decoding_requests=1, decoding_context_tokens=100)

    assert eager is not None
    assert eager.step_seconds(batch) > 2 * speed_of(LLAMA_8B, "p5.4xlarge").step_seconds(batch)


def test_stages_take_the_time_of_all_of_them() -> None:
    batch = StepBatch(decoding_requests=2, decoding_context_tokens=2000)
    one, two = (speed_of(LLAMA_8B, "g6.48xlarge", pipeline=stages) for stages in (1, 2))

    # Two requests, one in each stage: every stage reads its half of the weights for each.
    assert two.step_seconds(batch) == pytest.approx(one.step_seconds(batch), rel=0.05)
    assert two.hop_seconds > 0


def test_weights_in_host_memory_and_unknown_gpus_have_no_speed() -> None:
    plan = planned(LLAMA_8B, "g6.xlarge")
    assert plan.layout is not None

    assert SpeedModel.build(plan.model, replace(plan.instance, gpu="A1"), plan.layout, plan.options) is None


def test_attention_reads_a_cache_in_fp8_with_the_efficiency_of_narrow_values() -> None:
    efficiency = known_constants().memory_efficiency
    wide, narrow = (planned(LLAMA_8B, "g6e.xlarge", kv_cache_dtype=dtype) for dtype in ("auto", "fp8"))
    read: list[float] = []
    for plan in (wide, narrow):
        assert plan.layout is not None
        speed = SpeedModel.build(plan.model, plan.instance, plan.layout, plan.options)
        assert speed is not None
        read += [speed.stages[0].reads[0].seconds]

    assert read[1] / read[0] == pytest.approx(efficiency["8-bit and wider"] / efficiency["4-bit"] / 2)
