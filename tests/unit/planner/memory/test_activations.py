"""The activation peak of a rank: forward pass, sampler, vision encoder, and what stays beside them."""

from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_8B, QWEN_235B, SCOUT, planned
from tests.unit.planner.memory.test_memory import resolved
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory import activations as memory
from vllm_eks.planner.memory.stages import build_layout
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.units import gib

A10G = find_instance("g5.48xlarge").one_gpu
HOPPER = find_instance("p5.48xlarge").one_gpu


@pytest.mark.parametrize(
    ("version", "tp", "per_logit"),
    [
        ("0.11.0", 1, (12, 38, 39)),
        ("0.12.0", 1, (36, 38, 39)),
        ("0.16.0", 8, (36, 38, 39)),
        ("0.17.0", 8, (14, 14.5, 17.5)),
        ("0.22.0", 8, (14, 14.5, 17.5)),
        ("0.23.0", 1, (2, 2, 6)),
        ("0.23.0", 8, (4, 4, 8)),
    ],
)
def test_the_sampler_s_bytes_per_logit_follow_the_version_and_its_model_runner(
    version: str, tp: int, per_logit: tuple[float, float, float]
) -> None:
    llama = find_model(LLAMA_8B).architecture
    found = memory.sampler_bytes_per_logit(llama, resolved(vllm_version=version), tensor_parallel_size=tp)
    assert (found.low, found.best, found.high) == per_logit


@pytest.mark.parametrize(("version", "state_bytes"), [("0.26.0", None), ("0.27.0", 4.125 * 256 * 128256)])
def test_the_second_runner_s_token_counts_are_on_the_last_stage_if_vllm_counts_them(
    version: str, state_bytes: float | None
) -> None:
    term = memory.sampler_state_term(find_model(LLAMA_8B).architecture, resolved(vllm_version=version))
    assert (term and term.size_bytes) == state_bytes
    options = resolved(vllm_version="0.27.0")
    layout = build_layout(
        find_model(LLAMA_8B), find_instance("g5.48xlarge"), options, tensor_parallel_size=1, pipeline_parallel_size=2
    )
    assert [any(one.name == "sampler state" for one in stage.overheads) for stage in layout.stages] == [False, True]


def test_the_sampler_peak_agrees_with_logs_and_is_on_the_last_stage_only() -> None:
    model = find_model(LLAMA_8B).architecture
    logged_gib = 4.76
    found = memory.sampler_bytes(model, resolved("p5.48xlarge", vllm_version="0.12.0"), tensor_parallel_size=1)
    assert gib(found.best) == pytest.approx(logged_gib, abs=0.06)
    first, last = (
        memory.activation_term(model, A10G, resolved(vllm_version="0.21.0"), tensor_parallel_size=8, is_last=end)
        for end in (False, True)
    )
    assert (first.name, last.name) == ("activations (forward)", "activations (sampler)")


def test_the_vision_encoder_is_profiled_unless_images_are_off() -> None:
    model = find_model(SCOUT).architecture
    many = resolved(max_num_batched_tokens=16384, max_num_seqs=2)
    off = resolved(max_num_batched_tokens=16384, max_num_seqs=2, limit_mm_per_prompt={"image": 0, "video": 0})
    one = resolved(max_num_batched_tokens=16384, max_num_seqs=2, limit_mm_per_prompt={"image": 1})
    large = find_model("Qwen/Qwen3-VL-8B-Instruct").architecture
    names = [
        memory.activation_term(large, A10G, options, tensor_parallel_size=1, is_last=False).name
        for options in (many, off)
    ]
    assert names == ["activations (encoder)", "activations (forward)"]
    assert model.vision is not None
    assert [memory.profiled_images(model.vision, o) for o in (many, one)] == [6, 2]
    six, two = (memory.encoder_bytes(model.vision, o, tensor_parallel_size=8).best for o in (many, one))
    assert six == pytest.approx(3 * two)


