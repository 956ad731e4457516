"""Values that depend on the vLLM version: parsers, LoRA ranks, data types of the KV cache, limits of modalities."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.cross_field.versions import version_errors, version_warnings
from config.settings.model import ModelSettings
from tests.support.plans import SCOUT, planned
from tests.support.stack_config import load_stack, model, report_of, write_stack
from vllm_eks.planner.engine.flag_tables import nearest_table
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.search.vllm_args import vllm_args

OWN = {"image": "registry.example/vllm:1"}


def said(**settings: Any) -> tuple[list[str], list[str]]:
    given = ModelSettings.model_validate(model(**settings))
    facts = find_model(given.model)
    return (
        [str(error) for error in version_errors(given, facts, "m")],
        [str(warning) for warning in version_warnings(given, facts, "m")],
    )


@pytest.mark.parametrize("version", ["0.21.0", "0.27.0", "0.32.0", "0.33.0"])
def test_every_name_and_rank_of_a_version_passes(version: str) -> None:
    table = nearest_table(version)
    own = {**OWN, "vllmVersion": version}
    assert {"llama4_json", "granite", "seed_oss"} <= set(table.tool_parsers)
    for name in table.tool_parsers:
        assert said(**own, toolCallParser=name) == ([], [])
    for name in table.reasoning_parsers:
        assert said(**own, reasoningParser=name) == ([], [])
    for rank in (1, 8, 16, 32, 64, 128, 256, 320, 512):
        assert said(**own, maxLoraRank=rank, loraModules={"a": "b/c"}) == ([], [])


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        (
            {"toolCallParser": "lama3_json"},
            "m.toolCallParser: 'lama3_json' is not a tool-call parser of vLLM 0.27.0: did you mean llama3_json?",
        ),
        (
            {"reasoningParser": "qwen"},
            "m.reasoningParser: 'qwen' is not a reasoning parser of vLLM 0.27.0: did you mean qwen3?",
        ),
        (
            {"maxLoraRank": 12, "loraModules": {"a": "b/c"}},
            "m.maxLoraRank: 12 is not a rank that vLLM 0.27.0 supports: set one of 1, 8, 16, 32, 64, 128, 256, 320, "
            "512",
        ),
        (
            {"kvCacheDtype": "int8_per_token_head"},
            "m.kvCacheDtype: the planner does not support a KV cache of int8_per_token_head yet: set one of auto, "
            "bfloat16, float16, fp8, fp8_e4m3, fp8_e5m2",
        ),
        (
            {"kvCacheDtype": "fp9"},
            "m.kvCacheDtype: 'fp9' is not a data type for the KV cache: set one of auto, bfloat16, float16, fp8, "
            "fp8_e4m3, fp8_e5m2",
        ),
        (
            {"kvCacheDtype": "fp8_e4m"},
            "m.kvCacheDtype: 'fp8_e4m' is not a data type for the KV cache: did you mean fp8_e4m3?",
        ),
        (
            {"kvCacheDtype": "float16"},
            "m.kvCacheDtype: float16 is not the data type of Qwen/Qwen3-8B, which vLLM requires: set auto or bfloat16",
        ),
    ],
)
def test_a_value_that_the_version_does_not_support_is_refused(settings: dict[str, Any], error: str) -> None:
    assert said(**settings) == ([error], [])


def test_a_custom_parser_is_accepted_or_warned_of() -> None:
    own = {**OWN, "vllmVersion": "0.27.0", "toolCallParser": "ours_json"}
    errors, (warning,) = said(**own)
    assert errors == []
    assert warning.startswith("m.toolCallParser: 'ours_json' is not a tool-call parser of vLLM 0.27.0: ")
    assert warning.endswith(", unless the image contains it")
    assert said(**own, extraArgs=["--tool-parser-plugin", "/opt/ours.py"]) == ([], [])
    assert said(**{**own, "toolCallParser": "hermes"}, extraArgs=["--tool-parser-plugin=/opt/ours.py"]) == ([], [])


def test_a_version_without_a_table_warns_and_says_which_was_used() -> None:
    errors, (warning,) = said(image="registry.example/vllm:1", vllmVersion="0.29.0", reasoningParser="brand_new_thing")
    assert errors == []
    assert warning.startswith("m.reasoningParser: 'brand_new_thing' is not a reasoning parser of vLLM 0.27.0: ")
    rank = {"maxLoraRank": 12, "loraModules": {"a": "b/c"}}
    assert said(image="registry.example/vllm:1", vllmVersion="0.29.0", **rank)[1] == [
        "m.maxLoraRank: 12 is not a rank that vLLM 0.29.0 supports: set one of 1, 8, 16, 32, 64, 128, 256, 320, 512 "
        "(compared "
        "with vLLM 0.27.0, the nearest version with a table)"
    ]


def test_sixteen_bits_are_planned_like_the_model_s_own() -> None:
    assert said(kvCacheDtype="bfloat16") == ([], [])
    plain, named = planned("Qwen/Qwen3-8B"), planned("Qwen/Qwen3-8B", kv_cache_dtype="bfloat16")
    assert named.kv_cache_tokens == plain.kv_cache_tokens
    assert vllm_args(named)[-2:] == ["--kv-cache-dtype", "bfloat16"]


# --- limitMmPerPrompt


def test_a_limit_with_sizes_is_vllm_s_own_object(folder: Path) -> None:
    limits = {"image": {"count": 2, "width": 512, "height": 512}, "video": 0}
    write_stack(
        folder, {"scout": model(model=SCOUT, instanceType="g5.48xlarge", limitMmPerPrompt=limits)}, huggingFaceToken="x"
    )
    options = load_stack(folder, "test").settings.models["scout"].serving_options()
    assert options.limit_mm_per_prompt == {"image": 2, "video": 0}
    plan = planned(SCOUT, limit_mm_per_prompt=options.limit_mm_per_prompt, mm_profile_sizes=options.mm_profile_sizes)
    args = vllm_args(plan)
    assert json.loads(args[args.index("--limit-mm-per-prompt") + 1]) == limits
    counts = planned(SCOUT, limit_mm_per_prompt=options.limit_mm_per_prompt)
    assert plan.kv_cache_tokens > counts.kv_cache_tokens
    assert said(model=SCOUT, limitMmPerPrompt=limits)[1] == [
        "m.limitMmPerPrompt: vLLM reserves memory for these sizes but accepts larger items: set the largest"
    ]


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"foo": 1}, "'foo' is not a modality in vLLM: use one of image, video, audio, vision_chunk"),
        ({"images": 1}, "'images' is not a modality in vLLM: did you mean image?"),
        ({"image": "1"}, "image: '1' is not a whole number of 0 or more"),
        ({"image": True}, "image: True is not a whole number of 0 or more"),
        ({"image": -1}, "image: -1 is not a whole number of 0 or more"),
        ({"image": {"count": 1, "width": 0}}, "image.width: 0 is not a whole number of 1 or more"),
        ({"audio": {"count": 1, "width": 5}}, "audio: 'width' is not one of its sizes: use count, length"),
    ],
)
def test_a_limit_that_vllm_does_not_support_is_refused(folder: Path, limits: dict[str, Any], error: str) -> None:
    write_stack(folder, {"scout": model(model=SCOUT, limitMmPerPrompt=limits)}, huggingFaceToken="x")
    assert report_of(folder, "test").splitlines()[1:] == [f"  vllm-eks:models.scout.limitMmPerPrompt: {error}"]
