"""Real logs of vLLM, by version and name."""

from pathlib import Path

DATA = Path(__file__).parents[1] / "data" / "vllm_failures"
VERSIONS = ("0.21.0", "0.32.0")


def read(version: str, name: str) -> str:
    return (DATA / version / f"{name}.log").read_text()
