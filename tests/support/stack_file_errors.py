"""A valid stack configuration, and the errors of invalid ones."""

from pathlib import Path
from typing import Any

from config.checked_stack import check_stack
from tests.support.files import rewrite
from tests.support.stack_config import model
from vllm_eks.errors import WrongQuestion
from vllm_eks.stack_files.read import read_stack_file

MAX_LINE_LENGTH = 1200


def good_config() -> dict[str, Any]:
    return {
        "aws:region": "us-west-2",
        "vllm-eks:network": {"zones": ["us-west-2a", "us-west-2b"]},
        "vllm-eks:cluster": {"publicAccessCidrs": ["203.0.113.7/32"]},
        "vllm-eks:models": {"qwen3": model()},
    }


def reported(folder: Path, text: str | bytes) -> list[str]:
    """Return the error lines of a stack file, or none if it is accepted. Any other exception is a failure."""
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    rewrite(folder / "Pulumi.test.yaml", content)
    try:
        check_stack(read_stack_file(folder, "test").for_offline_preview())
        return []
    except WrongQuestion as refused:
        lines = str(refused).splitlines()
    assert [line for line in lines if len(line) > MAX_LINE_LENGTH or "Traceback" in line] == []
    return lines
