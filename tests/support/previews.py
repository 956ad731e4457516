"""Parts of a preview that tests look at."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml", "__main__.py", "charts")


@dataclass(frozen=True)
class Shown:
    returncode: int
    stdout: str
    stderr: str
