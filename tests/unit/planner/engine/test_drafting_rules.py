"""Batches that drafted tokens do not fit into, and scheduling that some drafters exclude."""

import pytest

from tests.support.plans import LLAMA_8B
from vllm_eks.planner.engine.drafting_rules import drafting_errors
from vllm_eks.planner.engine.engine_flags import EngineFlags
from vllm_eks.planner.engine.options import ServingOptions, resolve
from vllm_eks.planner.engine.speculation import Speculation
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.models.known_models import find_model


@pytest.mark.parametrize(
    ("method", "loras", "batch", "least"),
    [
        ("ngram", 0, 256, None),
        ("ngram", 1, 1023, 1024),
        ("ngram", 1, 1024, None),
        ("draft_model", 0, 256, 257),
        ("draft_model", 0, 257, None),
        ("dflash", 0, 512, 513),
    ],
)
def test_a_batch_has_room_for_drafted_tokens(method: str, loras: int, batch: int, least: int | None) -> None:
    flags = EngineFlags(speculation=Speculation(method=method, tokens=3))
    requested = ServingOptions(max_num_seqs=256, max_num_batched_tokens=batch, max_loras=loras, flags=flags)
    options = resolve(requested, find_instance("p5.48xlarge"), context_limit_tokens=8192)
    beside = " and LoRA adapters" if loras else ""
    text = (
        f"--max-num-batched-tokens {batch:,} is too small for --max-num-seqs 256 with 3 drafted tokens{beside}: set it "
        f"to {least:,} or more, or lower --max-num-seqs"
        if least
        else None
    )
    found = list(drafting_errors(find_model(LLAMA_8B).architecture, options, 1))
    assert found == ([text] if text else [])
