"""The models of both stacks of the guide in one cluster, recorded with other sections of the stack file."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from vllm_eks.preview.recording import Recording, record
from vllm_eks.stack_files.read import read_stack_file

ROOT = Path(__file__).parents[2]
QUANTIZED, FULL = "scout-quantized", "scout"
"""dev's model on one g5.48xlarge, and prod's on two."""
ZONES = {QUANTIZED: "us-west-2b", FULL: "us-west-2a"}
"""Two zones, because the lab has two GPU nodes in each."""
FRONT_DOOR = {
    "scheme": "internetFacing",
    "domain": "models.example.com",
    "certificateArn": "arn:aws:acm:us-west-2:123456789012:certificate/01234567-89ab-cdef-0123-456789abcdef",
    "sourceRanges": ["203.0.113.0/24"],
}


def record_guide_models(folder: Path, *, model: Mapping[str, Any] | None = None, **sections: Any) -> Recording:
    """Record the program with both models.

    Args:
        folder: An empty folder for the stack file.
        model: Keys of both models, besides those of their stack files.
        **sections: Sections of the stack file.
    """
    shutil.copy(ROOT / "Pulumi.yaml", folder)
    models = {QUANTIZED: _only_model("dev"), FULL: _only_model("prod")}
    for name, own in models.items():
        own.update({"zone": ZONES[name], **(model or {})})
    keys = {
        "aws:region": "us-west-2",
        "vllm-eks:network": {"zones": sorted(ZONES.values())},
        "vllm-eks:cluster": {"publicAccessCidrs": ["203.0.113.0/24"]},
        "vllm-eks:huggingFaceToken": "hf_none",
        "vllm-eks:models": models,
        **{f"vllm-eks:{name}": section for name, section in sections.items()},
    }
    (folder / "Pulumi.guide.yaml").write_text(yaml.safe_dump({"config": keys}))
    return record(ROOT, read_stack_file(folder, "guide").for_offline_preview())


def _only_model(stack: str) -> dict[str, Any]:
    (own,) = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]["vllm-eks:models"].values()
    return own
