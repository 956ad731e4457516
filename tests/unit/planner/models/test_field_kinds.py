"""A value of another kind in a config.json is an error of the file, for families and for every other architecture."""

import ast
import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models import from_fields
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.defaults import fill_defaults
from vllm_eks.planner.models.field_kinds import DECODER, LINEAR, TOWER, wrong_fields
from vllm_eks.planner.models.weights import compute_parts

ORACLE = Path(__file__).parents[3] / "data" / "oracle"
PUBLISHED = [
    row["config"] for name in ("public", "drawn") for row in json.loads((ORACLE / f"{name}.json").read_text())["models"]
]


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"n_embd": "4096"}, 'has n_embd "4096": write a whole number above 0, without quotes'),
        ({"hidden_size": [1]}, "has hidden_size [1]: write a whole number above 0"),
        ({"loop_num": 10**8}, "has loop_num 100000000: write a whole number from 1 to 1,000"),
        ({"model_max_length": 10**31}, f"has model_max_length 1{'0' * 31}: write a number above 0"),
        (
            {"attention_other_setting": {"head_dim": -1}},
            "has attention_other_setting.head_dim -1: write a whole number from 0 to 1,000,000,000",
        ),
        ({"num_layers": 0}, "has num_layers 0: write a whole number above 0"),
        ({"head_dim": -1}, "has head_dim -1: write a whole number from 0 to 1,000,000,000"),
        ({"n_head": float("nan")}, "has n_head NaN: write a whole number from 0 to 1,000,000,000"),
        ({"kv_lora_rank": 10**400}, f"has kv_lora_rank 1{'0' * 59}...: write a whole number from 0 to 1,000,000,000"),
        ({"num_key_value_heads": ["x"]}, 'has num_key_value_heads ["x"]: write a whole number from 0 to 1,000,000,000'),
        ({"tie_word_embeddings": "no"}, 'has tie_word_embeddings "no": write true or false'),
        ({"layer_types": {}}, "has layer_types {}: write a list"),
        ({"architectures": [None]}, "has architectures [null]: write a list of names"),
        ({"hybrid_override_pattern": 1}, "has hybrid_override_pattern 1: write text"),
        ({"rope_scaling": {"factor": "4"}}, 'has rope_scaling.factor "4": write a number above 0, without quotes'),
        (
            {"text_config": {"rope_parameters": {"full_attention": {"factor": -4}}}},
            "has text_config.rope_parameters.full_attention.factor -4: write a number above 0",
        ),
        ({"vision_config": []}, "has vision_config []: write a JSON object"),
        ({"vision_config": {"patch_size": 0}}, "has vision_config.patch_size 0: write a whole number above 0"),
        (
            {"linear_attn_config": {"kda_layers": 3}},
            "has linear_attn_config.kda_layers 3: write a list of layer numbers",
        ),
        (
            {"quantization_config": {"config_groups": {"group_0": {"weights": {"num_bits": "4"}}}}},
            'has quantization_config.config_groups.group_0.weights.num_bits "4": write a whole number from 1 to 16, '
            "without quotes",
        ),
        (
            {"quantization_config": {"config_groups": ["x"]}},
            'has quantization_config.config_groups ["x"]: write a JSON object of objects',
        ),
        (
            {"quantization_config": {"ignore": "lm_head"}},
            'has quantization_config.ignore "lm_head": write a list of names',
        ),
    ],
)
def test_the_error_for_a_value_of_another_kind_has_its_path(section: dict[str, Any], message: str) -> None:
    assert list(wrong_fields(section)) == [message]


def test_null_is_absent_and_numbers_for_each_layer_are_valid() -> None:
    assert not list(wrong_fields({"head_dim": None, "num_attention_heads": [8, None, 16], "image_size": [1, 2]}))


@pytest.mark.parametrize("config", PUBLISHED, ids=[str(n) for n in range(len(PUBLISHED))])
def test_published_files_have_no_wrong_field(config: dict[str, Any]) -> None:
    assert not list(wrong_fields(fill_defaults(config)))


def _counted() -> Iterator[tuple[str, str]]:
    """Yield each name that from_fields reads as a number, with its file."""
    for file in Path(from_fields.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("count", "_needed"):
                yield from (
                    (argument.value, file.name)
                    for argument in node.args[1:]
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                )


IN_SECTIONS = {"n_heads_in_group", "num_attention_groups", "sparse_index_dim", "sparse_num_index_heads"}
"""Of sections that differ from layer to layer."""


def test_every_number_that_is_read_has_a_kind() -> None:
    read = dict(_counted())
    assert len(read) > 80
    assert {name: file for name, file in read.items() if name not in {*DECODER, *TOWER, *LINEAR, *IN_SECTIONS}} == {}


GARBAGE = [None, 0, -1, 1.5, "x", "4096", [], [1, 2], {}, True, 10**8, 10**400, float("inf"), float("nan")]


@given(st.data())
def test_a_garbled_config_of_any_architecture_is_read_or_refused(data: st.DataObject) -> None:
    config = copy.deepcopy(data.draw(st.sampled_from(PUBLISHED)))
    section = config
    while True:
        key = data.draw(st.sampled_from(sorted(section)))
        if not isinstance(section[key], dict) or not section[key] or data.draw(st.booleans()):
            break
        section = section[key]
    section[key] = data.draw(st.sampled_from(GARBAGE))
    with suppress(WrongQuestion):
        assert compute_parts(parse_config(fill_defaults(config), where="x")).total_bytes > 0
