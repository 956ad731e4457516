"""The observability section of a stack file."""

from config.settings.observability_keys.alerts import AlertKeys
from config.settings.observability_keys.logs import LogKeys
from config.settings.observability_keys.prometheus import PrometheusKeys
from vllm_eks.specs.observability import ObservabilitySpec


class ObservabilitySettings(AlertKeys, LogKeys, PrometheusKeys):
    """Metrics, alerts and logs. The bases are in reverse order, because errors follow the order of fields."""

    @property
    def spec(self) -> ObservabilitySpec:
        """The settings for the checks and the components."""
        return ObservabilitySpec(prometheus=self.prometheus_spec)
