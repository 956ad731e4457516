"""What one model's pods need beside the plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vllm_eks.planner.engine.images import DEFAULT_IMAGE, READINESS_IMAGE
from vllm_eks.planner.engine.serving_flags import ServingFlags


@dataclass(frozen=True, kw_only=True)
class Serving:
    """What the chart needs beside the plan."""

    name: str
    image: str = DEFAULT_IMAGE
    hook_image: str = READINESS_IMAGE
    revision: str | None = None
    flags: ServingFlags = field(default_factory=ServingFlags)
    extra_args: Sequence[str] = field(default=())
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment variables of vLLM's containers, beside the chart's own."""
    further_names: Sequence[str] = field(default=())
    """What clients may send in place of `name`."""
    client_namespaces: Sequence[str] = field(default=())
    """Namespaces whose pods may call the model; none: all."""
