"""The described keys of `--json` against the printed object; those of a preview are in tests/program/test_preview."""

from tests.support.json_paths import json_paths
from tests.support.plans import LLAMA_8B, planned
from vllm_eks.cli.views.json_keys import PLAN_KEYS
from vllm_eks.cli.views.plan_json import plan_json


def test_every_key_of_a_plan_is_described_and_no_other() -> None:
    assert list(json_paths(plan_json(planned(LLAMA_8B)), PLAN_KEYS)) == list(PLAN_KEYS)
