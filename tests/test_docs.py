"""The documents against the code: commands run, keys exist, numbers are the planner's."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from asking import SCOUT, planned
from pydantic.alias_generators import to_camel

from config.models import ChartsSettings, ClusterSettings, ModelSettings, NetworkSettings, Settings
from planner.units import gib

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
STACK_FILE_PAGE = (ROOT / "docs" / "stack-file.md").read_text()
PLAN_COMMANDS = re.findall(r"^\.venv/bin/vllm-eks (plan .*)$", README, re.MULTILINE)
MAKE_TARGETS = sorted(set(re.findall(r"`?make ([a-z0-9]+)", README)))


def test_the_readme_shows_the_planner_and_the_set_up() -> None:
    assert len(PLAN_COMMANDS) == 4
    assert MAKE_TARGETS == ["e2e", "preview", "setup", "test"]


@pytest.mark.parametrize("command", PLAN_COMMANDS)
def test_a_plan_command_of_the_readme_runs(command: str) -> None:
    program = [sys.executable, "-c", "from cli.main import main; main()", *shlex.split(command)]
    found = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, check=False)
    assert found.returncode == (3 if "--pipeline-parallel-size 1" in command else 0), found.stderr
    assert found.stdout or found.stderr


@pytest.mark.parametrize("target", MAKE_TARGETS)
def test_a_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_ci_calls_the_readme_s_test_command() -> None:
    assert "make test" in README
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("section", [NetworkSettings, ClusterSettings, ModelSettings, ChartsSettings])
def test_every_key_a_stack_may_have_is_documented(section: type[Settings]) -> None:
    keys = {info.alias or to_camel(name) for name, info in section.model_fields.items()}
    assert {key for key in keys if f"`{key}`" not in STACK_FILE_PAGE} == set()


def test_the_worked_example_is_what_the_planner_says() -> None:
    wishes = {"max_model_len": 16384, "max_num_seqs": 64, "limit_mm_per_prompt": {"image": 1}}
    plan = planned(SCOUT, **wishes)
    assert plan.layout is not None
    stage = plan.layout.tightest
    page = (ROOT / "docs" / "planner.md").read_text()
    rows = re.findall(r"^\| (-?[\d.]+) \|", page, re.MULTILINE)
    terms = (stage.weights, stage.activations, *stage.overheads)
    expected = [f"{gib(stage.budget_bytes):.2f}", *(f"-{gib(term.size_bytes):.2f}" for term in terms)]
    assert rows == [*expected, f"{gib(stage.kv_cache_bytes):.2f}"]
    assert f"{plan.kv_cache_tokens:,} tokens in whole blocks: {plan.max_concurrency} requests" in page
