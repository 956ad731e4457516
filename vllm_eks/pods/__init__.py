"""The scripts that run in pods, standard library only (the copy Job has boto3 too).

Those of the model's pods are links: the chart holds the files, so that it renders without this package. Pods mount the
scripts in a folder of the same path, `vllm_eks/pods`, so that they import each other here and there by one name.
"""

from pathlib import Path

PODS = Path(__file__).parent
"""The folder, for those who hand the files on."""
