"""Measures the endpoint of one model."""

import json
from collections.abc import Callable

from vllm_eks.bench.load import Load
from vllm_eks.bench.measured import measured_of
from vllm_eks.bench.placement import place
from vllm_eks.bench.run import Run
from vllm_eks.bench.saved import Benchmark, require_deployed, setup_of
from vllm_eks.bench.target import read_target
from vllm_eks.bench.writing_api import WritingApi
from vllm_eks.json_values import object_or_empty
from vllm_eks.planner.search.plan import Plan


def measure(
    cluster: WritingApi, plan: Plan, load: Load, *, stack: str, name: str, say: Callable[[str], None]
) -> Benchmark:
    """Run a benchmark in the cluster and return it.

    Args:
        cluster: The stack's cluster.
        plan: The plan of the model, which must be what runs.
        load: What is sent.
        stack: The stack's name.
        name: The model's name in the stack file.
        say: Takes a line for each step.

    Raises:
        BenchmarkError: It has no result.
        UnreadableAnswerError: The cluster does not answer.
        WrongQuestion: The endpoint does not run, or runs something else than planned.
    """
    target = read_target(cluster, name)
    require_deployed(plan, target, stack)
    placement = place(cluster.items("/api/v1/nodes"), instance_type=target.instance_type, zones=target.zones)
    say(f"{name}: {load.text}")
    run = Run(cluster=cluster, target=target, load=load, placement=placement, say=say)
    result = object_or_empty(json.loads(run.result()))
    return Benchmark(
        stack=stack,
        name=name,
        setup=setup_of(plan),
        replicas=target.ready_replicas,
        beside_the_model=placement.beside_the_model,
        load=load,
        measured=measured_of(result, where="the benchmark"),
        result=result,
    )
