"""The described keys of `--json` match the printed ones. Those of preview and leftovers are next to their tests."""

from dataclasses import fields
from pathlib import Path

from tests.support.benchmarks import benchmark, predicted
from tests.support.json_paths import json_paths
from tests.support.plans import LLAMA_8B, planned
from vllm_eks.cli.views.bench import benchmark_json
from vllm_eks.cli.views.json_keys import BENCH_KEYS, DOCTOR_KEYS, PINS_KEYS, PLAN_KEYS
from vllm_eks.cli.views.pins import pins_json
from vllm_eks.cli.views.plan_json import plan_json
from vllm_eks.doctor.facts import Finding


def test_every_key_of_a_plan_is_described_and_no_other() -> None:
    assert list(json_paths(plan_json(planned(LLAMA_8B)), PLAN_KEYS)) == list(PLAN_KEYS)


def test_every_key_of_a_benchmark_is_described_and_no_other() -> None:
    plan = planned(LLAMA_8B)
    shown = benchmark_json(benchmark(plan), predicted(plan), None, Path("bench.json"))
    assert list(json_paths(shown, BENCH_KEYS)) == list(BENCH_KEYS)


def test_every_key_of_a_finding_is_described_and_no_other() -> None:
    assert [field.name for field in fields(Finding)] == list(DOCTOR_KEYS)


def test_every_key_of_the_pins_is_described_and_no_other() -> None:
    assert [*pins_json([], "1.36", "dev", []), "not_asked"] == list(PINS_KEYS)
