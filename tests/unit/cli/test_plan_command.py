"""The command for people and scripts: exit status, standard error, the --json contract, its speed."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.plan_command import ROOT, Ask
from tests.support.plans import LLAMA_8B, SCOUT

FULL_CONTRACT = {
    "model": {"id", "revision", "architecture", "parameters", "weights_bytes", "quantization"},
    "instance": {"type", "gpu", "gpus", "gpu_memory_gib"},
    "parallelism": {"tensor_parallel_size", "pipeline_parallel_size", "nodes", "replicas"},
    "memory_per_gpu": {
        "total_gib",
        "budget_gib",
        "weights_gib",
        "activations_gib",
        "overhead_gib",
        "kv_cache_gib",
        "outside_budget_gib",
    },
    "cost": {"usd_per_hour"},
    "startup": {"budget_seconds"},
}
TOP_LEVEL = {
    *FULL_CONTRACT,
    "fits",
    "kv_cache_tokens",
    "kv_cache_tokens_low",
    "kv_cache_tokens_high",
    "kv_cache_bytes_per_token_per_gpu",
    "max_model_len",
    "max_concurrency",
    "vllm_args",
    "refusals",
}


def test_a_plan_that_fits_exits_0_with_table_and_picture_on_standard_output() -> None:
    command = [sys.executable, "-c", "from vllm_eks.cli.main import main; main()", "plan"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}
    command += [SCOUT, "--instance-type", "g5.48xlarge"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    lines = found.stdout.splitlines()
    assert lines[0] == f"{SCOUT} on 2 x g5.48xlarge (8 x A10G): fits"
    assert "node 1  g5.48xlarge  layers 0-23, embedding" in lines
    assert "node 2  g5.48xlarge  layers 24-47, head" in lines
    assert sum(line.startswith("  GPU ") for line in lines) == 16
    assert "\x1b" not in found.stdout, "no colours in a pipe"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            (LLAMA_8B, "--tensor-parallel-size", "7"),
            "heads_not_divisible: 32 attention heads cannot be split over TP=7",
        ),
        (
            (LLAMA_8B, "--tensor-parallel-size", "3"),
            "heads_not_divisible: 32 attention heads cannot be split over TP=3",
        ),
        ((SCOUT, "--tensor-parallel-size", "16"), "not_enough_gpus: TP=16 needs 16 GPUs in one node"),
        (
            (SCOUT, "--pipeline-parallel-size", "1"),
            "weights_do_not_fit: TP=8 PP=1: stage 1 of 1 needs 27.80 GiB weights and tables",
        ),
        (
            (SCOUT, "--pipeline-parallel-size", "1"),
            "would work: --pipeline-parallel-size 2: 2 x g5.48xlarge ($32.58/h)",
        ),
        ((SCOUT, "--pipeline-parallel-size", "1"), "would work: the cheapest that fits: TP=4 PP=1 on 1 x g7e.24xlarge"),
    ],
)
def test_a_plan_that_does_not_fit_exits_3_with_the_reasons_on_standard_error(
    ask: Ask, arguments: tuple[str, ...], expected: str
) -> None:
    found = ask(*arguments, "--instance-type", "g5.48xlarge")
    assert (found.returncode, found.stdout) == (3, "")
    assert expected in found.stderr


def test_json_keeps_its_contract_when_it_fits(ask: Ask) -> None:
    found = ask(SCOUT, "--instance-type", "g5.48xlarge", "--json")
    document = json.loads(found.stdout)
    assert found.returncode == 0
    assert set(document) >= TOP_LEVEL
    for key, inner in FULL_CONTRACT.items():
        assert set(document[key]) >= inner
    assert document["parallelism"]["nodes"] == 2
    assert (document["fits"], document["refusals"]) == (True, [])
    memory = document["memory_per_gpu"]
    middle = memory["weights_gib"] + memory["activations_gib"] + memory["overhead_gib"] + memory["kv_cache_gib"]
    assert middle == pytest.approx(memory["budget_gib"])


def test_json_is_also_printed_when_it_does_not_fit(ask: Ask) -> None:
    found = ask(SCOUT, "--instance-type", "g5.48xlarge", "--pipeline-parallel-size", "1", "--json")
    document = json.loads(found.stdout)
    assert found.returncode == 3
    assert set(document) >= TOP_LEVEL
    assert [refusal["code"] for refusal in document["refusals"]] == ["weights_do_not_fit"]
    assert document["vllm_args"] == []
    assert "weights_do_not_fit" in found.stderr


def test_without_a_type_every_type_is_compared_the_recommended_one_first(ask: Ask) -> None:
    document = json.loads(ask(SCOUT, "--json").stdout)
    assert set(document) == {"model", "recommended", "candidates"}
    assert len(document["candidates"]) == 58
    first = document["candidates"][0]
    assert (first["instance"]["type"], first["verdict"], first["parallelism"]["nodes"]) == ("p4d.24xlarge", "fits", 1)
    assert document["recommended"] == "p4d.24xlarge"
    table = ask(SCOUT).stdout
    assert "\nrecommended: TP=8 PP=1 on 1 x p4d.24xlarge ($21.96/h), ~ $" in table
    assert "\nlowest price: TP=4 PP=1 on 1 x g7e.24xlarge ($16.57/h), ~ $" in table
    assert table.index("\ng7e.24xlarge") < table.index("\ng5.48xlarge")


def test_a_comparison_is_sorted_and_limited_as_asked(ask: Ask) -> None:
    by_price = json.loads(ask(SCOUT, "--sort", "price", "--json").stdout)
    assert by_price["candidates"][0]["instance"]["type"] == "g7e.2xlarge"
    assert by_price["recommended"] == "p4d.24xlarge"
    one_node = json.loads(ask(SCOUT, "--sort", "price", "--max-nodes", "1", "--json").stdout)["candidates"]
    assert one_node[0]["instance"]["type"] == "g7e.24xlarge"
    refused = next(one for one in one_node if one["instance"]["type"] == "g7e.2xlarge")
    assert refused["refusals"] == [
        {"code": "not_enough_gpus", "message": "3 x g7e.2xlarge are needed, and --max-nodes is 1"}
    ]
    alone = ask(SCOUT, "--instance-type", "g5.48xlarge", "--max-nodes", "1")
    assert alone.returncode == 3
    assert "not_enough_gpus: 2 x g5.48xlarge are needed, and --max-nodes is 1" in alone.stderr


def test_a_type_without_a_driver_in_the_pinned_ami_is_refused_with_the_reason(ask: Ask) -> None:
    text = (
        "dtype_unsupported: g7.2xlarge needs NVIDIA driver 595, and AMI release 1.36.2-20260714 has only 580, so the "
        "node would have no GPU: set cluster.nodeReleaseVersion to 20260917 or later (vllm-eks pins shows the newest)"
    )
    alone = ask(LLAMA_8B, "--instance-type", "g7.2xlarge")
    assert (alone.returncode, text in alone.stderr) == (3, True)
    listed = json.loads(ask(LLAMA_8B, "--json").stdout)["candidates"]
    assert {one["fits"] for one in listed if one["instance"]["type"].startswith("g7.")} == {False}
    assert {one["fits"] for one in listed if one["instance"]["type"].startswith("g7e.")} == {True}


def test_the_comparison_shows_one_g7e_and_two_g5_with_their_prices(ask: Ask) -> None:
    lines = {line.split()[0]: line.split() for line in ask(SCOUT).stdout.splitlines() if line}
    assert lines["g7e.24xlarge"][1:7] == ["sure", "1", "16.57", "4", "x", "1"]
    assert lines["g5.48xlarge"][1:7] == ["sure", "2", "32.58", "8", "x", "2"]
    assert lines["g7e.24xlarge"][15] == "az2,az6", "zones of the default region, us-east-1"
    by_type = {plan["instance"]["type"]: plan for plan in json.loads(ask(SCOUT, "--json").stdout)["candidates"]}
    one, two = by_type["g7e.24xlarge"], by_type["g5.48xlarge"]
    assert one["cost"]["usd_per_million_tokens_estimate"] < two["cost"]["usd_per_million_tokens_estimate"]
    assert (one["gpudirect_rdma"], two["gpudirect_rdma"]) == (True, False)
