"""An invalid config.json: one message with all its errors, and never a traceback."""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.plans import LLAMA_70B
from vllm_eks.cli.views.plan_json import plan_json
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.known_models import LOCKED, ModelFacts
from vllm_eks.planner.search.plan_model import plan


def config_of(name: str) -> dict[str, Any]:
    return json.loads((LOCKED / f"{name}.json").read_text())["config"]


LLAMA, SCOUT = LLAMA_70B.replace("/", "--"), "meta-llama--Llama-4-Scout-17B-16E-Instruct"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            LLAMA,
            {"hidden_size": "8192", "vocab_size": 0, "num_key_value_heads": "8", "head_dim": 1.5},
            'x: config.json has hidden_size "8192": write a whole number above 0, without quotes; '
            'it has num_key_value_heads "8": write a whole number from 0 to 1,000,000,000, without quotes; '
            "it has head_dim 1.5: write a whole number from 0 to 1,000,000,000; "
            "it has vocab_size 0: write a whole number above 0",
        ),
        (
            LLAMA,
            {"num_hidden_layers": 10**8},
            "x: config.json has num_hidden_layers 100000000, which is more than any model has",
        ),
        (
            LLAMA,
            {"hidden_size": 32, "head_dim": None},
            "x: config.json has more attention heads (64) than hidden_size (32)",
        ),
        (
            LLAMA,
            {"layer_types": ["full_attention"]},
            "x: config.json has a layer_types of 1 entries: write one for each of its 80 layers",
        ),
        (LLAMA, {"text_config": [1]}, "x: config.json has text_config [1]: write a JSON object"),
        (SCOUT, {"vision_config": "large"}, 'x: config.json has vision_config "large": write a JSON object'),
        (
            "Qwen--Qwen3-30B-A3B",
            {"mlp_only_layers": "all"},
            'x: config.json has mlp_only_layers "all": write a list of layer numbers',
        ),
        (LLAMA, {"quantization_config": "fp8"}, 'x: config.json has quantization_config "fp8": write a JSON object'),
        (
            LLAMA,
            {"quantization_config": {"quant_method": "gptq", "bits": "four"}},
            'x: config.json has quantization_config.bits "four": write a whole number from 1 to 16',
        ),
        (
            LLAMA,
            {"quantization_config": {"quant_method": "awq", "bits": 64}},
            "x: config.json has quantization_config.bits 64: write a whole number from 1 to 16",
        ),
        (
            LLAMA,
            {"quantization_config": {"quant_method": "fp8", "weight_block_size": [0, 128]}},
            "x: config.json has quantization_config.weight_block_size [0, 128]: write a list of two whole numbers "
            "above 0",
        ),
        (
            LLAMA,
            {"quantization_config": {"quant_method": "fp8", "weight_block_size": [128]}},
            "x: config.json has quantization_config.weight_block_size [128]: write a list of two whole numbers above 0",
        ),
        (
            LLAMA,
            {"sliding_window_pattern": "auto"},
            'x: config.json has sliding_window_pattern "auto": write a whole number from 0 to 1,000,000,000, or L '
            "or G by layer",
        ),
        (
            LLAMA,
            {"sliding_window_pattern": "LLG"},
            'x: config.json has sliding_window_pattern "LLG": write a whole number from 0 to 1,000,000,000',
        ),
    ],
)
def test_all_errors_of_a_config_are_reported_at_once(name: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(WrongQuestion) as caught:
        parse_config(config_of(name) | change, where="x")
    assert str(caught.value) == message


def keys(section: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in section.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from keys(value, (*above, key))


CONFIGS = [json.loads(path.read_text())["config"] for path in sorted(LOCKED.glob("*.json"))]
GARBAGE = [None, 0, -1, 1.5, "x", "4096", [], [1, 2], {}, True, 10**8, "auto", float("nan")]


@given(st.data())
def test_a_garbled_config_is_planned_or_refused_and_never_raises_anything_else(data: st.DataObject) -> None:
    config = copy.deepcopy(data.draw(st.sampled_from(CONFIGS)))
    *above, last = data.draw(st.sampled_from(list(keys(config))))
    section = config
    for key in above:
        section = section[key]
    section[last] = data.draw(st.sampled_from(GARBAGE))
    machine = find_instance(data.draw(st.sampled_from(["g5.xlarge", "g5.48xlarge", "p5.48xlarge"])))
    options = ServingOptions(vllm_version=data.draw(st.sampled_from(["0.10.2", "0.21.0", "0.33.0"])))
    with suppress(WrongQuestion):
        model = ModelFacts(
            id="x",
            revision=None,
            gated=False,
            architecture=parse_config(config, where="x"),
            weights_source="computed",
            known_weights_bytes=None,
        )
        json.dumps(plan_json(plan(model, machine, options)))
