"""The documents against the code: commands run, keys exist, numbers are the planner's."""

import json
import re
import shlex
from pathlib import Path

import pytest
from accuracy import middle, scored, worst
from asking import SCOUT, planned
from pydantic.alias_generators import to_camel

from cli.main import main
from config.images_settings import ImagesSettings
from config.model_settings import ModelSettings
from config.settings import Settings
from config.stack_settings import (
    ChartsSettings,
    ClusterSettings,
    ExistingClusterSettings,
    ExistingNetworkSettings,
    IamSettings,
    NetworkSettings,
)
from planner.constants import Range
from planner.units import gib

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PLANNER_PAGE = (ROOT / "docs" / "planner.md").read_text()
STACK_FILE_PAGE = (ROOT / "docs" / "stack-file.md").read_text()
PLAN_COMMANDS = re.findall(r"^vllm-eks (plan .*)$", README, re.MULTILINE)
MAKE_TARGETS = sorted(set(re.findall(r"`?make ([a-z0-9]+)", README)))


def test_the_readme_shows_the_planner_and_the_set_up() -> None:
    assert len(PLAN_COMMANDS) == 4
    assert MAKE_TARGETS == ["accuracy", "e2e", "setup", "test"]


@pytest.mark.parametrize("command", PLAN_COMMANDS)
def test_a_plan_command_of_the_readme_runs(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["vllm-eks", *shlex.split(command)])
    with pytest.raises(SystemExit) as ended:
        main()
    shown = capsys.readouterr()
    assert (ended.value.code or 0) == (3 if "--pipeline-parallel-size 1" in command else 0), shown.err
    assert shown.out or shown.err


@pytest.mark.parametrize("target", MAKE_TARGETS)
def test_a_make_target_of_the_readme_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_page_and_example_the_readme_names_is_there() -> None:
    named = re.findall(r"`((?:docs|examples)/[\w./-]+\.(?:md|yaml))`", README)
    named += re.findall(r"cp (examples/\S+)", README)
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_ci_calls_the_readme_s_test_command() -> None:
    assert "make test" in README
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize(
    "section",
    [
        NetworkSettings,
        ExistingNetworkSettings,
        ClusterSettings,
        ExistingClusterSettings,
        ModelSettings,
        ChartsSettings,
        ImagesSettings,
        IamSettings,
    ],
)
def test_every_key_a_stack_may_have_is_documented(section: type[Settings]) -> None:
    keys = {info.alias or to_camel(name) for name, info in section.model_fields.items()}
    assert {key for key in keys if f"`{key}`" not in STACK_FILE_PAGE} == set()


def test_what_is_said_of_commits_is_true_of_the_shipped_models() -> None:
    files = [json.loads(path.read_text()) for path in (ROOT / "planner" / "data" / "models").glob("*.json")]
    assert len(files) > 70
    none_has_a_commit = {one["revision"] for one in files} == {None}
    none_has_its_bytes = {one["weights_bytes"] for one in files} == {None}
    said = [
        (README, "The files that ship have no commit, and their bytes are computed from the config"),
        (PLANNER_PAGE, "None of the shipped files has a commit yet, and their bytes are computed from the config"),
        ((ROOT / "CHANGELOG.md").read_text(), "no shipped model has its commit locked yet"),
    ]
    for page, sentence in said:
        assert (sentence in " ".join(page.split())) == (none_has_a_commit and none_has_its_bytes), sentence


def test_the_worked_example_is_what_the_planner_says() -> None:
    wishes = {"max_model_len": 16384, "pipeline_parallel_size": 2, "limit_mm_per_prompt": {"image": 1}}
    plan = planned(SCOUT, **wishes)
    assert plan.layout is not None
    stage, cache = plan.layout.tightest, plan.layout.cache
    rows = re.findall(r"^\| (-?[\d.]+) \| ?([\d.]*) \| ?([\d.]*) \|", PLANNER_PAGE, re.MULTILINE)
    assert rows == [
        (f"{gib(stage.budget_bytes):.2f}", "", ""),
        *(figures(term.bytes, sign="-") for term in stage.terms),
        figures(stage.kv_cache),
    ]
    needed = cache.blocks_per_request(16384, plan.options)
    blocks = plan.layout.blocks[1]
    low, high = plan.kv_cache_tokens_range
    text = " ".join(PLANNER_PAGE.split())
    for sentence in (
        f"{stage.kv_bytes_per_token:,} bytes a token",
        f"= {cache.block_bytes(stage.layer_range):,} bytes. {gib(stage.kv_cache_bytes):.2f} GiB are {blocks:,} blocks.",
        f"{blocks:,} / {needed:,} = {plan.max_concurrency} requests run at once, {plan.kv_cache_tokens:,} tokens",
        f"between {low:,} and {high:,}.",
    ):
        assert sentence in text


def figures(size: Range, sign: str = "") -> tuple[str, str, str]:
    return f"{sign}{gib(size.best):.2f}", f"{gib(size.low):.2f}", f"{gib(size.high):.2f}"


def test_the_accuracy_in_the_documents_is_the_one_that_is_scored() -> None:
    new, old, _ = scored()
    held = [one.in_range for one in new if one.in_range is not None]
    worst_tokens = 100 * worst([one.tokens_of_logged_gib_error for one in (*new, *old)])
    text = " ".join(PLANNER_PAGE.split())
    assert f"logged KV GiB within {worst_tokens:.1f} %" in text
    assert f"weights within {100 * worst([one.weights_error for one in new]):.1f} %" in text
    assert f"KV cache {100 * middle([one.kv_error for one in new]):.1f} % off at the median" in text
    assert f"the range holds {sum(held)} of {len(held)}" in text


def test_every_family_of_the_planner_is_named() -> None:
    for name in (
        "Llama 2",
        "Mixtral",
        "Qwen3-Next",
        "Gemma",
        "Phi",
        "DeepSeek",
        "Kimi",
        "GLM-4.5",
        "gpt-oss",
        "MiniMax",
    ):
        assert name in PLANNER_PAGE
