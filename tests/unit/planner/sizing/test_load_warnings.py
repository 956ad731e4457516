"""What the preview says about a stated load."""

import re
from dataclasses import replace

from tests.support.speed import speed_of
from vllm_eks.planner.engine.options import ServingOptions
from vllm_eks.planner.hardware.instances import find_instance
from vllm_eks.planner.load.lengths import fixed
from vllm_eks.planner.load.service_level import Limit, ServiceLevel
from vllm_eks.planner.load.traffic import Traffic
from vllm_eks.planner.search.named_models import load_model
from vllm_eks.planner.search.plan_model import plan
from vllm_eks.planner.sizing.load_warnings import load_warnings, with_load_warnings
from vllm_eks.planner.sizing.replica import Replica

PLAN = plan(load_model("Qwen/Qwen3-8B"), find_instance("g6e.xlarge"), ServingOptions(replicas=2))
SPEED = speed_of("Qwen/Qwen3-8B", "g6e.xlarge")
CHAT = Traffic(lengths=fixed(500, 100), requests_per_second=4.0)
BETWEEN_4_AND_20 = 0.5 * sum(
    Replica(plan=replace(PLAN, replicas=1), speed=SPEED, traffic=CHAT).at(load).percentile("itl", 50)
    for load in (2.0, 10.0)
)
"""Seconds between the ITL of a replica at its share of 4 requests/s and of 20, whatever the constants are."""
LOOSE = ServiceLevel(ttft=Limit(seconds=30.0, percentile=90))


def test_a_load_within_the_service_level_has_no_warning() -> None:
    assert list(load_warnings(PLAN, CHAT, LOOSE)) == []
    assert with_load_warnings(PLAN, CHAT, LOOSE).warnings == PLAN.warnings


def test_each_limit_that_is_not_kept_has_a_warning_with_both_values() -> None:
    level = ServiceLevel(ttft=Limit(seconds=0.001, percentile=90), itl=Limit(seconds=0.002, percentile=50))
    first, second = load_warnings(PLAN, CHAT, level)
    words = "--requests-per-second 4 --input 500 --output 100 --ttft 1ms@p90 --itl 2ms@p50"
    fix = (
        r" \((measured|derived|estimated)\)\. What limits: (bandwidth|flops|overhead)\. More replicas do not help\. "
        f"Compare other machines: vllm-eks size Qwen/Qwen3-8B {words}"
    )

    assert re.fullmatch(r"at 4 requests/s TTFT p90 is \d+ ms, over your 1 ms" + fix, first)
    assert re.fullmatch(r"at 4 requests/s ITL p50 is \d+ ms, over your 2 ms" + fix, second)
    assert with_load_warnings(PLAN, CHAT, level).warnings == (*PLAN.warnings, first, second)


def test_the_replicas_that_keep_the_level_are_named_where_a_smaller_share_keeps_it() -> None:
    # As a plan of us-west-2, whose region the command then needs.
    busy = replace(CHAT, requests_per_second=20.0)
    plan_there = replace(PLAN, instance=find_instance("g6e.xlarge", "us-west-2"))
    level = ServiceLevel(itl=Limit(seconds=BETWEEN_4_AND_20, percentile=50))
    (warning,) = load_warnings(plan_there, busy, level)
    found = re.fullmatch(
        r"at 20 requests/s ITL p50 is \d+ ms, over your \d+ ms \(\w+\)\. What limits: \w+\. Set replicas to (\d+) "
        r"\((\d+) x g6e\.xlarge\), or compare other machines: vllm-eks size Qwen/Qwen3-8B --requests-per-second 20 "
        r"--input 500 --output 100 --itl [\d.]+ms@p50 --region us-west-2",
        warning,
    )

    assert found
    assert found[1] == found[2]
    assert list(load_warnings(replace(PLAN, replicas=int(found[1])), busy, level)) == []


def test_a_load_above_capacity_is_said_once() -> None:
    flood = replace(CHAT, requests_per_second=5000.0)

    (warning,) = load_warnings(PLAN, flood, LOOSE)

    assert re.fullmatch(
        "at 5,000 requests/s requests wait for each other: the load is above what 2 x g6e.xlarge can serve. Set "
        r"replicas to (\d+) \(\1 x g6e.xlarge\), or compare other machines: vllm-eks size Qwen/Qwen3-8B "
        "--requests-per-second 5000 --input 500 --output 100 --ttft 30s@p90",
        warning,
    )


def test_requests_longer_than_the_context_are_named() -> None:
    long = replace(CHAT, lengths=fixed(8000, 500))

    assert list(load_warnings(PLAN, long, LOOSE)) == [
        "traffic: the longest request has 8,500 tokens, and maxModelLen is 8,192: raise it, or state shorter requests"
    ]


def test_a_machine_without_a_known_speed_is_not_judged() -> None:
    unknown = replace(PLAN, instance=replace(PLAN.instance, gpu="X1", gpu_memory_bandwidth_gbytes_per_second=None))

    assert list(load_warnings(unknown, CHAT, LOOSE)) == [
        "traffic: not checked, because the speed of this model on g6e.xlarge is unknown"
    ]


def test_a_plan_that_does_not_fit_has_its_refusals_only() -> None:
    refused = plan(load_model("meta-llama/Llama-3.1-405B-Instruct"), find_instance("g4dn.xlarge"), ServingOptions())

    assert not refused.fits
    assert list(load_warnings(refused, CHAT, LOOSE)) == []