@pytest.mark.parametrize(
    ("name", "sizes", "item", "images"),
    [
        # One encoder batch is as large as the largest image, 16384 tokens.
        ("Qwen/Qwen3-VL-8B-Instruct", {"width": 512, "height": 512}, (1024, 256), 1),
        ("Qwen/Qwen3-VL-8B-Instruct", {"width": 100, "height": 100}, (256, 64), 1),
        ("Qwen/Qwen3-VL-8B-Instruct", {"width": 512}, (8192, 2048), 1),
        ("Qwen/Qwen3-VL-8B-Instruct", {"width": 99999, "height": 99999}, (65536, 16384), 1),
        # vLLM profiles Scout with one column of tiles, so a larger width changes nothing.
        (SCOUT, {"width": 1000, "height": 500}, (3 * 577, 3 * 144), 18),
        (SCOUT, {"width": 300, "height": 300}, (577, 144), 56),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", {"width": 512, "height": 280}, (19 * 10 * 4, 200), 40),
        ("google/gemma-3-27b-it", {"width": 512, "height": 512}, (4096, 256), 32),
    ],
)
def test_the_given_sizes_of_an_image_are_profiled(
    name: str, sizes: dict[str, int], item: tuple[int, int], images: int
) -> None:
    options = resolved(max_num_batched_tokens=8192, limit_mm_per_prompt={"image": 4}, mm_profile_sizes={"image": sizes})
    vision = find_model(name).architecture.vision
    assert vision is not None
    assert memory.profiled_item(vision, options) == item
    assert memory.profiled_images(vision, options) == images


def test_smaller_images_leave_more_memory_to_the_cache() -> None:
    model = "Qwen/Qwen3-VL-8B-Instruct"
    large, small = (
        planned(model, "g6e.xlarge", limit_mm_per_prompt={"image": 1}, mm_profile_sizes=sizes, max_num_seqs=64)
        for sizes in (None, {"image": {"width": 512, "height": 512}})
    )
    assert small.kv_cache_tokens > large.kv_cache_tokens + 10_000
    note = "memory is reserved for images of the sizes in --limit-mm-per-prompt: larger ones may run out of memory"
    assert note in small.notes
    assert note not in large.notes


def test_encoder_outputs_are_kept_while_the_decoder_is_profiled_and_were_padded_in_0_11() -> None:
    model = find_model(SCOUT).architecture
    assert model.vision is not None
    old, new = (
        resolved(vllm_version=version, max_num_batched_tokens=8192, max_num_seqs=2) for version in ("0.11.2", "0.12.0")
    )
    assert memory.encoder_output_bytes(model.vision, new).best == 2 * 3 * 2448 * 5120
    assert memory.encoder_output_bytes(model.vision, old).best == 2 * 3 * 8192 * 5120
    plain = replace(model, vision=None)
    with_images, without = (
        memory.activation_term(
            one, HOPPER, resolved("p5.48xlarge", vllm_version="0.21.0"), tensor_parallel_size=8, is_last=True
        ).size_bytes
        for one in (model, plain)
    )
    assert with_images - without == pytest.approx(2 * 3 * 2448 * 5120)


def test_the_widest_layer_of_a_forward_pass() -> None:
    options = resolved("p5.48xlarge", vllm_version="0.13.0", max_num_batched_tokens=16384, max_num_seqs=64)
    together = resolved(
        "p5.48xlarge", vllm_version="0.13.0", max_num_batched_tokens=16384, max_num_seqs=64, enable_expert_parallel=True
    )
    moe = find_model(QWEN_235B).architecture
    attention = (64 + 2 * 4) * 128 / 8
    routed, whole = (8 * (3 * 1536 / split + 4096) for split in (8, 1))
    for asked, experts in ((options, routed), (together, whole)):
        found = memory.forward_bytes(moe, HOPPER, asked, tensor_parallel_size=8).best
        assert found == pytest.approx(2 * 16384 * (4 * 4096 + attention + experts))
    latent = find_model("deepseek-ai/DeepSeek-R1").architecture
    attention = 128 * (2 * (128 + 64) + 128) / 8 + 512 + 1536
    experts = 8 * (3 * 2048 / 8 + 7168) + 3 * 2048 / 8
    found = memory.forward_bytes(latent, HOPPER, options, tensor_parallel_size=8).best
    assert found == pytest.approx(2 * 16384 * (4 * 7168 + attention + experts))


def test_each_end_of_a_peak_is_that_of_the_largest_candidate() -> None:
    model = find_model("Qwen/Qwen3-VL-8B-Instruct").architecture
    options = resolved("g5.xlarge", vllm_version="0.21.0", max_num_seqs=1024, max_num_batched_tokens=2048)
    term = memory.activation_term(model, A10G, options, tensor_parallel_size=1, is_last=True)
    assert model.vision is not None
    kept = memory.encoder_output_bytes(model.vision, options).best
    encoder = memory.encoder_bytes(model.vision, options, tensor_parallel_size=1)
    sampler = memory.sampler_bytes(model, options, tensor_parallel_size=1)
    assert encoder.best > sampler.best
    assert encoder.low < sampler.low, "otherwise this proves nothing"
    assert term.bytes.low == pytest.approx(kept + sampler.low)
    assert term.bytes.high == pytest.approx(kept + encoder.high)
