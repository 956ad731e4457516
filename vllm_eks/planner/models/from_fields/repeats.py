"""Models that run more layers than their config.json counts: each run has a cache of its own.

They are read as that many layers. The runs after the first of a layer have no weights.
"""

from collections.abc import Mapping
from typing import Any

from vllm_eks.errors import WrongQuestion
from vllm_eks.planner.models.counts import count
from vllm_eks.planner.models.from_fields.words import Repeats

CYCLES = ("num_layers_per_stack", "H_cycles", "L_cycles")
USUAL_LOOPS = 2
USUAL_LOOP_WINDOW = 64
"""Defaults of models/iquest_loopcoder.py."""


def unfold(fields: dict[str, Any], repeats: Repeats | None, *, where: str) -> int | None:
    """Write the layers that run into the decoder's fields, and return how many of them have weights, None for all.

    Raises:
        WrongQuestion: A number of cycles is missing.
    """
    layers = count(fields, "num_hidden_layers")
    match repeats:
        case "halves":
            fields["num_hidden_layers"] = 2 * layers
            fields["moe_layers"] = list(range(0, 2 * layers, 2))
            fields["shared_expert_intermediate_size"] = count(fields, "intermediate_size")
            return None
        case "loops":
            loops = count(fields, "loop_num") or USUAL_LOOPS
            fields["num_hidden_layers"] = loops * layers
            fields["layer_types"] = ["full_attention"] * layers + ["sliding_attention"] * (loops - 1) * layers
            fields["sliding_window"] = count(fields, "loop_window_size") or USUAL_LOOP_WINDOW
            return layers
        case "cycles":
            for name in CYCLES:
                if not count(fields, name):
                    raise WrongQuestion(f"{where}: config.json needs a whole number above 0 for {name}")
            stack, outer, inner = (count(fields, name) for name in CYCLES)
            fields["num_hidden_layers"] = stack * outer * (inner + 1)
            return 2 * stack
        case "shared":
            fields["head_dim"] = count(fields, "attention_head_dim") or count(fields, "head_dim")
            return None
        case None:
            return None


def shared_parameters(fields: Mapping[str, Any], users: int) -> int:
    """Return the parameters of Zamba 2's shared blocks, which this many layers use: attention over twice the width, an
    MLP, and a small adapter for each layer."""
    hidden, size = count(fields, "hidden_size"), count(fields, "intermediate_size")
    heads = count(fields, "num_attention_heads") * count(fields, "head_dim")
    block = 3 * 2 * hidden * heads + heads * hidden + 3 * hidden * size
    return (count(fields, "num_mem_blocks") or 1) * block + users * count(fields, "adapter_rank") * (hidden + 2 * size)
