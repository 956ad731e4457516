"""Rotary tables: their bytes on each stage, beside what vLLM's own classes allocate."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.plans import SCOUT, SCOUT_W4A16, laid_out, planned
from vllm_eks.cli.views.plan_json import plan_json
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.rotary import rotary_term
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.families import FAMILIES
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.models.rotary import parse_rotary
from vllm_eks.planner.units import BYTES_PER_GIB, BYTES_PER_MIB

ROWS = json.loads((Path(__file__).parents[3] / "data" / "rotary_tables.json").read_text())["rows"]


def table_bytes(config: dict[str, Any], version: str, layers: range) -> float:
    model = parse_config(config, where="test")
    options = resolve(ServingOptions(vllm_version=version), find_instance("g5.48xlarge"), context_limit_tokens=8192)
    return rotary_term(model, options, 86, layers=layers).size_bytes


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['model']}-{row['vllm']}")
def test_every_stage_holds_the_bytes_that_vllm_allocates(row: dict[str, Any]) -> None:
    for first, last, logged in row["stages"]:
        assert table_bytes(row["config"], row["vllm"], range(first, last + 1)) == logged


def rows_of(family: str, **text: Any) -> int:
    """The rows of all tables of a decoder with 1,000 positions and heads of 8 values."""
    config = {"max_position_embeddings": 1000, "head_dim": 8, "qk_rope_head_dim": 8, **text}
    return sum(table.positions * table.dim // 8 for table in parse_rotary(FAMILIES[family], config))


@pytest.mark.parametrize(
    ("said", "rows"),
    [
        ({}, 1000),
        ({"rope_scaling": None}, 1000),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 100}}, 1000),
        ({"rope_scaling": {"type": "dynamic", "factor": 4.0}}, 1000),
        ({"rope_scaling": {"type": "linear", "factor": 4.0}}, 4000),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 500}}, 2000),
        ({"rope_scaling": {"type": "yarn", "factor": 4.0}}, 4000),
        ({"rope_parameters": {"rope_type": "deepseek_yarn", "factor": 3, "original_max_position_embeddings": 50}}, 150),
        ({"rope_parameters": {"rope_type": "longrope", "original_max_position_embeddings": 100}}, 1100),
        ({"rope_scaling": {"type": "su", "original_max_position_embeddings": 100}}, 1100),
        ({"rope_scaling": {"type": "su"}, "original_max_position_embeddings": 100}, 1100),
        ({"partial_rotary_factor": 0.5}, 500),
        ({"rope_parameters": {"partial_rotary_factor": 0.25}}, 250),
        ({"rotary_dim": 4}, 500),
        ({"dual_chunk_attention_config": {"chunk_size": 300, "local_size": 50}}, 2000),
        ({"rope_scaling": {"type": "linear", "factor": "4"}}, 1000),
        ({"rope_scaling": {"type": "linear", "factor": float("inf")}}, 1000),
        ({"rope_scaling": "yarn", "partial_rotary_factor": 7, "rotary_dim": -1}, 1000),
    ],
)
def test_rows_follow_the_kind_of_scaling(said: dict[str, Any], rows: int) -> None:
    assert rows_of("LlamaForCausalLM", **said) == rows


def test_gemma_3_has_a_plain_table_for_its_windows_and_a_scaled_one() -> None:
    assert rows_of("Gemma3ForCausalLM") == 2000
    assert rows_of("Gemma3ForCausalLM", rope_scaling={"rope_type": "linear", "factor": 8.0}) == 9000
    apart = {"full_attention": {"rope_type": "linear", "factor": 8.0}, "sliding_attention": {"rope_type": "default"}}
    assert rows_of("Gemma3ForCausalLM", rope_parameters=apart) == 9000
    # 131,072 x (8 + 1) positions of 128 values in 16 bits.
    assert laid_out(planned("google/gemma-3-27b-it", "p5.48xlarge")).tightest.tables.size_bytes == 288 * BYTES_PER_MIB


def test_a_sparse_indexer_that_rotates_in_its_own_order_has_its_own_table() -> None:
    assert rows_of("DeepseekV32ForCausalLM", index_n_heads=64) == 2000
    assert rows_of("DeepseekV32ForCausalLM", index_n_heads=64, indexer_rope_interleave=True) == 1000
    assert rows_of("GlmMoeDsaForCausalLM", index_n_heads=32) == 1000


def test_positions_of_videos_are_kept_four_times_until_0_32() -> None:
    config = next(row["config"] for row in ROWS if row["model"] == "Qwen/Qwen3.5-27B")
    sizes = {version: table_bytes(config, version, range(64)) for version in ("0.21.0", "0.27.0", "0.31.0", "0.32.0")}
    assert {version: size / BYTES_PER_MIB for version, size in sizes.items()} == {
        "0.21.0": 128,
        "0.27.0": 128,
        "0.31.0": 128,
        "0.32.0": 32,
    }


def test_a_stage_whose_layers_rotate_nothing_has_no_table() -> None:
    scout = next(row["config"] for row in ROWS if row["model"] == SCOUT)
    assert table_bytes(scout, "0.27.0", range(3, 4)) == 0  # every fourth layer of Llama 4 attends without positions
    assert table_bytes(scout, "0.27.0", range(2, 4)) == 2.5 * BYTES_PER_GIB
    hybrid = next(row["config"] for row in ROWS if row["model"] == "Qwen/Qwen3.5-27B")
    assert table_bytes(hybrid, "0.27.0", range(3)) == 0


@pytest.mark.parametrize("model", [SCOUT, SCOUT_W4A16, "RedHatAI/Llama-4-Scout-17B-16E-Instruct-FP8-dynamic"])
def test_scout_has_tables_of_2_5_gib_on_every_gpu_whatever_the_context(model: str) -> None:
    for context in (1024, 16384):
        plan = planned(model, "g6e.48xlarge", max_model_len=context)
        assert {stage.tables.size_bytes for stage in laid_out(plan).stages} == {2.5 * BYTES_PER_GIB}
        stage, account = laid_out(plan).tightest, plan_json(plan)["memory_per_gpu"]
        assert account["weights_gib"] == pytest.approx(stage.weights.size_bytes / BYTES_PER_GIB + 2.5, abs=0.01)
        parts = ("weights_gib", "activations_gib", "overhead_gib", "kv_cache_gib")
        assert sum(account[part] for part in parts) == pytest.approx(account["budget_gib"], abs=0.02)


@pytest.mark.parametrize(
    ("rope", "eager", "value_bytes"),
    [({"type": "yarn", "factor": 64.0}, True, 4), ({"type": "yarn", "factor": 64.0}, False, 2), (None, True, 2)],
)
def test_deepseek_s_scaled_table_is_wide_without_compilation(
    rope: dict[str, Any] | None, eager: bool, value_bytes: int
) -> None:
    config = {**find_model("deepseek-ai/DeepSeek-R1").config, "max_position_embeddings": 1024, "rope_scaling": rope}
    model = parse_config(config, where="test")
    requested = ServingOptions(vllm_version="0.27.0", enforce_eager=eager)
    options = resolve(requested, find_instance("g5.48xlarge"), context_limit_tokens=8192)
    rows = 1024 * (64 if rope else 1)
    assert rotary_term(model, options, 86, layers=range(2)).size_bytes == rows * 64 * value_bytes


@pytest.mark.parametrize(("sm", "value_bytes"), [(75, 4), (80, 2)])
def test_a_model_that_runs_in_float32_has_wide_tables(sm: int, value_bytes: int) -> None:
    """Gemma 2 is not stable in float16, and GPUs before Ampere have no bfloat16."""
    model = find_model("google/gemma-2-9b-it").architecture
    options = resolve(ServingOptions(), find_instance("g5.48xlarge"), context_limit_tokens=8192)
    found = rotary_term(model, options, sm, layers=range(2))
    assert found.size_bytes == 8192 * 256 * value_bytes
