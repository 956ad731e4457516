"""The settings of one model's pods that are not part of the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vllm_eks.planner.engine.images import DEFAULT_IMAGE, READINESS_IMAGE
from vllm_eks.planner.engine.serving_flags import ServingFlags


@dataclass(frozen=True, kw_only=True)
class ServingSpec:
    """The chart's inputs for one model, besides the plan."""

    name: str
    image: str = DEFAULT_IMAGE
    hook_image: str = READINESS_IMAGE
    revision: str | None = None
    flags: ServingFlags = field(default_factory=ServingFlags)
    extra_args: Sequence[str] = field(default=())
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """Environment variables of vLLM's containers, added to the chart's own."""
    further_names: Sequence[str] = field(default=())
    """Other model names that clients may send instead of `name`."""
    client_namespaces: Sequence[str] = field(default=())
    """Namespaces whose pods may call the model. Empty means all."""
