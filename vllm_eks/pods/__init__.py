"""The scripts that run in pods, with only the standard library (and boto3 in the copy Job, prometheus_client in vLLM).

The scripts of the model's pods are links to files in the chart, so that the chart renders without this package. Pods
mount the scripts at the same path, `vllm_eks/pods`, so that their imports work both here and in the pod.
"""

from pathlib import Path

PODS = Path(__file__).parent
"""The folder with the scripts."""
