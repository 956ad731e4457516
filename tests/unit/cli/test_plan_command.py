"""The command as people and scripts use it: exit status, standard error, the --json contract, its speed."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.plans import LLAMA_8B, SCOUT
from vllm_eks.cli.main import main

ROOT = Path(__file__).parents[3]
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


class Answer(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Ask = Callable[..., Answer]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ask:
    """The command in this process; one test below starts it as a process of its own."""
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str, cwd: Path = ROOT) -> Answer:
        monkeypatch.setattr("sys.argv", ["vllm-eks", "plan", *arguments])
        with chdir(cwd), pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code is None or isinstance(ended.value.code, int)
        captured = capsys.readouterr()
        return Answer(ended.value.code or 0, captured.out, captured.err)

    return run


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
        ((SCOUT, "--pipeline-parallel-size", "1"), "would work: the cheapest that fits: TP=1 PP=3 on 3 x g7e.2xlarge"),
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


def test_json_is_printed_all_the_same_when_it_does_not_fit(ask: Ask) -> None:
    found = ask(SCOUT, "--instance-type", "g5.48xlarge", "--pipeline-parallel-size", "1", "--json")
    document = json.loads(found.stdout)
    assert found.returncode == 3
    assert set(document) >= TOP_LEVEL
    assert [refusal["code"] for refusal in document["refusals"]] == ["weights_do_not_fit"]
    assert document["vllm_args"] == []
    assert "weights_do_not_fit" in found.stderr


def test_without_a_type_every_type_is_compared_the_cheapest_that_fits_first(ask: Ask) -> None:
    document = json.loads(ask(SCOUT, "--json").stdout)
    assert set(document) == {"model", "candidates"}
    assert len(document["candidates"]) == 58
    first = document["candidates"][0]
    assert (first["instance"]["type"], first["fits"]) == ("g7e.2xlarge", True)
    table = ask(SCOUT).stdout
    assert "g7e.24xlarge" in table
    assert table.index("g7e.24xlarge") < table.index("g5.48xlarge")


def test_one_g7e_stands_beside_two_g5_with_what_each_costs(ask: Ask) -> None:
    lines = {line.split()[0]: line.split() for line in ask(SCOUT).stdout.splitlines() if line}
    assert lines["g7e.24xlarge"][1:6] == ["1", "16.57", "4", "x", "1"]
    assert lines["g5.48xlarge"][1:6] == ["2", "32.58", "8", "x", "2"]
    assert lines["g7e.24xlarge"][14] == "az2,az6", "zones of the default region, us-east-1"
    by_type = {plan["instance"]["type"]: plan for plan in json.loads(ask(SCOUT, "--json").stdout)["candidates"]}
    one, two = by_type["g7e.24xlarge"], by_type["g5.48xlarge"]
    assert one["cost"]["usd_per_million_tokens_estimate"] < two["cost"]["usd_per_million_tokens_estimate"]
    assert (one["gpudirect_rdma"], two["gpudirect_rdma"]) == (True, False)


def test_the_zones_shown_are_those_of_the_region_asked_for(ask: Ask) -> None:
    found = ask(SCOUT, "--instance-type", "g7e.24xlarge", "--region", "us-east-1").stdout
    assert "  zones        use1-az2, use1-az6 in us-east-1" in found
    assert "none known in cn-north-1" in ask(SCOUT, "--instance-type", "g7e.24xlarge", "--region", "cn-north-1").stdout


def test_prices_are_those_of_the_region_or_unknown(ask: Ask) -> None:
    asked = ("g5.48xlarge", "--pipeline-parallel-size", "1", "--region", "eu-central-1")
    refused = ask(SCOUT, "--instance-type", *asked).stderr
    assert (
        "would work: --pipeline-parallel-size 2: 2 x g5.48xlarge (price unknown in eu-central-1, $32.58/h in us-e"
        in refused
    )
    fits = ask(LLAMA_8B, "--instance-type", "g5.4xlarge", "--region", "eu-central-1").stdout
    assert "  price        $2.03 an hour for the GPU nodes (eu-central-1, on demand, Linux, 2026)" in fits
    unknown = ask(LLAMA_8B, "--instance-type", "g5.xlarge", "--region", "eu-central-1").stdout
    assert "  price        of one g5.xlarge: unknown in eu-central-1 (1.01 in us-east-1)" in unknown
    table = ask(LLAMA_8B, "--region", "us-gov-west-1").stdout
    assert {line.split()[2] for line in table.splitlines() if line.startswith(("g", "p"))} == {"unknown"}
    assert "USD/h: unknown in us-gov-west-1 for 56 types, sorted by their price in us-east-1" in table


def test_json_lists_every_term_with_its_range_and_rule(ask: Ask) -> None:
    document = json.loads(ask(SCOUT, "--instance-type", "g5.48xlarge", "--json").stdout)
    terms = document["memory_terms"]
    assert [term["name"] for term in terms] == [
        "weights",
        "rotary tables",
        "activations (sampler)",
        "outside torch",
        "runner buffers",
        "CUDA graphs",
    ]
    assert all(term["low_gib"] <= term["gib"] <= term["high_gib"] and term["rule"] for term in terms)
    budget = document["memory_per_gpu"]["budget_gib"]
    assert budget - sum(term["gib"] for term in terms) == pytest.approx(document["memory_per_gpu"]["kv_cache_gib"])
    assert document["kv_cache_tokens_low"] < document["kv_cache_tokens"] < document["kv_cache_tokens_high"]
    assert document["throughput_estimate"]["tokens_per_second"] > 0


def test_an_unknown_architecture_is_planned_only_when_it_may_be_assumed(ask: Ask, tmp_path: Path) -> None:
    config = json.loads((ROOT / "tests" / "data" / "qwen3-0.6b-config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["NovelForCausalLM"]}))
    asked = (str(tmp_path), "--instance-type", "g6.xlarge")
    refused, assumed = ask(*asked), ask(*asked, "--assume-dense")
    assert (refused.returncode, assumed.returncode) == (2, 0)
    assert "the planner does not support the architecture NovelForCausalLM; it supports Llama" in refused.stderr
    assert "can be estimated with --assume-dense" in refused.stderr
    assert "note: NovelForCausalLM is planned as a plain dense decoder: every number is an estimate" in assumed.stdout


def test_a_model_that_fits_nothing_exits_3_and_says_so_for_each_type(ask: Ask, tmp_path: Path) -> None:
    config = {
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": 65536,
        "num_hidden_layers": 400,
        "vocab_size": 200000,
        "num_attention_heads": 512,
        "num_key_value_heads": 8,
        "intermediate_size": 262144,
        "max_position_embeddings": 4096,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = ask(str(tmp_path))
    assert found.returncode == 3
    assert "fits no instance type of the catalogue:" in found.stderr
    assert "58 types: host_too_small: the largest, p6-b300.48xlarge: each node needs" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("Qwen/Qwen3-8C",),
            "vllm-eks: model 'Qwen/Qwen3-8C' is not locked; did you mean Qwen/Qwen3-8B",
        ),
        (
            (LLAMA_8B, "--instance-type", "g5.48xlrge"),
            "instance type 'g5.48xlrge' is not in the catalogue; did you mean g5.48x",
        ),
        (
            (LLAMA_8B, "--instance-type", "g5.xlarge", "--instance-file", "x"),
            "give either --instance-type or --instance-file",
        ),
        ((LLAMA_8B, "--vllm-version", "0.7.3"), "vLLM 0.7.3 is not supported: use 0.8 to 0.33"),
        ((LLAMA_8B, "--tensor-parallel-size", "0"), "Invalid value for '--tensor-parallel-size'"),
        ((LLAMA_8B, "--gpu-memory-utilization", "1.5"), "gpu memory utilization 1.5 must be above 0 and at most 1"),
    ],
)
def test_a_wrong_question_exits_2_without_a_traceback(ask: Ask, arguments: tuple[str, ...], message: str) -> None:
    found = ask(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_a_folder_given_relatively_is_planned_where_the_user_stands(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text((ROOT / "tests" / "data" / "qwen3-0.6b-config.json").read_text())
    found = ask("mine", "--instance-type", "g6.xlarge", "--json", cwd=tmp_path)
    assert (found.returncode, json.loads(found.stdout)["model"]["id"]) == (0, "mine")


def test_a_plan_loads_neither_pulumi_nor_pydantic() -> None:
    program = (
        "import sys\nfrom vllm_eks.cli.main import app\n"
        f"app(['plan', '{SCOUT}', '--instance-type', 'g5.48xlarge'], standalone_mode=False)\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'pulumi', 'pulumi_aws', 'pydantic', 'grpc'}))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert found.stdout.splitlines()[-1] == "[]"
