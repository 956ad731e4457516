"""Benchmarks of a plan, as if they had been measured."""

import json
from dataclasses import replace
from typing import Any

from tests.fakes.bench_cluster import RESULT
from vllm_eks.bench.load import Load
from vllm_eks.bench.measured import measured_of
from vllm_eks.bench.prediction import Prediction, predict
from vllm_eks.bench.saved import Benchmark, setup_of
from vllm_eks.planner.search.plan import Plan

USERS = Load(requests_per_second=None, concurrent_users=32, input_tokens=1024, output_tokens=256, requests=256, seed=9)
RATE = replace(USERS, concurrent_users=None, requests_per_second=1.0)


def predicted(plan: Plan, load: Load = USERS, **options: Any) -> Prediction:
    """Return the prediction of a plan that has one."""
    found = predict(plan, load, replicas=options.pop("replicas", 1), **options)
    assert found is not None
    return found


def benchmark(
    plan: Plan, load: Load = USERS, *, tpot_seconds: float = 0.02, replicas: int = 1, **result: Any
) -> Benchmark:
    """Return a benchmark of a plan in which an output token took this long. `result` replaces fields of vLLM's JSON."""
    full: dict[str, Any] = {
        **json.loads(RESULT),
        "completed": load.requests,
        "failed": 0,
        "total_output_tokens": load.requests * load.output_tokens,
        "mean_tpot_ms": 1000 * tpot_seconds,
        **result,
    }
    return Benchmark(
        stack="dev",
        name="qwen",
        setup=setup_of(plan),
        replicas=replicas,
        beside_the_model=False,
        load=load,
        measured=measured_of(full, where="the test"),
        result=full,
    )
