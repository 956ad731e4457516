"""Every flag that a plan or the chart writes exists in the vLLM versions it is for, and its value has the right form.

The tables in tests/data/vllm_flags hold the flags of `vllm serve`, read from the sources of each version.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from asking import LLAMA_8B, MIXTRAL, QWEN_8B, QWEN_235B, SCOUT, SCOUT_W4A16, planned

from planner.options import KV_CACHE_DTYPES, ServingOptions
from planner.versions import NATIVE_MULTI_NODE, parse_version
from planner.vllm_args import CHART_OWNED_FLAGS, PLANNER_OWNED_FLAGS, vllm_args

TABLES = Path(__file__).parent / "data" / "vllm_flags"
CHART_ARGS = Path(__file__).parent.parent / "charts" / "vllm" / "templates" / "_container.tpl"
VERSIONS = ("0.11.2", "0.21.0", "0.33.0")

FlagRow = Mapping[str, Any]

FORMS = {
    "integer": re.compile(r"-?\d+"),
    # 32768, 32k (thousands), 32K (1024s), and decimals before the small letter.
    "human_integer": re.compile(r"\d+[kKmMgGtT]?|\d+\.\d+[kmgt]"),
    "float": re.compile(r"\d*\.?\d+"),
    "string": re.compile(r"[^-].*"),
}

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


@cache
def table(version: str) -> dict[str, FlagRow]:
    """Return the rows of a version by their main flag."""
    return json.loads((TABLES / f"{version}.json").read_text())["flags"]


def spellings(flag: str, row: FlagRow) -> set[str]:
    """Return every name under which vLLM takes a flag; `--no-` forms apart, which config.extra_args undoes."""
    return {flag, *row["aliases"], *row.get("inverses", ())}


def faults_of(args: Sequence[str], version: str) -> Iterator[str]:
    """Yield what this version would not take."""
    rest = list(args)
    seen: set[str] = set()
    while rest:
        flag = rest.pop(0)
        row = table(version).get(flag)
        if row is None:
            yield f"{flag} is no flag of vLLM {version}"
            return
        if flag in seen:
            yield f"{flag} is given twice"
        seen.add(flag)
        if row["form"] != "flag":
            value = rest.pop(0) if rest else None
            if value is None or not has_form(value, row):
                yield f"{flag} {value!r} is not of the form {row['form']} in vLLM {version}"


def has_form(value: str, row: FlagRow) -> bool:
    """Say whether the value is one that the flag takes."""
    if row["form"] == "choice":
        return value in map(str, row["choices"])
    if row["form"] == "json":
        try:
            return isinstance(json.loads(value), dict)
        except ValueError:
            return False
    return FORMS[row["form"]].fullmatch(value) is not None


def chart_flags() -> tuple[set[str], set[str]]:
    """Return the flags the chart writes: for every group, and only for groups of several nodes."""
    text = CHART_ARGS.read_text().partition('define "vllm.env"')[0]
    single, _, several = text.partition("(int $values.pipelineParallelSize) 1")
    flag = re.compile(r'^- "(--[a-z-]+)"$', re.MULTILINE)
    return set(flag.findall(single)), set(flag.findall(several))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("case", WISHES)
def test_every_argument_of_a_plan_is_one_vllm_takes(case: str, version: str) -> None:
    model, instance, wishes = WISHES[case]
    plan = planned(model, instance, **wishes, vllm_version=version)
    args = vllm_args(plan)

    assert plan.fits, plan.refusals
    assert list(faults_of(args, version)) == []
    for name in wishes:
        assert f"--{name.replace('_', '-')}" in args


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["--swap-space", "4"], "--swap-space is no flag of vLLM 0.33.0"),
        (["--max-num-seqs", "64", "--max-num-seqs", "8"], "--max-num-seqs is given twice"),
        (["--max-num-seqs", "64.0"], "--max-num-seqs '64.0' is not of the form integer in vLLM 0.33.0"),
        (["--max-num-seqs"], "--max-num-seqs None is not of the form integer in vLLM 0.33.0"),
        (["--max-model-len", "32 k"], "--max-model-len '32 k' is not of the form human_integer in vLLM 0.33.0"),
        (["--gpu-memory-utilization", "0,9"], "--gpu-memory-utilization '0,9' is not of the form float in vLLM 0.33.0"),
        (["--kv-cache-dtype", "fp9"], "--kv-cache-dtype 'fp9' is not of the form choice in vLLM 0.33.0"),
        (
            ["--limit-mm-per-prompt", "image=1"],
            "--limit-mm-per-prompt 'image=1' is not of the form json in vLLM 0.33.0",
        ),
        (["--enforce-eager", "true"], "true is no flag of vLLM 0.33.0"),
    ],
)
def test_a_wrong_argument_is_found(args: list[str], fault: str) -> None:
    assert list(faults_of(args, "0.33.0")) == [fault]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_flag_the_chart_writes_exists(version: str) -> None:
    single, several = chart_flags()

    assert {"--served-model-name", "--port"} <= single
    assert {"--nnodes", "--node-rank", "--master-addr", "--master-port", "--headless"} <= several
    assert single <= table(version).keys()
    assert parse_version(version) >= NATIVE_MULTI_NODE
    assert several <= table(version).keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_no_other_spelling_of_an_owned_flag_is_free(version: str) -> None:
    owned = PLANNER_OWNED_FLAGS | CHART_OWNED_FLAGS
    free = {
        other
        for flag, row in table(version).items()
        if spellings(flag, row) & owned
        for other in spellings(flag, row) - owned
    }
    assert free == set()


def test_what_the_chart_writes_is_its_own() -> None:
    single, several = chart_flags()
    assert single | several <= CHART_OWNED_FLAGS


def test_what_a_plan_writes_is_the_planner_s_own() -> None:
    written = {
        arg
        for model, instance, wishes in WISHES.values()
        for arg in vllm_args(planned(model, instance, **wishes))
        if arg.startswith("--")
    }
    assert written <= PLANNER_OWNED_FLAGS


def test_every_owned_flag_is_one_of_some_version() -> None:
    known = {name for version in VERSIONS for flag, row in table(version).items() for name in spellings(flag, row)}
    assert known >= PLANNER_OWNED_FLAGS | CHART_OWNED_FLAGS


def test_the_tables_name_their_source() -> None:
    for version in VERSIONS:
        source = json.loads((TABLES / f"{version}.json").read_text())["source"]
        assert source.startswith(f"Python wheel vllm {version}: ") or (
            version == "0.21.0" and source.startswith("Python wheels vllm 0.20.2 and 0.22.0: ")
        )
