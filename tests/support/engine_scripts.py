"""Runs a script of a pod against a double of vLLM's server."""

import sys

from vllm_eks.pods import PODS


def script(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-E", "-S", str(PODS / name), *map(str, arguments)]
