"""The longest context of a model, by its rope parameters and the vLLM version."""

from typing import Any

import pytest

from vllm_eks.planner.models.rope import context_limits

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


@pytest.mark.parametrize(
    ("text", "newer", "older"),
    [
        ({}, 1000, 1000),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, 2000, 2000),
        ({"rope_scaling": {"type": "dynamic", "factor": 4.0}}, 4000, 4000),
        ({"rope_scaling": {"type": "dynamic", "alpha": 1000.0}}, 1000, 1000),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 100}}, 1000, 1000),
        ({"rope_scaling": {"type": "longrope", "original_max_position_embeddings": 100}}, 1000, 1000),
        ({"rope_scaling": {"type": "su", "factor": 32.0}}, 1000, 1000),
        ({"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}}, 1000, 1000),
        ({"max_position_embeddings": 32768, "rope_scaling": YARN}, 32768, 131072),
        ({"max_position_embeddings": 131072, "rope_scaling": YARN}, 131072, 131072),
        ({"rope_parameters": {"rope_type": "deepseek_llama_scaling", "factor": 2.0}}, 1000, 2000),
        ({"rope_parameters": {"rope_type": "default", "factor": None}}, 1000, 1000),
        (
            {"rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 3.0}, "sliding_attention": {}}},
            3000,
            3000,
        ),
        ({"model_max_length": 8000}, 8000, 8000),
        ({"max_seq_len": 500}, 500, 500),
    ],
)
def test_the_context_follows_vllm_s_rule_for_every_kind_of_scaling(
    text: dict[str, Any], newer: int, older: int
) -> None:
    found = context_limits({"max_position_embeddings": 1000, **text}, model_type="llama")
    assert found == (newer, older)


def test_gemma_3_has_the_length_that_its_config_says() -> None:
    text = {"max_position_embeddings": 131072, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}
    assert context_limits(text, model_type="gemma3_text") == (131072, 131072)
