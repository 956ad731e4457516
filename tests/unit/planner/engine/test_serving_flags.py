"""Options of the endpoint: their flags, what they must agree on, and what LoRA adapters take."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.serving.access_outputs import access_outputs
from config.values.option_rules import lora_modules
from tests.fakes.vllm_server import vllm_double
from tests.support.plans import LLAMA_8B, QWEN_8B, SCOUT, planned
from tests.support.stack_config import report_of
from vllm_eks.planner.engine.flag_reading import read_flags
from vllm_eks.planner.engine.flag_tables import nearest_table
from vllm_eks.planner.engine.serving_flags import AUTO, FAMILY_PARSERS, ServingFlags, serving_flags
from vllm_eks.planner.memory.lora import can_count_lora, lora_term
from vllm_eks.planner.models.families import FAMILIES

LLAMA = "LlamaForCausalLM"
EVERYTHING = ServingFlags(
    tool_call_parser="hermes",
    reasoning_parser="qwen3",
    enable_prefix_caching=True,
    enable_chunked_prefill=False,
    lora_modules={"sql": "team/sql", "law": "team/law"},
    max_loras=2,
    max_lora_rank=32,
)


def test_no_auto_gives_no_flag() -> None:
    assert serving_flags(ServingFlags(), LLAMA) == []


def test_every_auto_has_its_flags() -> None:
    assert serving_flags(EVERYTHING, LLAMA) == [
        *("--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3"),
        *("--enable-prefix-caching", "--no-enable-chunked-prefill"),
        *("--enable-lora", "--max-loras", "2", "--max-lora-rank", "32"),
        *("--lora-modules", "sql=team/sql", "law=team/law"),
    ]


@pytest.mark.parametrize("version", ["0.21.0", "0.27.0", "0.32.0", "0.33.0"])
def test_every_flag_is_one_of_the_version(version: str) -> None:
    reading = read_flags(serving_flags(EVERYTHING, LLAMA), nearest_table(version).by_spelling)
    assert reading.errors == []
    assert len(reading.flags) == 9


def test_auto_selects_the_familys_parsers() -> None:
    auto = ServingFlags(tool_call_parser=AUTO, reasoning_parser=AUTO)
    flags = serving_flags(auto, "Qwen3ForCausalLM")
    assert flags == ["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--reasoning-parser", "qwen3"]
    with pytest.raises(ValueError, match="no parser is known for this family"):
        serving_flags(auto, LLAMA)


def test_the_table_of_families_names_known_parsers_only() -> None:
    assert set(FAMILY_PARSERS) <= set(FAMILIES)
    for version in ("0.21.0", "0.27.0", "0.32.0", "0.33.0"):
        table = nearest_table(version)
        for tool, reasoning in FAMILY_PARSERS.values():
            assert tool in (None, *table.tool_parsers)
            assert reasoning in (None, *table.reasoning_parsers)


def test_an_adapter_is_one_of_the_hub() -> None:
    with pytest.raises(ValueError, match="sql: '/mnt/x' is not a Hugging Face ID"):
        lora_modules({"sql": "/mnt/x"})


# --- LoRA


def test_slots_are_counted_by_hand_for_one_model() -> None:
    plan = planned(LLAMA_8B, max_loras=4, max_lora_rank=64)
    model = plan.model.architecture
    # Llama 3.1 8B: hidden 4096, heads 32 x 128, KV heads 8 x 128, intermediate 14336, vocabulary 128256.
    attention = 3 * 4096 + 4096 + 2 * 1024 + 4096 + 4096
    mlp = 2 * 4096 + 2 * 14336 + 14336 + 4096
    term = lora_term(model, plan.options, layers=32)
    assert term.size_bytes == 4 * 64 * 2 * (4096 + 128256 + 32 * (attention + mlp))


def test_adapters_come_off_the_kv_cache() -> None:
    plain, adapted = (planned(QWEN_8B, vllm_version="0.21.0", max_loras=slots) for slots in (0, 2))
    assert adapted.kv_cache_tokens < plain.kv_cache_tokens
    assert adapted.layout is not None
    assert plain.layout is not None
    terms = [{term.name: term for term in layout.stages[0].terms} for layout in (plain.layout, adapted.layout)]
    assert "LoRA adapters" in terms[1]
    # Every graph is captured with adapters and without.
    assert terms[1]["CUDA graphs"].size_bytes == 2 * terms[0]["CUDA graphs"].size_bytes


def test_the_memory_of_adapters_of_a_mixture_is_not_guessed() -> None:
    assert can_count_lora(planned(QWEN_8B).model.architecture)
    assert not can_count_lora(planned(SCOUT).model.architecture)


# --- what must go together


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            {"enableChunkedPrefill": False},
            "models.m.enableChunkedPrefill: false conflicts with maxNumBatchedTokens 2048 below maxModelLen 8192, "
            "which vLLM refuses: raise maxNumBatchedTokens, lower maxModelLen, or remove enableChunkedPrefill",
        ),
        (
            {"model": "Qwen/Qwen2.5-7B-Instruct", "reasoningParser": "auto"},
            "models.m.reasoningParser: auto has no parser for Qwen2ForCausalLM: set one by name, or remove "
            "reasoningParser",
        ),
        ({"maxLoras": 2}, "models.m.maxLoras: needs loraModules: add the adapters, or remove it"),
        (
            {"model": "Qwen/Qwen3-235B-A22B", "loraModules": {"sql": "team/sql"}},
            "models.m.loraModules: LoRA adapters are not supported yet for Qwen3MoeForCausalLM (experts, latent or "
            "linear attention): remove loraModules",
        ),
        (
            {"extraArgs": ["--enable-lora"]},
            "models.m.extraArgs[0]: --enable-lora is set by vllm-eks: use the model's key loraModules",
        ),
        (
            {"weights": {"s3Uri": "s3://bucket/prefix"}},
            "models.m.weights.s3Uri: conflicts with source: huggingFace: set source: s3, or remove s3Uri",
        ),
        (
            {"weights": {"source": "s3"}},
            "models.m.revision: is missing: weights.source: s3 copies one commit, so set its full hash (vllm-eks lock "
            "records it)",
        ),
        (
            {"weights": {"source": "s3"}, "revision": "main"},
            "models.m.revision: 'main' is not a commit, and weights.source: s3 copies exactly one: set its full hash "
            "(40 digits)",
        ),
        (
            {"weights": {"source": "s3", "s3Uri": "s3://bucket/p"}, "revision": "main"},
            "models.m.revision: conflicts with weights.s3Uri, because a folder in S3 has no revisions: remove it, or "
            "include it in the folder's name",
        ),
        (
            {"weights": {"source": "s3", "s3Uri": "s3://bucket/p"}, "extraArgs": ["--load-format", "dummy"]},
            "models.m.extraArgs[0]: --load-format is set by vllm-eks when weights are streamed from S3: remove it",
        ),
        (
            {"weights": {"source": "s3", "s3Uri": "s3://bucket/"}},
            "models.m.weights.s3Uri: 's3://bucket/' is not an S3 location: use s3://bucket/prefix, where the prefix "
            "is the folder of config.json",
        ),
    ],
)
def test_settings_that_exclude_each_other_are_an_error(folder: Path, settings: dict[str, Any], text: str) -> None:
    model = {"model": "Qwen/Qwen3-8B", "instanceType": "g5.48xlarge", "zone": "us-west-2a", **settings}
    stack = {
        "aws:region": "us-west-2",
        "vllm-eks:network": {"zones": ["us-west-2a", "us-west-2b"]},
        "vllm-eks:cluster": {"publicAccessCidrs": []},
        "vllm-eks:models": {"m": model},
    }
    (folder / "Pulumi.wrong.yaml").write_text(json.dumps({"config": stack}))
    assert report_of(folder, "wrong").splitlines() == ["Pulumi.wrong.yaml has 1 error:", f"  vllm-eks:{text}"]


# --- the snippets of the outputs


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment whose kubectl reads the key out of the Secret that is asked for, and whose openai is a stub."""
    kubectl = tmp_path / "kubectl"
    asked = "--namespace vllm-scout get secret the-secret --output go-template={{.data.apiKey | base64decode}}"
    kubectl.write_text(f'#!/bin/bash\n[ "$*" = "{asked}" ] && printf sk-one\n')
    kubectl.chmod(0o755)
    curl = tmp_path / "curl"
    curl.write_text(f"#!{sys.executable}\n{CURL}")
    curl.chmod(0o755)
    (tmp_path / "openai.py").write_text(OPENAI)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(tmp_path)}


