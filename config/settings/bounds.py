"""Integers in a stack file, each with its largest sensible value and the reason."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema
from vllm_eks.planner import bounds


def _at_most(largest: int, why: str) -> Callable[[int], int]:
    def check(value: int) -> int:
        if value > largest:
            raise ValueError(f"{value} is too large: {why}, so set {largest} or less")
        return value

    return check


Replicas = Annotated[
    int,
    Field(ge=1),
    AfterValidator(
        _at_most(
            bounds.MOST_REPLICAS,
            "EKS allows 450 nodes per node group by default, and larger fleets need several stacks",
        )
    ),
    InSchema(maximum=bounds.MOST_REPLICAS),
]
TensorParallel = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_GPUS_PER_NODE, "no instance type has so many GPUs")),
    InSchema(maximum=bounds.MOST_GPUS_PER_NODE),
]
PipelineParallel = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_STAGES, "EKS allows 450 nodes per node group by default")),
    InSchema(maximum=bounds.MOST_STAGES),
]
Tokens = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_TOKENS, "no model has such a long context")),
    InSchema(maximum=bounds.MOST_TOKENS),
]
Sequences = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_SEQUENCES, "no GPU has memory for so many")),
    InSchema(maximum=bounds.MOST_SEQUENCES),
]
Adapters = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_ADAPTERS, "each takes GPU memory")),
    InSchema(maximum=bounds.MOST_ADAPTERS),
]
