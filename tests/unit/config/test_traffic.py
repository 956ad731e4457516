"""The stated load of a model."""

from typing import Any

from config.settings.model import ModelSettings
from config.settings.model_keys.traffic import WorkloadName
from vllm_eks.planner.load.lengths import TokenCount
from vllm_eks.planner.load.workloads import WORKLOADS

MODEL = {"model": "Qwen/Qwen3-8B", "instanceType": "g6e.xlarge", "zone": "us-west-2a"}


def settings(traffic: dict[str, Any]) -> ModelSettings:
    return ModelSettings.model_validate({**MODEL, "traffic": traffic})


def test_a_stated_load_that_is_not_kept_is_a_warning_of_the_plan() -> None:
    kept = settings({"requestsPerSecond": 1.0, "workload": "chat", "ttft": "30s@p90"})
    broken = settings({"requestsPerSecond": 1.0, "workload": "chat", "ttft": "1ms@p90"})

    assert kept.plan(region="us-west-2").warnings == ()
    (warning,) = broken.plan(region="us-west-2").warnings
    assert warning.startswith("at 1 request/s TTFT p90 is ")
    assert ", over your 1 ms (" in warning


def test_lengths_are_numbers_or_means() -> None:
    model = settings({"concurrentUsers": 5, "thinkTime": "10s", "input": 500, "output": "mean:100"})

    assert model.traffic is not None
    traffic, _ = model.traffic.read()
    assert traffic.lengths.input == TokenCount(tokens=500)
    assert traffic.lengths.output == TokenCount(tokens=100, varies=True)
    assert (traffic.concurrent_users, traffic.think_seconds) == (5, 10.0)


def test_the_workloads_are_those_of_size() -> None:
    assert WorkloadName.__args__ == tuple(WORKLOADS)
