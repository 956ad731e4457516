"""Shared settings of all Helm releases, and the releases of third-party charts."""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from vllm_eks.pins.charts import ChartSource

RELEASE_HISTORY = 5
"""Revisions that Helm keeps per release, each a Secret of up to 100 KB. Without a limit it keeps all."""
TIMEOUT_SECONDS = 600
"""For third-party charts."""


def third_party_release(
    name: str,
    *,
    release_name: str,
    source: ChartSource,
    namespace: pulumi.Input[str],
    values: Mapping[str, Any],
    opts: pulumi.ResourceOptions,
) -> kubernetes.helm.v3.Release:
    """Create the release of a third-party chart.

    Args:
        name: The resource's name.
        release_name: The name in the cluster. It is fixed, because charts name their resources after the release.
        source: The chart.
        namespace: The release's namespace.
        values: Only what differs from the chart's own values.
        opts: The resource's options. Two releases with the same name cannot exist together, so the old one is deleted
            before a replacement.
    """
    return kubernetes.helm.v3.Release(
        name,
        name=release_name,
        namespace=namespace,
        chart=source.chart,
        version=source.version,
        repository_opts={"repo": source.repository} if source.repository else None,
        values=values or None,
        timeout=TIMEOUT_SECONDS,
        max_history=RELEASE_HISTORY,
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(delete_before_replace=True)),
    )
