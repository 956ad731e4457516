"""Another rope scaling than the model's own: what it says, how vLLM takes it, and the context that follows.

Tried on vLLM 0.21.0, 0.27.0 and 0.32.0: with these overrides of Qwen3 8B each accepts 131,072 tokens and refuses one
more.
"""

import re
from typing import Any

import pytest

from vllm_eks.planner.engine.rope_scaling import RopeScaling, hf_overrides, lacks_theta, parse_rope_scaling
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.search.named_models import with_rope_scaling
from vllm_eks.planner.vllm_version import parse_version

QWEN, QWEN_VL = "Qwen/Qwen3-8B", "Qwen/Qwen3.5-27B"
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
LINEAR = {"type": "linear", "factor": 2}


def limit(model: str, scaling: dict[str, Any], version: str) -> int:
    parsed = parse_version(version)
    facts = with_rope_scaling(find_model(model), parse_rope_scaling(scaling), parsed)
    return facts.architecture.context_limit(parsed)


@pytest.mark.parametrize("version", ["0.21.0", "0.27.0", "0.32.0", "0.33.0"])
def test_the_longest_context_follows_the_scaling(version: str) -> None:
    assert find_model(QWEN).architecture.context_limit(parse_version(version)) == 40960
    assert limit(QWEN, YARN, version) == 131072
    assert limit(QWEN, LINEAR, version) == 81920
    (table,) = with_rope_scaling(
        find_model(QWEN), parse_rope_scaling(YARN), parse_version(version)
    ).architecture.rotary_tables
    assert table.positions == 131072


@pytest.mark.parametrize(
    ("version", "overrides"),
    [
        ("0.11.2", {"rope_scaling": YARN}),
        ("0.27.0", {"rope_parameters": YARN | {"rope_theta": 1e6}}),
        ("0.30.0", {"rope_parameters": YARN | {"rope_theta": 1e6}, "max_position_embeddings": 131072}),
    ],
)
def test_overrides_have_the_form_that_the_version_takes(version: str, overrides: dict[str, Any]) -> None:
    scaling = parse_rope_scaling(YARN | {"rope_theta": 1e6})
    assert hf_overrides(scaling, find_model(QWEN).config, parse_version(version)) == overrides
    assert hf_overrides(scaling, {"text_config": {}}, parse_version(version)) == {"text_config": overrides}


def test_linear_scaling_lengthens_the_context_by_itself() -> None:
    assert hf_overrides(parse_rope_scaling(LINEAR), {"rope_theta": 5}, (0, 33, 0)) == {
        "rope_parameters": {"rope_theta": 5, "rope_type": "linear", "factor": 2}
    }


def test_a_rope_theta_that_would_be_lost_must_be_given() -> None:
    scaling, config = parse_rope_scaling(YARN), find_model(QWEN).config
    older = {key: value for key, value in config.items() if key != "rope_theta"}
    assert lacks_theta(scaling, older, (0, 27, 0))
    assert not lacks_theta(scaling, config, (0, 27, 0)), "its lock file has the base"
    assert not lacks_theta(parse_rope_scaling(YARN | {"rope_theta": 1e6}), older, (0, 27, 0))
    assert not lacks_theta(scaling, {"rope_parameters": {"rope_theta": 1e6}}, (0, 27, 0))
    assert not lacks_theta(scaling, find_model(QWEN_VL).config, (0, 27, 0)), "merged into the section of the text"
    assert not lacks_theta(scaling, older, (0, 11, 2)), "rope_theta is next to rope_scaling"


def test_lists_are_kept() -> None:
    long = {
        "rope_type": "longrope",
        "short_factor": [1.0],
        "long_factor": [2, 3],
        "original_max_position_embeddings": 4096,
    }
    scaling = parse_rope_scaling(long)
    assert scaling == RopeScaling(
        kind="longrope",
        parameters=(("short_factor", (1.0,)), ("long_factor", (2, 3)), ("original_max_position_embeddings", 4096)),
    )
    assert scaling.by_name == long
    assert scaling.stretched_tokens is None


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"factor": 2}, "rope_type is missing: set one of linear, dynamic, yarn, llama3, longrope"),
        ({"ropeType": "yarn"}, "'ropeType' is not a parameter of rope scaling: did you mean rope_type?"),
        (
            {"rope_type": "yarn"},
            "yarn needs factor, original_max_position_embeddings: copy them from the model's documentation",
        ),
        (LINEAR | {"facto": 2}, "'facto' is not a parameter of rope scaling: did you mean factor?"),
        ({"type": "linear", "factor": 0}, "factor 0 is not a number above 0"),
        ({"type": "linear", "factor": "2"}, "factor '2' is not a number above 0"),
        (
            YARN | {"original_max_position_embeddings": 4096.5},
            "original_max_position_embeddings 4096.5 is not a whole number of tokens",
        ),
    ],
)
def test_a_scaling_that_vllm_could_not_use_is_an_error(given: dict[str, Any], error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error[:12])) as refused:
        parse_rope_scaling(given)
    assert str(refused.value) == error
