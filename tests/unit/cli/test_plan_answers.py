"""`vllm-eks plan`: prices, zones, terms, and invalid input."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.plan_command import ROOT, Ask
from tests.support.plans import LLAMA_8B, SCOUT


def test_the_printed_zones_are_in_the_requested_region(ask: Ask) -> None:
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
    assert {line.split()[3] for line in table.splitlines() if line.startswith(("g", "p"))} == {"unknown"}
    assert "USD/h: unknown in us-gov-west-1 for 50 types, ranked by their price in us-east-1" in table
    some = ask(LLAMA_8B, "--region", "eu-central-1").stdout
    assert re.search(r"^USD/h: eu-central-1, on demand, Linux, 2026; unknown in eu-central-1 for \d+ types", some, re.M)


def test_json_lists_every_term_with_its_range_and_rule(ask: Ask) -> None:
    document = json.loads(ask(SCOUT, "--instance-type", "g5.48xlarge", "--json").stdout)
    terms = document["memory_terms"]
    assert [term["name"] for term in terms] == [
        "weights",
        "rotary tables",
        "activations (sampler)",
        "outside torch",
        "runner buffers",
        "compiling",
        "CUDA graphs",
    ]
    assert all(term["low_gib"] <= term["gib"] <= term["high_gib"] and term["rule"] for term in terms)
    budget = document["memory_per_gpu"]["budget_gib"]
    assert budget - sum(term["gib"] for term in terms) == pytest.approx(document["memory_per_gpu"]["kv_cache_gib"])
    assert document["kv_cache_tokens_low"] < document["kv_cache_tokens"] < document["kv_cache_tokens_high"]
    assert document["throughput_estimate"]["tokens_per_second"] > 0


def test_an_unknown_architecture_is_read_from_its_fields_and_is_an_estimate(ask: Ask, tmp_path: Path) -> None:
    config = json.loads((ROOT / "tests" / "data" / "qwen3-0.6b-config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["NovelForCausalLM"]}))
    found = ask(str(tmp_path), "--instance-type", "g6.xlarge")
    assert found.returncode == 0
    assert (
        "note: NovelForCausalLM is read from the fields of its config.json: every number is an estimate" in found.stdout
    )
    document = json.loads(ask(str(tmp_path), "--instance-type", "g6.xlarge", "--json").stdout)
    assert document["model"]["confidence"] == "estimated"


def test_a_config_with_unsupported_features_is_refused(ask: Ask, tmp_path: Path) -> None:
    config = json.loads((ROOT / "tests" / "data" / "qwen3-0.6b-config.json").read_text())
    novel = {**config, "architectures": ["NovelForCausalLM"], "num_wise_experts": 64}
    (tmp_path / "config.json").write_text(json.dumps(novel))
    found = ask(str(tmp_path), "--instance-type", "g6.xlarge")
    assert found.returncode == 2
    assert "config.json has num_wise_experts, but no number of experts that the planner knows" in found.stderr


def test_a_model_that_fits_no_type_exits_3_with_each_reason(ask: Ask, tmp_path: Path) -> None:
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
    assert "fits no instance type in the catalogue:" in found.stderr
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
            "use either --instance-type or --instance-file",
        ),
        ((LLAMA_8B, "--vllm-version", "0.7.3"), "vLLM 0.7.3 is not supported: use 0.8 to 0.33"),
        ((LLAMA_8B, "--tensor-parallel-size", "0"), "Invalid value for '--tensor-parallel-size'"),
        ((LLAMA_8B, "--gpu-memory-utilization", "1.5"), "--gpu-memory-utilization 1.5 must be above 0 and at most 1"),
        ((LLAMA_8B, "--dtype", ""), "--dtype: '' is not a valid choice: use one of auto, bfloat16, float, float16"),
        ((LLAMA_8B, "--kv-offloading-size", "1e400"), "--kv-offloading-size: 1e400 is too large for a number"),
        ((LLAMA_8B, "--speculative-config", "[" * 5000), "[... is not JSON: write it in single quotes"),
        ((LLAMA_8B, "--limit-mm-per-prompt", "[" * 5000), "[... is not a JSON object: write for example"),
        (("x" * 5000,), "x... is not locked (add it with vllm-eks lock <organization>/<name>, or give a folder"),
        (("s3://b/k",), "model 's3://b/k' is not locked (add it with vllm-eks lock <organization>/<name>, or give"),
        (("",), "model '' is not locked (add it with"),
        (("./" + "x" * 5000,), "x... has no config.json: put the model's config.json into that folder"),
        (("./nowhere",), "vllm-eks: ./nowhere has no config.json: put the model's config.json into that folder"),
        (("tests",), "vllm-eks: tests has no config.json: put the model's config.json into that folder"),
    ],
)
def test_a_wrong_question_exits_2_without_a_traceback(ask: Ask, arguments: tuple[str, ...], message: str) -> None:
    found = ask(*arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_a_relative_folder_is_read_from_the_working_folder(ask: Ask, tmp_path: Path) -> None:
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
