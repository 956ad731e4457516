"""LoRA adapters in host memory."""

from tests.support.plans import LLAMA_8B, planned
from vllm_eks.planner.engine.counted_flags import engine_flags


def test_adapters_in_host_memory_count_against_the_node() -> None:
    few, many = (
        planned(LLAMA_8B, "g6e.xlarge", max_loras=2, max_lora_rank=64, flags=engine_flags(args, "0.27.0"))
        for args in ((), ("--max-cpu-loras", "48"))
    )
    assert few.verdict == "fits"
    assert [(refusal.code, refusal.message) for refusal in many.refusals[:1]] == [
        (
            "host_too_small",
            "1 workers need 29 GiB of host memory, 22 of it for what flags keep there, and the pods of g6e.xlarge get "
            "26 GiB",
        )
    ]
    below = planned(LLAMA_8B, "g6e.xlarge", max_loras=4, flags=engine_flags(("--max-cpu-loras", "2"), "0.27.0"))
    assert [(refusal.code, refusal.message) for refusal in below.refusals] == [
        (
            "engine_refuses",
            "--max-cpu-loras 2 is below the 4 adapters of a batch: set it to 4 or more, or remove it",
        )
    ]
