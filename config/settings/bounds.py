"""Whole numbers of a stack file, each with the largest value that makes sense and the reason."""

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator, Field

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
]
TensorParallel = Annotated[
    int, Field(ge=1), AfterValidator(_at_most(bounds.MOST_GPUS_PER_NODE, "no instance type has as many GPUs"))
]
PipelineParallel = Annotated[
    int, Field(ge=1), AfterValidator(_at_most(bounds.MOST_STAGES, "EKS holds 450 nodes in a node group by default"))
]
Tokens = Annotated[int, Field(ge=1), AfterValidator(_at_most(bounds.MOST_TOKENS, "no model has such a context"))]
Sequences = Annotated[int, Field(ge=1), AfterValidator(_at_most(bounds.MOST_SEQUENCES, "no GPU holds as many"))]
Adapters = Annotated[int, Field(ge=1), AfterValidator(_at_most(bounds.MOST_ADAPTERS, "each holds GPU memory"))]
