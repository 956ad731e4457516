"""The keys of a model that runs without a plan of its memory."""

from typing import Annotated

from pydantic import Field

from config.settings.base import InSchema, Settings, absent
from vllm_eks.planner.bounds import MOST_WEIGHTS_GIB


class UnplannedKeys(Settings):
    """The way out for a model that the planner cannot read."""

    planned: bool = Field(
        default=True,
        description=(
            "`false` deploys the model with the sizes that you state, as a last resort: nothing is known about memory, "
            "and the preview warns of it. It needs `tensorParallelSize`, `pipelineParallelSize`, `maxModelLen` and "
            "`weightsGib`."
        ),
        examples=[False],
    )
    weights_gib: (
        Annotated[
            float,
            Field(ge=0.01, le=MOST_WEIGHTS_GIB),
            InSchema(type=["number", "string"], pattern=r"\s*[0-9.eE+-]+\s*"),
        ]
        | None
    ) = Field(
        default=None,
        strict=False,
        description=(
            "The size of the weights in GiB, for `planned: false`. The time of the start and the space on disk follow "
            "from it."
        ),
        examples=[61.1],
        json_schema_extra=absent("the planner knows it"),
    )
