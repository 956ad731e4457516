"""The arguments of Monitoring, and the recorded renders of the charts for metrics."""

import json
from pathlib import Path
from typing import Any

from components.observability.monitoring import MonitoringArgs
from tests.support.clusters import ADDONS, STACK
from tests.support.clusters import ARGS as CLUSTER
from tests.support.nested import replaced
from vllm_eks.specs.cluster import ClusterSpec, ExistingClusterSpec
from vllm_eks.specs.endpoint import EndpointSpec
from vllm_eks.specs.monitoring import MonitoringSpec
from vllm_eks.specs.observability import ExistingPrometheus, InstalledPrometheus, ManagedPrometheus

CHARTS = json.loads((Path(__file__).parents[1] / "data" / "monitoring_charts.json").read_text())
RENDERS: dict[str, dict[str, Any]] = CHARTS["renders"]
NEW_CLUSTER: ClusterSpec = replaced(
    CLUSTER.cluster, addon_versions={**ADDONS, "aws-ebs-csi-driver": "v1.63.1-eksbuild.1"}
)
EXISTING_CLUSTER: ClusterSpec = replaced(NEW_CLUSTER, existing=ExistingClusterSpec(name="platform"))
INSTALLED = InstalledPrometheus()
EXISTING = ExistingPrometheus(namespace="monitoring", labels={"release": "prom"})
MANAGED = ManagedPrometheus()
FRONT_DOOR = EndpointSpec(
    scheme="internal",
    domain="models.example.com",
    hostnames={"scout": "scout.models.example.com"},
    certificate_arn="arn:aws:acm:us-west-2:123456789012:certificate/c-1",
)
ARGS = MonitoringArgs(
    stack=STACK,
    monitoring=MonitoringSpec(prometheus=INSTALLED),
    cluster_name="vllm-dev",
    cluster=NEW_CLUSTER,
    system_zones=["us-west-2a", "us-west-2b"],
)
