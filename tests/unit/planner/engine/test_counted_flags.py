"""Flags that are counted: each is read, in every version that has it, and changes the plan or its host memory."""

import json

import pytest

from tests.support.plans import LLAMA_8B, QWEN_8B, SCOUT_W4A16, laid_out, planned
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.counted_flags import COUNTED, SPECULATION_FLAGS, checked_flags, engine_flags
from vllm_eks.planner.engine.engine_flags import NO_FLAGS, EngineFlags, GraphCapture, Offload
from vllm_eks.planner.engine.flag_dispositions import dispositions
from vllm_eks.planner.engine.flag_tables import nearest_table, table_versions
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.engine.versions import BATCHES_IN_FLIGHT
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.lora import host_adapter_bytes
from vllm_eks.planner.memory.offload import host_bytes_of_flags
from vllm_eks.planner.memory.stages import build_layout
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.vllm_version import parse_version

VERSIONS = [".".join(map(str, version)) for version in table_versions()]
HYBRID = "Qwen/Qwen3.5-27B"
NGRAM = '{"method": "ngram", "num_speculative_tokens": 4}'
CONNECTOR = (
    '{"kv_connector": "OffloadingConnector", "kv_role": "kv_both", '
    '"kv_connector_extra_config": {"cpu_bytes_to_use": 8g}}'
)
DEEPSEEK = "deepseek-ai/DeepSeek-V3"
CHANGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "--dtype": (QWEN_8B, ("--dtype", "float32")),
    "--speculative-config": (HYBRID, ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 2}')),
    "--spec-method": (HYBRID, ("--spec-method", "ngram", "--spec-tokens", "4")),
    "--spec-model": (QWEN_8B, ("--spec-method", "eagle3", "--spec-model", "org/eagle3", "--spec-tokens=3")),
    "--spec-tokens": (HYBRID, ("--spec-tokens", "4", "--spec-method", "ngram")),
    "--cpu-offload-gb": (QWEN_8B, ("--cpu-offload-gb", "4")),
    "--offload-group-size": (QWEN_8B, ("--offload-group-size", "6")),
    "--offload-num-in-group": (QWEN_8B, ("--offload-group-size", "6", "--offload-num-in-group", "3")),
    "--offload-prefetch-step": (QWEN_8B, ("--offload-group-size", "6", "--offload-prefetch-step", "2")),
    "--kv-offloading-size": (QWEN_8B, ("--kv-offloading-size", "20")),
    "--kv-transfer-config": (QWEN_8B, ("--kv-transfer-config", CONNECTOR)),
    "--language-model-only": (SCOUT_W4A16, ("--language-model-only",)),
    "--block-size": (QWEN_8B, ("--block-size", "64")),
    "--kv-cache-memory-bytes": (QWEN_8B, ("--kv-cache-memory-bytes", "10g")),
    "--num-gpu-blocks-override": (QWEN_8B, ("--num-gpu-blocks-override", "2000")),
    "--compilation-config": (QWEN_8B, ("-cc.cudagraph_mode=NONE",)),
    "--cudagraph-capture-sizes": (QWEN_8B, ("--cudagraph-capture-sizes", "1", "2", "4")),
    "--max-cudagraph-capture-size": (QWEN_8B, ("--max-cudagraph-capture-size", "16")),
    "--optimization-level": (QWEN_8B, ("-O1",)),
    "--performance-mode": (QWEN_8B, ("--performance-mode", "interactivity")),
    "--mamba-ssm-cache-dtype": (HYBRID, ("--mamba-ssm-cache-dtype", "float16")),
    "--mamba-cache-dtype": (HYBRID, ("--mamba-cache-dtype", "float32")),
    "--attention-backend": (DEEPSEEK, ("--attention-backend", "flashmla")),
    "--attention-config": (DEEPSEEK, ("--attention-config.backend", "CUTLASS_MLA")),
    "--max-cpu-loras": (QWEN_8B, ("--max-cpu-loras", "12")),
    "--mm-encoder-tp-mode": (SCOUT_W4A16, ("--mm-encoder-tp-mode", "data")),
    "--async-scheduling": ("openai/gpt-oss-20b", ("--no-async-scheduling",)),
    "--mm-processor-cache-gb": (SCOUT_W4A16, ("--mm-processor-cache-gb", "20")),
    "--mm-ipc-gpu-memory-gb": (SCOUT_W4A16, ("--mm-ipc-gpu-memory-gb", "1")),
}
"""Counted flag -> a model, and arguments with the flag that change its memory."""

