"""Measures an offline preview with 1, 5 and 20 models on one cluster: `make scale` prints it."""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
SIZES = (1, 5, 20)
MODELS = (
    ("Qwen/Qwen3-8B", "g6.12xlarge"),
    ("Qwen/Qwen3-32B", "g6e.12xlarge"),
    ("RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16", "g5.48xlarge"),
    ("Qwen/Qwen3-235B-A22B", "g5.48xlarge"),
)


def write_project(folder: Path, models: int) -> Path:
    """Write a project whose stack `many` has this many models, each in one of three zones."""
    for name in ("Pulumi.yaml", "__main__.py"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "charts", folder / "charts")
    zones = [f"us-west-2{letter}" for letter in "abc"]
    served = {}
    for index in range(models):
        model, instance_type = MODELS[index % len(MODELS)]
        served[f"model-{index}"] = {"model": model, "instanceType": instance_type, "zone": zones[index % len(zones)]}
    config = {
        "aws:region": "us-west-2",
        "vllm-eks:network": {"zones": zones},
        "vllm-eks:cluster": {"publicAccessCidrs": ["203.0.113.0/24"]},
        "vllm-eks:models": served,
    }
    (folder / "Pulumi.many.yaml").write_text(yaml.safe_dump({"config": config}))
    return folder


def preview_seconds(models: int) -> float:
    """Return how long the whole command takes."""
    with tempfile.TemporaryDirectory() as made:
        folder = write_project(Path(made), models)
        command = [sys.executable, "-c", "from vllm_eks.cli.main import main; main()", "preview", "--stack", "many"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, "--folder", str(folder)], capture_output=True, text=True, cwd=ROOT, check=False
        )
        seconds = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    assert f"model-{models - 1}" in done.stdout
    return seconds


def main() -> None:
    """Print the seconds for each size, and for each additional model."""
    seconds = {models: preview_seconds(models) for models in SIZES}
    for models, took in seconds.items():
        added = (took - seconds[1]) / (models - 1) if models > 1 else 0
        each = f", {added:.2f} s for each model beyond the first" if models > 1 else ""
        print(f"{models:3} models: {took:5.1f} s{each}")


if __name__ == "__main__":
    main()
