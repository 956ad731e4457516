"""The models that questions are drawn about: the locked ones, and one of each other architecture of the table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.accuracy.question import Question
from vllm_eks.json_values import is_object
from vllm_eks.planner.models.architecture import Architecture
from vllm_eks.planner.models.known_models import find_model
from vllm_eks.planner.models.lock_folders import locked_model_ids

NOT_DRAWN = ("hand-Qwen4ExpMM", "default-MuseGlimmerForConditionalGeneration", "default-Gemma4ForCausalLM")
"""Models whose row leaves out a field that vLLM reads, or that has layers by number where a cut model lacks them."""
OTHERS = Path(__file__).parents[1] / "data" / "oracle" / "drawn.json"


@dataclass(frozen=True)
class DrawnModel:
    """A model with the config.json that vLLM can read."""

    name: str
    config: Mapping[str, Any]

    @cached_property
    def architecture(self) -> Architecture:
        """What the planner reads from the config."""
        return Question({"config": self.config}).facts.architecture

    @property
    def is_cut(self) -> bool:
        """Whether its layers are counted where `cut_config` looks for them."""
        text = self.config.get("text_config")
        return "num_hidden_layers" in (text if is_object(text) else self.config)


def locked_models() -> list[DrawnModel]:
    """Return the locked models."""
    return [DrawnModel(name, find_model(name).config) for name in locked_model_ids()]


def other_models() -> list[DrawnModel]:
    """Return the models of the table that the planner can plan and that are not locked."""
    rows = [row for row in json.loads(OTHERS.read_text())["models"] if "--" not in row["model"]]
    drawn = [row for row in rows if row["model"] not in NOT_DRAWN and Question(row).unmapped is None]
    return [DrawnModel(row["model"], row["config"]) for row in drawn]
