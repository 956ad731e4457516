"""What machines are needed for."""

from dataclasses import dataclass

from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import REFERENCE_REGION
from vllm_eks.planner.load.service_level import ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.models.known_models import ModelFacts


@dataclass(frozen=True, kw_only=True)
class SizeQuestion:
    """What machines are needed for?"""

    model: ModelFacts
    options: ServingOptions
    traffic: Traffic
    level: ServiceLevel
    headroom: float = 0.0
    """Share of the load that must fit in addition."""
    region: str = REFERENCE_REGION
    family: str | None = None
    max_nodes: int | None = None

    @property
    def needed_load(self) -> float:
        """The load with the headroom."""
        return self.traffic.load * (1 + self.headroom)
