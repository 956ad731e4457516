"""Every flag that a plan or the chart writes exists in the vLLM versions it is for, and its value has the right form.

The tables are the product's own (vllm_eks/data/vllm_flags), read off the parsers of each version.
"""

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.support.plans import LLAMA_8B, MIXTRAL, QWEN_8B, QWEN_235B, SCOUT, SCOUT_W4A16, planned
from vllm_eks.planner.engine.flag_dispositions import dispositions
from vllm_eks.planner.engine.flag_reading import read_flags
from vllm_eks.planner.engine.flag_tables import FlagTable, nearest_table
from vllm_eks.planner.engine.options import KV_CACHE_DTYPES, ServingOptions
from vllm_eks.planner.search.vllm_args import vllm_args

CHART_ARGS = Path(__file__).parents[4] / "charts" / "vllm" / "templates" / "_container.tpl"
VERSIONS = ("0.21.0", "0.27.0", "0.32.0", "0.33.0")

WISHES: dict[str, tuple[str, str, Mapping[str, Any]]] = {
    "plain": (LLAMA_8B, "g5.48xlarge", {}),
    "every size": (
        QWEN_8B,
        "g6e.12xlarge",
        {
            "tensor_parallel_size": 4,
            "max_model_len": 16384,
            "gpu_memory_utilization": 0.85,
            "max_num_seqs": 64,
            "max_num_batched_tokens": 4096,
        },
    ),
    "eager": (LLAMA_8B, "g5.48xlarge", {"enforce_eager": True}),
    "expert parallel": (MIXTRAL, "g5.48xlarge", {"enable_expert_parallel": True}),
    "quantized": (SCOUT_W4A16, "g5.48xlarge", {"max_model_len": 16384}),
    "two nodes, one image": (
        SCOUT,
        "g5.48xlarge",
        {"max_model_len": 16384, "max_num_seqs": 64, "limit_mm_per_prompt": {"image": 1}},
    ),
    **{
        f"kv cache {dtype}": (LLAMA_8B, "g6e.12xlarge", {"kv_cache_dtype": dtype})
        for dtype in KV_CACHE_DTYPES
        if dtype != "auto"
    },
}
if "decode_context_parallel_size" in {field.name for field in fields(ServingOptions)}:
    WISHES["decode context parallel"] = (
        QWEN_235B,
        "p5en.48xlarge",
        {"tensor_parallel_size": 8, "decode_context_parallel_size": 2},
    )


def table(version: str) -> FlagTable:
    found = nearest_table(version)
    assert found.version == version
    return found


def chart_flags() -> tuple[set[str], set[str]]:
    """Return the flags the chart writes: for every group, and only for groups of several nodes."""
    text = CHART_ARGS.read_text().partition('define "vllm.env"')[0]
    single, _, several = text.partition("(int $values.pipelineParallelSize) 1")
    flag = re.compile(r'^- "(--[a-z-]+)"$', re.MULTILINE)
    return set(flag.findall(single)), set(flag.findall(several))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", WISHES)
def test_vllm_accepts_every_argument_of_a_plan(case: str, version: str) -> None:
    model, instance, requested = WISHES[case]
    plan = planned(model, instance, **requested, vllm_version=version)
    args = vllm_args(plan)

    assert plan.fits, plan.refusals
    assert read_flags(args, table(version).by_spelling).errors == []
    for name in requested:
        assert f"--{name.replace('_', '-')}" in args


@pytest.mark.parametrize("version", VERSIONS)
def test_every_flag_the_chart_writes_exists(version: str) -> None:
    single, several = chart_flags()

    assert {"--served-model-name", "--port"} <= single
    assert {"--nnodes", "--node-rank", "--master-addr", "--master-port", "--headless"} <= several
    assert single | several <= table(version).flags.keys()


def test_the_stack_file_may_not_set_the_flags_of_the_chart() -> None:
    single, several = chart_flags()
    assert single | several <= dispositions().owned


def test_the_stack_file_may_not_set_the_flags_of_a_plan() -> None:
    written = {
        arg
        for model, instance, requested in WISHES.values()
        for arg in vllm_args(planned(model, instance, **requested))
        if arg.startswith("--")
    }
    assert written - {"--decode-context-parallel-size"} <= dispositions().owned
