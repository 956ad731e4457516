"""Layers for multi-token prediction have the bytes that vLLM's own classes have (tests/data/oracle/drafts.json)."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.planner.engine.counted_flags import checked_flags
from vllm_eks.planner.engine.engine_flags import NO_FLAGS
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.engine.speculation import Speculation
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.memory.draft import draft_term
from vllm_eks.planner.models.config_json import parse_config
from vllm_eks.planner.models.known_models import ModelFacts, find_model

TABLE = json.loads((Path(__file__).parents[3] / "data" / "oracle" / "drafts.json").read_text())
ROWS, HEADS = TABLE["rows"], TABLE["heads"]
MTP = ("--speculative-config", '{"method": "mtp", "num_speculative_tokens": 1}')


def asked_model(row: dict[str, object]) -> ModelFacts:
    """The model that vLLM was asked for: a locked one, of some rows without a key of its config."""
    facts = find_model(str(row["model"]))
    if "without" not in row:
        return facts
    config = {key: value for key, value in facts.config.items() if key != row["without"]}
    architecture = parse_config(config, where=facts.id)
    return replace(facts, config=config, architecture=architecture, weights_source="computed", known_weights_bytes=None)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['model']}-tp{row['tensor_parallel_size']}")
def test_layers_for_multi_token_prediction_have_the_bytes_of_vllm_s_class(row: dict[str, object]) -> None:
    version, tp = str(row["vllm"]), int(str(row["tensor_parallel_size"]))
    asked = ServingOptions(flags=checked_flags(MTP, version), vllm_version=version)
    options = resolve(asked, find_instance("p5.48xlarge"), context_limit_tokens=8192)
    term = draft_term(asked_model(row), options, tensor_parallel_size=tp, stages=1)
    assert term is not None
    assert term.bytes.low == term.bytes.high == pytest.approx(row["bytes"], rel=0.005)


@pytest.mark.parametrize(
    "row", HEADS, ids=lambda row: f"{row['target']}-{row['method']}-tp{row['tensor_parallel_size']}"
)
@pytest.mark.parametrize("locked", [True, False])
def test_a_head_has_the_bytes_of_vllm_s_class(row: dict[str, Any], locked: bool) -> None:
    facts = find_model(row["target"])
    head = replace(
        facts,
        id="org/head",
        config=row["config"],
        architecture=parse_config(row["config"], where="org/head"),
        header_parts=None,
        known_weights_bytes=None,
    )
    drafting = Speculation(method=row["method"], tokens=3, model="org/head", draft=head if locked else None)
    options = resolve(
        ServingOptions(flags=replace(NO_FLAGS, speculation=drafting)),
        find_instance("p5.48xlarge"),
        context_limit_tokens=8192,
    )
    term = draft_term(facts, options, tensor_parallel_size=row["tensor_parallel_size"], stages=1)
    assert term is not None
    assert term.bytes.best == pytest.approx(row["bytes"], rel=0.005)
    assert (term.bytes.high == term.bytes.best) is locked, "a head that is not locked may be twice as large"


def test_the_rows_have_unquantized_drafts_of_quantized_models_and_drafts_of_separate_layers() -> None:
    classes = {(row["model"], row["class"]) for row in ROWS}
    assert ("nvidia/DeepSeek-V3.1-NVFP4", "DeepSeekMTP") in classes
    assert ("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8", "NemotronHMTP") in classes
