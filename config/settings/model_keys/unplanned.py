"""The keys of a model without a memory plan."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from config.settings.base import InSchema, Settings, absent
from config.values import rules
from vllm_eks.planner.bounds import MOST_WEIGHTS_GIB


class UnplannedKeys(Settings):
    """A last resort for a model that the planner does not support."""

    planned: bool = Field(
        default=True,
        description=(
            "`false` deploys the model with sizes from the stack file, as a last resort: its memory is unknown, and "
            "the preview warns about it. It needs `tensorParallelSize`, `pipelineParallelSize`, `maxModelLen` and "
            "`weightsGib`."
        ),
        examples=[False],
    )
    weights_gib: (
        Annotated[
            float,
            Field(ge=0.01, le=MOST_WEIGHTS_GIB),
            BeforeValidator(rules.no_boolean),
            InSchema(type=["number", "string"], pattern=r"\s*[0-9.eE+-]+\s*"),
        ]
        | None
    ) = Field(
        default=None,
        strict=False,
        description=(
            "The size of the weights in GiB, for `planned: false`. It determines the start budget and the disk space."
        ),
        examples=[61.1],
        json_schema_extra=absent("known to the planner"),
    )
