"""The tables of vLLM's flags: what a version surely has, and the table for versions without one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.flag_tables.make_runs import json_trials, trials
from vllm_eks.planner.engine.flag_reading import read_flags
from vllm_eks.planner.engine.flag_tables import Flag, flag_table, nearest_table, table_versions
from vllm_eks.planner.engine.images import DEFAULT_VLLM_VERSION

RUNS = Path(__file__).parents[3] / "data" / "vllm_flag_runs"


def test_the_default_version_has_a_table() -> None:
    table = flag_table(DEFAULT_VLLM_VERSION)
    assert table is not None
    assert table.version == DEFAULT_VLLM_VERSION


def test_every_table_names_its_version_and_its_source() -> None:
    assert table_versions() == ((0, 21, 0), (0, 27, 0), (0, 32, 0), (0, 33, 0))
    for version in ("0.21.0", "0.27.0", "0.32.0", "0.33.0"):
        table = nearest_table(version)
        assert table.version == version
        assert table.source.startswith("live parser of vllm")


@pytest.mark.parametrize(
    ("version", "table"),
    [
        ("0.21.0.post1", "0.21.0"),
        ("0.11.2", "0.21.0"),
        ("0.24.0", "0.21.0"),
        ("0.25.0", "0.27.0"),
        ("0.33.1", "0.33.0"),
    ],
)
def test_the_nearest_table_replaces_a_missing_one(version: str, table: str) -> None:
    assert nearest_table(version).version == table
    assert (flag_table(version) is not None) is (version == "0.21.0.post1")


# --- read like the live parsers (tests/flag_tables/make_runs.py)


def is_parsed(args: Sequence[str], flags: Mapping[str, Flag]) -> bool:
    return all(error.after_parsing for error in read_flags(args, flags).errors)


@pytest.mark.parametrize("version", ["0.21.0", "0.27.0", "0.32.0", "0.33.0"])
def test_arguments_are_accepted_and_refused_as_by_the_live_parser(version: str) -> None:
    runs = json.loads((RUNS / f"{version}.json").read_text())
    flags = nearest_table(version).by_spelling
    tried = [
        (args, outcome == "1")
        for flag, outcomes in runs["flags"].items()
        for args, outcome in zip(trials(flag), outcomes, strict=True)
        # Its value has a grammar of its own, and extraArgs may not hold it.
        if not flag.startswith("--lora-modules")
    ]
    lists = [(args, taken) for args, taken in runs["lists"]]
    differ = [args for args, taken in (*tried, *lists) if is_parsed(args, flags) is not taken]
    # vLLM takes the last of two without a word; here that is a mistake.
    assert ["--enforce-eager", "--no-enforce-eager", "--seed", "1"] in differ
    differ.remove(["--enforce-eager", "--no-enforce-eager", "--seed", "1"])
    # Older versions do not take the word None for a choice that may be absent.
    assert [args for args in differ if args[1:] != ["None"] or version >= "0.32"] == []
    assert len(tried) > 6000


@pytest.mark.parametrize("version", ["0.21.0", "0.27.0", "0.32.0", "0.33.0"])
def test_values_of_json_objects_are_refused_only_where_the_live_parser_refuses_them(version: str) -> None:
    runs = json.loads((RUNS / f"{version}.json").read_text())["json"]
    flags = nearest_table(version).by_spelling
    refused, missed, wrong = 0, 0, []
    for name, outcomes in runs.items():
        flag, key = name.split()
        for args, outcome in zip(json_trials(flag, key), outcomes, strict=True):
            ours = bool(read_flags(args, flags).errors)
            refused += outcome == "0"
            missed += outcome == "0" and not ours
            if outcome == "1" and ours:
                wrong.append(args)
    assert wrong == []
    # Rules between keys, and what lists and objects hold, are not in the tables.
    assert missed < 0.06 * refused
    assert refused > 1000
