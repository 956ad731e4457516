"""A plan takes a tenth of a second of CPU, most of it for imports: it imports and reads only what it needs.

These tests count, because times depend on the machine. Each limit is the number of today and a little more.
"""

import json
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from tests.support.plan_command import ROOT
from tests.support.plans import SCOUT

QWEN = "Qwen/Qwen3-32B"
ONE_TYPE = ("--instance-type", "g5.48xlarge")
PROGRAM = """
import json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
from vllm_eks.cli.main import app
app(["plan", *sys.argv[1:]], standalone_mode=False)
from dataclasses import is_dataclass
ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "vllm_eks"}
print(json.dumps({
    "modules": sorted(ours),
    "others": sorted(name for name in sys.modules if name.partition(".")[0] in ("rich", "difflib", "boto3")),
    "dataclasses": sorted(
        f"{name}.{key}" for name, module in ours.items() for key, value in vars(module).items()
        if isinstance(value, type) and is_dataclass(value) and value.__module__ == name
    ),
    "data": sorted(name for name in opened if "/vllm_eks/data/" in name and name.endswith(".json")),
}), file=sys.stderr)
"""
LAZY = (
    "vllm_eks.planner.engine.flag_tables",
    "vllm_eks.planner.engine.rope_scaling",
    "vllm_eks.planner.memory.packed_cache",
    "vllm_eks.planner.models.defaults",
    "vllm_eks.planner.models.from_fields.reader",
    "vllm_eks.planner.models.layer_shape",
    "vllm_eks.planner.search.model_folder",
    "vllm_eks.planner.search.suggest",
)
"""Modules that some plans need, and those of a locked model of a known family without flags do not."""
OF_SPEED = ("gpu_peaks.json", "measured_speeds.json", "speed.json")


@cache
def loaded(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    return json.loads(found.stderr.splitlines()[-1])


@pytest.mark.parametrize("arguments", [(QWEN, *ONE_TYPE), (SCOUT, *ONE_TYPE), (QWEN,), (QWEN, *ONE_TYPE, "--json")])
def test_a_plan_imports_only_what_it_needs(arguments: tuple[str, ...]) -> None:
    found = loaded(*arguments)
    assert found["others"] == []
    assert [name for name in LAZY if name in found["modules"]] == []
    assert len(found["modules"]) <= 127
    assert len(found["dataclasses"]) <= 84


def test_a_plan_reads_only_the_files_of_its_model_and_the_catalogue() -> None:
    read = [name.rpartition("/vllm_eks/data/")[2] for name in loaded(QWEN, *ONE_TYPE)["data"]]
    assert read == sorted(
        (*OF_SPEED, "instances.json", "models/Qwen--Qwen3-32B.json", "prices.json", "vllm_classes.json")
    )
    # JSON has no prices of traffic.
    read = [name.rpartition("/vllm_eks/data/")[2] for name in loaded(QWEN, *ONE_TYPE, "--json")["data"]]
    assert read == sorted((*OF_SPEED, "instances.json", "models/Qwen--Qwen3-32B.json", "vllm_classes.json"))
