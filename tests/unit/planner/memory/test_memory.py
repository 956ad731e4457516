from dataclasses import replace

import pytest

from tests.support.plans import LLAMA_8B, QWEN_235B, planned
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory import terms as memory
from vllm_eks.planner.memory.stages import build_layout
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.models.stage_layers import stage_layers
from vllm_eks.planner.units import BYTES_PER_GIB, gib

A10G = find_instance("g5.48xlarge")


def resolved(instance: str = "g5.48xlarge", **requested: object):
    options = ServingOptions(**requested)  # pyright: ignore[reportArgumentType]
    return resolve(options, find_instance(instance), context_limit_tokens=131072)


@pytest.mark.parametrize(
    ("layers", "pp", "split"),
    [(126, 4, (31, 32, 32, 31)), (61, 2, (31, 30)), (94, 4, (23, 24, 24, 23)), (48, 2, (24, 24)), (7, 4, (2, 2, 2, 1))],
)
def test_layers_are_distributed_as_by_vllm(layers: int, pp: int, split: tuple[int, ...]) -> None:
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
def test_decode_batches_get_their_own_full_graph_from_0_11(version: str, graphs: int) -> None:
    assert memory.captured_graphs(resolved(vllm_version=version)) == graphs


@pytest.mark.parametrize(
    ("model", "mib", "rule"),
    [
        (LLAMA_8B, 0.13, "0.13 MiB x 10 layers x 4 captured graphs (estimate)"),
        (QWEN_235B, 0.18, "0.18 MiB x 10 layers x 4 captured graphs (estimate)"),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 0.3, "0.30 MiB x 10 layers x 4 captured graphs (estimate)"),
        ("deepseek-ai/DeepSeek-R1", 0.35, "0.35 MiB x 10 layers x 4 captured graphs (estimate)"),
    ],
)
def test_a_graph_s_bytes_per_layer_depend_on_the_kind_of_model(model: str, mib: float, rule: str) -> None:
    term = memory.cuda_graph_term(find_model(model).architecture, 4, layers=10)
    assert term.size_bytes == pytest.approx(mib * 2**20 * 10 * 4)
    assert term.rule == rule


@pytest.mark.parametrize(
    ("instance", "version", "tp", "pp", "gib_outside"),
    [
        ("g5.xlarge", "0.16.0", 1, 1, 0.12),
        ("g5.xlarge", "0.17.0", 1, 1, 0.27),
        ("g5.48xlarge", "0.21.0", 4, 1, 0.25),
        ("g5.48xlarge", "0.21.0", 8, 1, 0.25),
        ("p4d.24xlarge", "0.21.0", 8, 1, 1.2),
        ("p5.48xlarge", "0.16.0", 4, 1, 0.6),
        ("p5.48xlarge", "0.16.0", 8, 1, 1.2),
        ("p5.48xlarge", "0.17.0", 4, 1, 2.1),
        ("p5.48xlarge", "0.17.0", 8, 1, 2.1),
        ("p6-b200.48xlarge", "0.17.0", 2, 1, 2.1),
        ("p5.48xlarge", "0.20.2", 4, 2, 0.8),
        ("p5.48xlarge", "0.21.0", 4, 2, 2.3),
    ],
)
def test_memory_outside_torch_grows_with_ranks_nvlink_and_the_fused_all_reduce(
    instance: str, version: str, tp: int, pp: int, gib_outside: float
) -> None:
    machine = find_instance(instance).one_gpu
    options = resolved(instance, vllm_version=version)
    term = memory.non_torch_term(machine, options, tensor_parallel_size=tp, pipeline_parallel_size=pp)
    assert gib(term.size_bytes) == pytest.approx(gib_outside)


def test_the_all_reduce_is_fused_only_where_vllm_compiles() -> None:
    hopper = find_instance("p5.48xlarge").one_gpu
    eager = resolved("p5.48xlarge", enforce_eager=True)
    assert not memory.fuses_allreduce(hopper, eager, tensor_parallel_size=4, pipeline_parallel_size=1)
    assert memory.fuses_allreduce(hopper, resolved(), tensor_parallel_size=4, pipeline_parallel_size=1)
    assert not memory.fuses_allreduce(hopper, resolved(), tensor_parallel_size=16, pipeline_parallel_size=1)
    assert not memory.fuses_allreduce(A10G.one_gpu, resolved(), tensor_parallel_size=4, pipeline_parallel_size=1)


@pytest.mark.parametrize(
    ("version", "eager", "gib_taken"), [("0.25.1", False, None), ("0.26.0", False, 0.5), ("0.26.0", True, None)]
)
def test_a_first_start_that_compiles_leaves_less_for_the_cache(
    version: str, eager: bool, gib_taken: float | None
) -> None:
    term = memory.compiling_term(resolved(vllm_version=version, enforce_eager=eager))
    assert (term and gib(term.size_bytes)) == (gib_taken and pytest.approx(gib_taken))


def test_nvlink_is_known_from_the_gpu_s_name_if_a_file_has_nothing_else() -> None:
    assert replace(A10G, gpu="H100").has_nvlink
    assert not A10G.has_nvlink


def test_cuda_graphs_are_in_the_budget_from_0_20_and_outside_before() -> None:
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
    graphs = memory.cuda_graph_term(
        find_model(LLAMA_8B).architecture, memory.captured_graphs(resolved()), layers=32
    ).size_bytes
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


def test_only_complete_blocks_count() -> None:
    plan = planned(LLAMA_8B)
    assert plan.layout is not None
    stage = plan.layout.tightest
    assert plan.kv_cache_tokens == int(stage.kv_cache_bytes // (16384 * 16)) * 16
    assert stage.total_bytes == 21.98 * BYTES_PER_GIB


def test_graphs_outside_the_budget_must_fit_by_their_high_estimate() -> None:
    requested = {"tensor_parallel_size": 1, "pipeline_parallel_size": 1}
    old, new = (
        build_layout(find_model(LLAMA_8B), A10G, resolved(vllm_version=version), **requested).tightest
        for version in ("0.19.1", "0.21.0")
    )
    slack = old.activations.bytes.high - old.activations.bytes.best
    free = old.total_bytes - old.budget_bytes - 0.2 * 2**30
    assert old.graphs_overflow_bytes == pytest.approx(old.outside_budget.high + slack - free)
    assert new.graphs_overflow_bytes == 0.0
    eager = resolved(vllm_version="0.19.1", gpu_memory_utilization=1.0, enforce_eager=True)
    assert build_layout(find_model(LLAMA_8B), A10G, eager, **requested).tightest.graphs_overflow_bytes == 0.0
