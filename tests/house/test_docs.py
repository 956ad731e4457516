"""The documents match the code: numbers and names are the planner's."""

import ast
import json
import re
from pathlib import Path

from tests.accuracy.score import middle, scored, worst
from tests.support.plans import SCOUT, planned
from vllm_eks.planner.ranges import Range
from vllm_eks.planner.units import gib

ROOT = Path(__file__).parents[2]
FROM_LOGS = "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8"
PLAN_PAGE = (ROOT / "docs" / "how-to" / "plan.md").read_text()
PLANNER_PAGE = (ROOT / "docs" / "explanation" / "planner.md").read_text()


def test_statements_about_commits_match_the_shipped_models() -> None:
    files = [json.loads(path.read_text()) for path in (ROOT / "vllm_eks" / "data" / "models").glob("*.json")]
    assert len(files) > 70
    none_has_a_commit = {one["revision"] for one in files} == {None}
    with_bytes = {one["id"] for one in files if one["weights_bytes"] is not None}
    said = [
        (
            PLAN_PAGE,
            "files in this repository have no commit yet, and their sizes are computed from the config, except "
            "Nemotron 3 Super FP8, whose size is from logs of vLLM",
        ),
        ((ROOT / "CHANGELOG.md").read_text(), "No shipped model has its commit locked yet"),
    ]
    for page, sentence in said:
        assert (sentence in " ".join(page.split())) == (none_has_a_commit and with_bytes == {FROM_LOGS}), sentence


def test_the_worked_example_has_the_planner_s_numbers() -> None:
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


def test_the_explanation_has_every_term_of_a_plan() -> None:
    calls = [
        node
        for file in (ROOT / "vllm_eks" / "planner" / "memory").glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Term"
    ]
    names = [ast.unparse(word.value).strip("f'\"") for call in calls for word in call.keywords if word.arg == "name"]
    assert len(names) == len(calls) > 10
    page = " ".join(PLANNER_PAGE.split()).lower()
    missing = {name for name in names if name.partition(" (")[0].lower() not in page}
    assert missing == set()


def test_the_accuracy_in_the_documents_is_the_one_that_is_scored() -> None:
    scores = scored()
    newer = [one.kv_error for one in scores.new if one.run.id.startswith("N")]
    text = " ".join(PLANNER_PAGE.split())
    assert f"weights within {100 * worst([one.weights_error for one in scores.new]):.1f} %" in text
    assert f"KV cache {100 * middle(newer):.1f} % off at the median" in text
    assert f"the range holds {sum(scores.held)} of {len(scores.held)}" in text
    assert f"the verdict is right in {scores.right} of {len(scores.new)}" in text
    readme = " ".join((ROOT / "README.md").read_text().split())
    assert f"KV cache is {100 * middle(newer):.1f} % off at the median" in readme
    assert f"{sum(scores.held)} of {len(scores.held)} logged values are inside the planned range" in readme


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