# What of curl's options the snippet uses, so that no curl need be installed; an unknown one is an error.
CURL = """
import argparse, sys, urllib.request
parser = argparse.ArgumentParser(allow_abbrev=False)
parser.add_argument("url")
parser.add_argument("--silent", action="store_true")
parser.add_argument("--show-error", action="store_true")
parser.add_argument("--header", action="append", default=[])
parser.add_argument("--data")
given = parser.parse_args()
headers = dict(header.split(": ", 1) for header in given.header)
with urllib.request.urlopen(urllib.request.Request(given.url, given.data.encode(), headers)) as answer:
    sys.stdout.write(answer.read().decode())
"""

OPENAI = """
import json, types, urllib.request
class OpenAI:
    def __init__(self, *, base_url, api_key):
        self.base_url, self.api_key, self.completions = base_url, api_key, self
    def create(self, **body):
        headers = {"Authorization": "Bearer " + self.api_key, "Content-Type": "application/json"}
        request = urllib.request.Request(self.base_url + "/completions", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer, object_hook=lambda found: types.SimpleNamespace(**found))
"""


@pytest.mark.parametrize("snippet", ["curl", "python"])
def test_a_snippet_works_as_it_is_printed(engine, shell: dict[str, str], tmp_path: Path, snippet: str) -> None:
    with vllm_double(keys=("sk-one",), answer=(200, {"choices": [{"text": " Paris"}]})) as double:
        secret = pulumi.Output.from_input("the-secret")
        printed = engine.value(
            lambda: access_outputs("scout", namespace="vllm-scout", port=double.port, api_key_secret=secret)[snippet]
        )
        program = ["bash", "-c", printed] if snippet == "curl" else [sys.executable, "-c", printed]
        done = subprocess.run(program, capture_output=True, text=True, env=shell, cwd=tmp_path)
    assert " Paris" in done.stdout, done.stderr
    assert double.asked == [("POST", "/v1/completions", "Bearer sk-one")]
