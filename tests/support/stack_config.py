"""Loads a stack file as Pulumi would: its configuration in the runtime, with a mock engine."""

from pathlib import Path
from typing import Any

import pulumi
import yaml
from pulumi.runtime.mocks import MockCallArgs, MockResourceArgs, Mocks

from config.load import StackConfig, load
from tests.support.files import rewrite
from vllm_eks.stack_files.read import StackFile, read_stack_file


class NoCloud(Mocks):
    """Loading the configuration creates nothing and makes no calls."""

    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict]:
        raise AssertionError(f"{args.name} was made")

    def call(self, args: MockCallArgs) -> tuple[dict, None]:
        raise AssertionError(f"{args.token} was asked")


def load_stack_file(file: StackFile) -> StackConfig:
    pulumi.runtime.set_mocks(NoCloud(), project=file.project, stack=file.stack, preview=False)
    pulumi.runtime.set_all_config(file.config, file.secret_keys)
    return load()


def load_stack(folder: Path, stack: str) -> StackConfig:
    return load_stack_file(read_stack_file(folder, stack))


def report_of(folder: Path, stack: str) -> str:
    """Return the report with which the program would end."""
    try:
        load_stack(folder, stack)
    except pulumi.RunError as error:
        return str(error)
    raise AssertionError(f"the stack {stack} was accepted")


def model(**settings: Any) -> dict[str, Any]:
    """Return a valid model section, with some keys changed."""
    return {"model": "Qwen/Qwen3-8B", "instanceType": "g5.12xlarge", "zone": "us-west-2a", **settings}


def write_stack(folder: Path, models: dict[str, Any] | None = None, **keys: Any) -> None:
    """Write Pulumi.test.yaml: a valid stack, with some keys changed (None removes one)."""
    config = {
        "aws:region": "us-west-2",
        "network": {"zones": ["us-west-2a", "us-west-2b"]},
        "cluster": {"publicAccessCidrs": ["203.0.113.7/32"]},
        "models": models or {"qwen3": model()},
        **keys,
    }
    rewrite(folder / "Pulumi.test.yaml", yaml.safe_dump({"config": config}))
