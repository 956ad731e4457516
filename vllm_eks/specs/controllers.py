"""The controllers that a stack installs."""

from dataclasses import dataclass, field

from vllm_eks.pins.charts import ControllerCharts, ControllerImages


@dataclass(frozen=True, kw_only=True)
class ControllersSpec:
    """The sources of the controllers' charts and images."""

    charts: ControllerCharts = field(default_factory=ControllerCharts)
    images: ControllerImages = field(default_factory=ControllerImages)
    efa: bool = False
    """Whether any model uses EFA, so that its device plugin is needed."""