OF_GROUPS = ("--offload-num-in-group", "--offload-prefetch-step")


def memory_of(model: str, flags: EngineFlags, version: str) -> tuple[object, ...]:
    """Return the memory of a rank at TP=4 and of a node, as numbers that can be compared."""
    facts, instance = find_model(model), find_instance("g6e.12xlarge")
    asked = ServingOptions(flags=flags, vllm_version=version, max_loras=1)
    options = resolve(asked, instance, context_limit_tokens=8192)
    layout = build_layout(facts, instance, options, tensor_parallel_size=4, pipeline_parallel_size=1)
    stage = layout.stages[0]
    host = host_bytes_of_flags(flags, weights_per_worker=facts.weights_bytes / 4, workers=4, ranks_of_replica=4)
    return (
        stage.weights.bytes,
        stage.activations.bytes,
        stage.overhead_bytes,
        stage.outside_budget,
        stage.kv_cache,
        stage.block_bytes,
        layout.cache.blocks_per_request(8192, options),
        host + 4 * host_adapter_bytes(facts.architecture, options),
    )


def test_every_counted_flag_is_read_and_every_flag_that_is_read_is_counted() -> None:
    assert dispositions().counted == {*COUNTED, *SPECULATION_FLAGS, "--speculative-config"} == set(CHANGES)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_counted_flag_changes_the_plan_or_its_host_memory(version: str) -> None:
    table = nearest_table(version)
    same = []
    for name, (model, args) in CHANGES.items():
        before = name == "--async-scheduling" and parse_version(version) < BATCHES_IN_FLIGHT
        if name in table.flags and not before:
            flags = checked_flags(args, version)
            # A flag that only has an effect beside --offload-group-size is compared with that alone.
            without = checked_flags(args[:2], version) if name in OF_GROUPS else NO_FLAGS
            if memory_of(model, flags, version) == memory_of(model, without, version):
                same.append(name)
    assert same == []


def test_values_are_read_as_vllm_reads_them() -> None:
    read = engine_flags(
        (
            *("--dtype=half", "--cpu-offload-gb", "2.5", "--kv-cache-memory-bytes", "8G", "--block-size=32"),
            *("-O0", "-cc", '{"cudagraph_mode": "piecewise", "cudagraph_capture_sizes": [4, 2, 2]}'),
            *("--kv-transfer-config", CONNECTOR, "--kv-offloading-size", "None"),
        ),
        "0.27.0",
    )
    assert read == EngineFlags(
        dtype="float16",
        offload=Offload(gib_per_gpu=2.5),
        kv_cache_bytes=8 * 2**30,
        block_tokens=32,
        graphs=GraphCapture(mode="PIECEWISE", sizes=(2, 4)),
        kv_offloading_bytes=8e9,
    )


def test_other_keys_of_the_compiler_and_a_default_change_nothing() -> None:
    args = ("--compilation-config", '{"mode": 3}', "--optimization-level", "2", "--dtype", "auto", "--cpu-offload-gb=0")
    assert engine_flags(args, "0.27.0") == NO_FLAGS
    assert engine_flags((), "0.27.0") == NO_FLAGS


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (
            ("--block-size", "20"),
            "--block-size: 20 is not a multiple of 16, which attention on CUDA needs: write 16 or 32",
        ),
        (
            ("-cc.cudagraph_mode=EVERYTHING",),
            "-cc.cudagraph_mode: cudagraph_mode 'EVERYTHING' is not one of NONE, PIECEWISE, FULL, FULL_DECODE_ONLY, "
            "FULL_AND_PIECEWISE",
        ),
        (("--cpu-offload-gb", "-1"), "--cpu-offload-gb: -1 must be 0 or more"),
        (
            ("--kv-transfer-config", '{"kv_connector": "OffloadingConnector"}'),
            '--kv-transfer-config: OffloadingConnector has no role: add "kv_role": "kv_both"',
        ),
        (
            ("--kv-transfer-config", '{"kv_connector": "OffloadingConnector", "kv_role": "kv_both"}'),
            "--kv-transfer-config: OffloadingConnector has no size: add kv_connector_extra_config.cpu_bytes_to_use, in "
            "bytes",
        ),
        (
            ("--speculative-config", NGRAM, "--spec-tokens", "2"),
            "--speculative-config: num_speculative_tokens is in --speculative-config too: remove one",
        ),
        (("--dtype", "float8"), "--dtype: 'float8' is not a valid choice: did you mean float?"),
        (("--no-such",), "--no-such is not a flag of vLLM 0.27.0"),
    ],
)
def test_a_value_that_vllm_would_refuse_is_an_error(args: tuple[str, ...], error: str) -> None:
    with pytest.raises(WrongQuestion) as refused:
        checked_flags(args, "0.27.0")
    assert str(refused.value) == error


