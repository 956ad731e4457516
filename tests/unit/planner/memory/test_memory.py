from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_8B, QWEN_235B, SCOUT, planned
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory import terms as memory
from vllm_eks.planner.memory.stages import build_layout, stage_layers
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.units import BYTES_PER_GIB, gib

A10G = find_instance("g5.48xlarge")


def resolved(instance: str = "g5.48xlarge", **requested: object):
    options = ServingOptions(**requested)  # pyright: ignore[reportArgumentType]
    return resolve(options, find_instance(instance), context_limit_tokens=131072)


@pytest.mark.parametrize(
    ("layers", "pp", "split"),
    [(126, 4, (31, 32, 32, 31)), (61, 2, (31, 30)), (94, 4, (23, 24, 24, 23)), (48, 2, (24, 24)), (7, 4, (2, 2, 2, 1))],
)
def test_layers_are_dealt_out_as_vllm_does(layers: int, pp: int, split: tuple[int, ...]) -> None:
    assert stage_layers(layers, pp) == split


def test_the_budget_is_a_share_of_what_the_driver_reports_rounded_up() -> None:
    assert gib(memory.budget_bytes(21.98, 0.9)) == pytest.approx(19.782)


@pytest.mark.parametrize(
    ("instance", "version", "tokens", "seqs", "utilization"),
    [
        ("g5.48xlarge", "0.19.1", 2048, 256, 0.90),
        ("g5.48xlarge", "0.21.0", 2048, 256, 0.92),
        ("p4de.24xlarge", "0.21.0", 2048, 256, 0.92),
        ("p5.48xlarge", "0.21.0", 8192, 1024, 0.92),
        ("p6-b200.48xlarge", "0.27.1", 8192, 1024, 0.92),
        ("p6-b200.48xlarge", "0.28.0", 16384, 1024, 0.92),
    ],
)
def test_defaults_follow_the_version_and_the_gpu(
    instance: str, version: str, tokens: int, seqs: int, utilization: float
) -> None:
    found = resolved(instance, vllm_version=version)
    assert (found.max_num_batched_tokens, found.max_num_seqs, found.gpu_memory_utilization) == (
        tokens,
        seqs,
        utilization,
    )


def test_an_fp8_cache_halves_the_bytes_of_a_token() -> None:
    assert resolved(kv_cache_dtype="fp8").kv_dtype_bytes == 1
    assert resolved().kv_dtype_bytes == 2


@pytest.mark.parametrize(
    ("version", "seqs", "sizes"),
    [
        ("0.21.0", 1, 2),
        ("0.21.0", 4, 4),
        ("0.21.0", 64, 19),
        ("0.21.0", 128, 35),
        ("0.21.0", 256, 51),
        ("0.21.0", 1024, 51),
        ("0.11.0", 256, 67),
    ],
)
def test_captured_batch_sizes(version: str, seqs: int, sizes: int) -> None:
    assert len(memory.graph_capture_sizes(resolved("p5.48xlarge", vllm_version=version, max_num_seqs=seqs))) == sizes


def test_captured_sizes_stay_within_the_batch() -> None:
    assert max(memory.graph_capture_sizes(resolved(max_num_batched_tokens=256))) == 256


@pytest.mark.parametrize(("version", "graphs"), [("0.10.2", 67), ("0.11.0", 67 + 35), ("0.21.0", 51 + 35)])
def test_decode_batches_get_a_full_graph_of_their_own_from_0_11(version: str, graphs: int) -> None:
    term = memory.cuda_graph_term(memory.captured_graphs(resolved(vllm_version=version)), layers=10)
    assert term.size_bytes == pytest.approx(0.2 * 2**20 * 10 * graphs)


@pytest.mark.parametrize(
    ("version", "low", "best", "high"), [("0.11.0", 14, 38, 39), ("0.12.0", 36, 38, 39), ("0.21.0", 14, 20, 38)]
)
def test_the_sampler_s_bytes_a_logit_follow_how_the_version_sorts(version: str, low: int, best: int, high: int) -> None:
    found = memory.sampler_bytes_per_logit(resolved(vllm_version=version))
    assert (found.low, found.best, found.high) == (low, best, high)


