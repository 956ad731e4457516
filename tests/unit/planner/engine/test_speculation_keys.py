"""Keys and values of --speculative-config that vLLM refuses."""

import json
from typing import Any

import pytest

from tests.support.plans import LLAMA_8B, planned
from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.engine.counted_flags import checked_flags


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"method": "mtp"}, "num_speculative_tokens is missing: add it, for example 3"),
        (
            {"method": "eagel", "num_speculative_tokens": 1},
            "method: 'eagel' is not a valid choice: did you mean eagle?",
        ),
        ({"method": "ngram", "num_speculative_tokens": 0}, "num_speculative_tokens: 0 must be above 0"),
        ({"method": 1}, "method: 1 must be text or null"),
        (
            {"method": "ngram", "num_speculativ_tokens": 3},
            "unknown key 'num_speculativ_tokens': did you mean num_speculative_tokens?",
        ),
        (
            {"method": "ngram", "num_speculative_tokens": 3, "tensor_parallel_size": 2},
            "tensor_parallel_size is not for a drafter: use draft_tensor_parallel_size",
        ),
        (
            {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_min": 4, "prompt_lookup_max": 2},
            "prompt_lookup_min 4 is above prompt_lookup_max 2: lower it",
        ),
        (
            {"method": "mtp", "num_speculative_tokens": 1, "synthetic_acceptance_length": 1.5},
            'synthetic_acceptance_length needs "rejection_sample_method": "synthetic": add it, or remove the key',
        ),
        (
            {"method": "mtp", "num_speculative_tokens": 1, "use_heterogeneous_vocab": True},
            "use_heterogeneous_vocab is only for draft models, and the method is mtp: remove it",
        ),
        ({"method": "ngram", "num_speculative_tokens": 3, "wings": 2}, "unknown key 'wings': remove it"),
        (
            {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 0},
            "prompt_lookup_max: 0 must be 1 or more",
        ),
        (
            {"method": "mtp", "num_speculative_tokens": 1, "moe_backend": "tritn"},
            "moe_backend: 'tritn' is not a valid choice: did you mean triton?",
        ),
    ],
)
def test_keys_and_values_that_vllm_refuses_are_errors(config: dict[str, Any], error: str) -> None:
    with pytest.raises(WrongQuestion) as told:
        checked_flags(("--speculative-config", json.dumps(config)), "0.27.0")
    assert str(told.value) == f"--speculative-config: {error}"


def test_dashes_in_keys_are_accepted_by_the_versions_that_replace_them() -> None:
    args = ("--speculative-config", '{"method": "ngram", "num-speculative-tokens": 3}')
    speculation = checked_flags(args, "0.27.0").speculation
    assert speculation
    assert speculation.tokens == 3
    with pytest.raises(WrongQuestion) as told:
        checked_flags(args, "0.21.0")
    assert str(told.value) == (
        "--speculative-config: unknown key 'num-speculative-tokens': did you mean num_speculative_tokens?"
    )


def test_a_draft_model_may_have_another_vocabulary_if_asked() -> None:
    config = {"model": "Qwen/Qwen3-0.6B", "num_speculative_tokens": 1, "use_heterogeneous_vocab": True}
    flags = checked_flags(("--speculative-config", json.dumps(config)), "0.27.0")
    assert planned(LLAMA_8B, "p5.48xlarge", flags=flags).fits


def test_a_plan_with_a_drafter_that_is_not_locked_is_an_estimate() -> None:
    config = {"model": "org/eagle3-head", "num_speculative_tokens": 1}
    flags = checked_flags(("--speculative-config", json.dumps(config)), "0.27.0")
    assert planned(LLAMA_8B, "p5.48xlarge", flags=flags).confidence == "estimated"
    assert planned(LLAMA_8B, "p5.48xlarge").confidence == "known"


def test_the_package_of_suffix_is_named() -> None:
    flags = checked_flags(("--speculative-config", '{"method": "suffix"}'), "0.27.0")
    note = "the method suffix needs the package arctic-inference in the image: add it to an own image"
    assert note in planned(LLAMA_8B, "p5.48xlarge", flags=flags).notes
