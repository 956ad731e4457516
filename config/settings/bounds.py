"""Whole numbers of a stack file, each with the largest value that makes sense and the reason."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

from config.settings.base import InSchema
from vllm_eks.planner import bounds


def _at_most(most: int, why: str) -> Callable[[int], int]:
    def check(value: int) -> int:
        if value > most:
            raise ValueError(f"{value} is too large: {why}, so write {most} or less")
        return value

    return check


Replicas = Annotated[
    int,
    Field(ge=1),
    AfterValidator(
        _at_most(
            bounds.MOST_REPLICAS, "EKS holds 450 nodes in a node group by default, and more belong in several stacks"
        )
    ),
    InSchema(maximum=bounds.MOST_REPLICAS),
]
TensorParallel = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_GPUS_PER_NODE, "no instance type has as many GPUs")),
    InSchema(maximum=bounds.MOST_GPUS_PER_NODE),
]
PipelineParallel = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_STAGES, "EKS holds 450 nodes in a node group by default")),
    InSchema(maximum=bounds.MOST_STAGES),
]
Tokens = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_TOKENS, "no model has such a context")),
    InSchema(maximum=bounds.MOST_TOKENS),
]
Sequences = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_SEQUENCES, "no GPU holds as many")),
    InSchema(maximum=bounds.MOST_SEQUENCES),
]
Adapters = Annotated[
    int,
    Field(ge=1),
    AfterValidator(_at_most(bounds.MOST_ADAPTERS, "each holds GPU memory")),
    InSchema(maximum=bounds.MOST_ADAPTERS),
]