def test_the_sampler_peak_agrees_with_logs_and_stands_on_the_last_stage_alone() -> None:
    model = find_model(LLAMA_8B).architecture
    logged_gib = 4.76
    found = memory.sampler_bytes(model, resolved("p5.48xlarge", vllm_version="0.12.0"))
    assert gib(found.best) == pytest.approx(logged_gib, abs=0.06)
    first, last = (
        memory.activation_term(model, resolved(), tensor_parallel_size=8, is_last=end) for end in (False, True)
    )
    assert (first.name, last.name) == ("activations (forward)", "activations (sampler)")


def test_the_vision_encoder_is_profiled_unless_images_are_off() -> None:
    model = find_model(SCOUT).architecture
    many = resolved(max_num_batched_tokens=16384, max_num_seqs=2)
    off = resolved(max_num_batched_tokens=16384, max_num_seqs=2, limit_mm_per_prompt={"image": 0})
    one = resolved(max_num_batched_tokens=16384, max_num_seqs=2, limit_mm_per_prompt={"image": 1})
    large = find_model("Qwen/Qwen3-VL-8B-Instruct").architecture
    names = [
        memory.activation_term(large, options, tensor_parallel_size=1, is_last=False).name for options in (many, off)
    ]
    assert names == ["activations (encoder)", "activations (forward)"]
    assert model.vision is not None
    assert [memory.profiled_images(model.vision, o) for o in (many, one)] == [6, 2]
    six, two = (memory.encoder_bytes(model.vision, o, tensor_parallel_size=8).best for o in (many, one))
    assert six == pytest.approx(3 * two)


def test_encoder_outputs_are_held_while_the_decoder_is_profiled_and_were_spread_out_up_to_0_12() -> None:
    model = find_model(SCOUT).architecture
    assert model.vision is not None
    old, new = (
        resolved(vllm_version=version, max_num_batched_tokens=8192, max_num_seqs=2) for version in ("0.12.0", "0.21.0")
    )
    assert memory.encoder_output_bytes(model.vision, new).best == 2 * 3 * 2448 * 5120
    assert memory.encoder_output_bytes(model.vision, old).best == 2 * 3 * 8192 * 5120
    plain = replace(model, vision=None)
    with_images, without = (
        memory.activation_term(one, resolved("p5.48xlarge"), tensor_parallel_size=8, is_last=True).size_bytes
        for one in (model, plain)
    )
    assert with_images - without == pytest.approx(2 * 3 * 2448 * 5120)


@pytest.mark.parametrize(
    ("instance", "tp", "gib_outside"),
    [("g5.xlarge", 1, 0.12), ("g5.48xlarge", 4, 0.6), ("g5.48xlarge", 8, 0.6), ("p5.48xlarge", 8, 1.2)],
)
def test_memory_outside_torch_grows_with_ranks_and_with_nvlink(instance: str, tp: int, gib_outside: float) -> None:
    machine = find_instance(instance).one_gpu
    one, two = (memory.non_torch_term(machine, tensor_parallel_size=tp, pipeline_parallel_size=pp) for pp in (1, 2))
    assert gib(one.size_bytes) == pytest.approx(gib_outside)
    assert gib(two.size_bytes - one.size_bytes) == pytest.approx(0.2)


def test_nvlink_is_known_from_the_gpu_s_name_where_a_file_says_no_more() -> None:
    assert replace(A10G, gpu="H100").has_nvlink
    assert not A10G.has_nvlink


def test_cuda_graphs_come_off_the_budget_from_0_20_and_stand_outside_before() -> None:
    old, new = (
        build_layout(
            find_model(LLAMA_8B),
            A10G,
            resolved(vllm_version=version),
            tensor_parallel_size=8,
            pipeline_parallel_size=1,
        ).tightest
        for version in ("0.19.1", "0.20.2")
    )
    graphs = memory.cuda_graph_term(memory.captured_graphs(resolved()), layers=32).size_bytes
    assert (old.outside_budget_bytes, new.outside_budget_bytes) == (graphs, 0)
    assert new.overhead_bytes - old.overhead_bytes == pytest.approx(graphs)
    assert memory.captured_graphs(resolved(enforce_eager=True)) == 0