# --- what they do to a plan


def test_a_cache_size_from_a_flag_is_used_or_refused() -> None:
    plan = planned(LLAMA_8B, "g6e.xlarge", flags=engine_flags(("--kv-cache-memory-bytes", "10G"), "0.27.0"))
    stage = laid_out(plan).tightest
    assert stage.kv_cache_bytes == 10 * 2**30
    assert plan.kv_cache_tokens_range == (10 * 2**30 // stage.block_bytes * 16,) * 2
    blocks = planned(LLAMA_8B, "g6e.xlarge", flags=engine_flags(("--num-gpu-blocks-override", "600"), "0.27.0"))
    assert blocks.kv_cache_tokens == 600 * 16
    large = planned(
        LLAMA_8B,
        "g6e.xlarge",
        pipeline_parallel_size=1,
        flags=engine_flags(("--kv-cache-memory-bytes", "40G"), "0.27.0"),
    )
    (refusal,) = large.refusals
    assert refusal.code == "weights_do_not_fit"
    assert refusal.message.startswith("TP=1 PP=1: 40.00 GiB of KV cache are set by a flag, and ")
    assert refusal.message.endswith(
        " GiB are left for it on a GPU; lower or remove the flag (even with --max-num-seqs 32, "
        "--max-num-batched-tokens 512, --max-model-len 2048)"
    )


def test_a_model_without_media_has_no_tower() -> None:
    plain = laid_out(planned(SCOUT_W4A16))
    only = laid_out(planned(SCOUT_W4A16, flags=engine_flags(("--language-model-only",), "0.27.0")))
    off = laid_out(planned(SCOUT_W4A16, limit_mm_per_prompt={"image": 0}))
    facts = find_model(SCOUT_W4A16)
    vision = facts.architecture.vision
    assert vision is not None
    # Each rank holds the position table whole.
    tower = (facts.parts.vision_bytes + 7 * 2 * vision.whole_parameters) / 8
    for without in (only, off):
        assert plain.tightest.weights.size_bytes - without.tightest.weights.size_bytes == pytest.approx(tower, rel=1e-3)
        assert not without.tightest.activations.name.endswith("(encoder)")


def test_a_tower_for_videos_remains_until_videos_are_limited_too() -> None:
    def weights(**limits: int) -> float:
        return laid_out(planned(HYBRID, "p5.48xlarge", limit_mm_per_prompt=limits)).tightest.weights.size_bytes

    assert weights(image=0) == weights(image=1) > weights(image=0, video=0)


def test_graphs_follow_the_flags() -> None:
    def graphs(*args: str) -> float:
        plan = planned(HYBRID, "p5.48xlarge", flags=engine_flags(args, "0.27.0"), max_num_seqs=64)
        return sum(term.size_bytes for term in laid_out(plan).tightest.overheads if term.name == "CUDA graphs")

    everything = graphs()
    assert graphs("-O0") == graphs("-cc.cudagraph_mode=none") == 0
    assert 0 < graphs("-cc.cudagraph_mode=PIECEWISE") < everything
    assert 0 < graphs("-cc.cudagraph_mode=FULL_DECODE_ONLY") < everything
    assert graphs("--max-cudagraph-capture-size", "8") == 4 * graphs("--cudagraph-capture-sizes", "1")
    assert graphs("--performance-mode", "interactivity") > everything
    assert graphs("--speculative-config", json.dumps({"method": "ngram", "num_speculative_tokens": 3})) > everything
