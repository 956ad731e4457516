"""Warnings about unrequested costs: one sentence each, with both prices."""

import pytest

from tests.support.plans import LLAMA_8B, LLAMA_70B, QWEN_8B, planned
from vllm_eks.cli.views.plan_json import plan_json


@pytest.mark.parametrize(
    ("model", "instance", "requested", "warnings"),
    [
        (
            QWEN_8B,
            "g5.48xlarge",
            {"tensor_parallel_size": 2},
            ["6 of 8 GPUs of 1 x g5.48xlarge ($16.29/h) stay idle: 4 replicas cost no more"],
        ),
        (
            QWEN_8B,
            "g5.48xlarge",
            {"tensor_parallel_size": 2, "replicas": 5},
            ["6 of 16 GPUs of 2 x g5.48xlarge ($32.58/h) stay idle: 8 replicas cost no more"],
        ),
        (
            LLAMA_70B,
            "g6.48xlarge",
            {"tensor_parallel_size": 4, "pipeline_parallel_size": 3},
            ["12 of 24 GPUs of 3 x g6.48xlarge ($40.05/h) stay idle"],
        ),
        (
            LLAMA_70B,
            "g5.48xlarge",
            {"max_num_seqs": 512, "max_num_batched_tokens": 8192},
            [
                "one g5.48xlarge does not hold a replica (weights_do_not_fit): TP=8 PP=2 needs 2 x g5.48xlarge "
                "($32.58/h) instead of 1 x g5.48xlarge ($16.29/h); --max-num-seqs 128 (instead of 512) fits 1 x "
                "g5.48xlarge ($16.29/h); to accept this without a warning, set --pipeline-parallel-size 2"
            ],
        ),
        (LLAMA_70B, "g5.48xlarge", {"pipeline_parallel_size": 2}, []),
        (LLAMA_8B, "g5.xlarge", {}, []),
        (
            "Qwen/Qwen3-30B-A3B-FP8",
            "g5.12xlarge",
            {},
            [
                "2 of 4 GPUs of 1 x g5.12xlarge ($5.67/h) stay idle: 2 replicas cost no more",
                "--enable-expert-parallel keeps each expert on one GPU, which allows TP=4 PP=1 on 1 x g5.12xlarge "
                "($5.67/h) instead of TP=2 PP=1 on 1 x g5.12xlarge ($5.67/h)",
            ],
        ),
    ],
)
def test_costs_that_no_setting_asks_for_get_a_warning_with_both_prices(
    model: str, instance: str, requested: dict[str, object], warnings: list[str]
) -> None:
    found = planned(model, instance, **requested)
    assert found.fits
    assert list(found.warnings) == warnings
    assert plan_json(found)["warnings"] == warnings