def test_the_tightest_stage_decides_and_its_four_parts_sum_to_the_budget() -> None:
    plan = planned(QWEN_235B)
    assert plan.layout is not None
    stage = plan.layout.tightest
    assert plan.layout.blocks[1] == min(s.blocks(s.kv_cache.best) for s in plan.layout.stages)
    assert plan.layout.blocks[1] == stage.blocks(stage.kv_cache.best)
    parts = stage.loaded_bytes + stage.activations.size_bytes + stage.overhead_bytes + stage.kv_cache_bytes
    assert parts == pytest.approx(stage.budget_bytes)


def test_whole_blocks_only() -> None:
    plan = planned(LLAMA_8B)
    assert plan.layout is not None
    stage = plan.layout.tightest
    assert plan.kv_cache_tokens == int(stage.kv_cache_bytes // (16384 * 16)) * 16
    assert stage.total_bytes == 21.98 * BYTES_PER_GIB


def test_the_widest_layer_of_a_forward_pass() -> None:
    options = resolved("p5.48xlarge", max_num_batched_tokens=16384, max_num_seqs=64)
    together = resolved("p5.48xlarge", max_num_batched_tokens=16384, max_num_seqs=64, enable_expert_parallel=True)
    moe = find_model(QWEN_235B).architecture
    attention = (64 + 2 * 4) * 128 / 8
    routed, whole = (8 * (3 * 1536 / split + 4096) for split in (8, 1))
    for asked, experts in ((options, routed), (together, whole)):
        found = memory.forward_bytes(moe, asked, tensor_parallel_size=8).best
        assert found == pytest.approx(2 * 16384 * (4 * 4096 + attention + experts))
    latent = find_model("deepseek-ai/DeepSeek-R1").architecture
    attention = 128 * (2 * (128 + 64) + 128) / 8 + 512 + 1536
    experts = 8 * (3 * 2048 / 8 + 7168) + 3 * 2048 / 8
    found = memory.forward_bytes(latent, options, tensor_parallel_size=8).best
    assert found == pytest.approx(2 * 16384 * (4 * 7168 + attention + experts))


def test_the_ends_of_a_peak_are_those_of_whichever_may_be_largest() -> None:
    model = find_model("Qwen/Qwen3-VL-8B-Instruct").architecture
    options = resolved("g5.xlarge", vllm_version="0.21.0", max_num_seqs=1024, max_num_batched_tokens=2048)
    term = memory.activation_term(model, options, tensor_parallel_size=1, is_last=True)
    assert model.vision is not None
    kept = memory.encoder_output_bytes(model.vision, options).best
    encoder = memory.encoder_bytes(model.vision, options, tensor_parallel_size=1)
    sampler = memory.sampler_bytes(model, options)
    assert encoder.best > sampler.best
    assert encoder.low < sampler.low, "otherwise this proves nothing"
    assert term.bytes.low == pytest.approx(kept + sampler.low)
    assert term.bytes.high == pytest.approx(kept + encoder.high)


def test_graphs_outside_the_budget_must_fit_beside_it_at_their_largest() -> None:
    requested = {"tensor_parallel_size": 1, "pipeline_parallel_size": 1}
    old, new = (
        build_layout(find_model(LLAMA_8B), A10G, resolved(vllm_version=version), **requested).tightest
        for version in ("0.19.1", "0.21.0")
    )
    slack = old.activations.bytes.high - old.activations.bytes.best
    free = old.total_bytes - old.budget_bytes
    assert old.graphs_overflow_bytes == pytest.approx(old.outside_budget.high + slack - free)
    assert new.graphs_overflow_bytes == 0.0
    eager = resolved(vllm_version="0.19.1", gpu_memory_utilization=1.0, enforce_eager=True)
    assert build_layout(find_model(LLAMA_8B), A10G, eager, **requested).tightest.graphs_overflow_bytes == 0.0
