"""Runs a pod's script with a fake vLLM server."""

import sys

from vllm_eks.pods import PODS


def script(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-E", "-S", str(PODS / name), *map(str, arguments)]
