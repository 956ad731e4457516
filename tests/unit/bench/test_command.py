"""The command of the client's container."""

import ast
from dataclasses import replace

from tests.fakes.bench_cluster import group
from vllm_eks.bench.command import bench_options, pod_arguments, pod_command
from vllm_eks.bench.load import Load
from vllm_eks.bench.target import TokenizerSource, target_of

LOAD = Load(requests_per_second=None, concurrent_users=32, input_tokens=1024, output_tokens=256, requests=256, seed=9)
TARGET = target_of(group(), "scout", "vllm-scout")


def test_the_command_is_the_script_with_the_image_s_python() -> None:
    *python, script = pod_command()

    assert python == ["python3", "-u", "-c"]
    imported = {node.module for node in ast.walk(ast.parse(script)) if isinstance(node, ast.ImportFrom)}
    assert not {name for name in imported if name and name.startswith("vllm_eks")}


def test_users_are_a_concurrency_without_a_rate() -> None:
    assert bench_options("http://scout-api:8000", "scout", LOAD, tokenizer_flags=("--trust-remote-code",)) == [
        *("--backend", "openai", "--base-url", "http://scout-api:8000", "--endpoint", "/v1/completions"),
        *("--model", "scout", "--served-model-name", "scout", "--trust-remote-code"),
        *("--dataset-name", "random", "--num-prompts", "256", "--seed", "9"),
        *("--random-input-len", "1024", "--random-prefix-len", "0", "--random-output-len", "256"),
        *("--random-range-ratio", '{"input": 0.0, "output": 0.0}'),
        *("--request-rate", "inf", "--max-concurrency", "32"),
        *("--ignore-eos", "--temperature", "0"),
        *("--num-warmups", "2", "--ready-check-timeout-sec", "120", "--disable-tqdm"),
        *("--percentile-metrics", "ttft,tpot,itl,e2el", "--metric-percentiles", "50,90,99"),
    ]


def test_a_rate_has_poisson_arrivals_and_the_shared_tokens_are_part_of_the_input() -> None:
    rate = replace(LOAD, concurrent_users=None, requests_per_second=2.5, shared_prefix_tokens=1000, output_varies=True)
    options = bench_options("http://scout-api:8000", "scout", rate)

    for flag, value in {
        "--request-rate": "2.5",
        "--burstiness": "1",
        "--random-prefix-len": "1000",
        "--random-input-len": "24",
        "--random-range-ratio": '{"input": 0.0, "output": 0.9}',
    }.items():
        assert options[options.index(flag) + 1] == value
    assert "--max-concurrency" not in options


def test_the_script_gets_the_tokenizer_of_the_server_and_the_file_of_the_key() -> None:
    arguments = pod_arguments(TARGET, LOAD)
    own, bench = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]

    assert own == [
        *("--tokenizer", "Qwen/Qwen3-8B", "--revision", "abc123"),
        *("--api-key-file", "/secrets/api-key/apiKey", "--folder", "/tmp"),
    ]
    assert bench == bench_options(TARGET.service_url, "scout", LOAD)


def test_a_bucket_has_no_revision() -> None:
    stored = replace(TARGET, tokenizer=TokenizerSource(place="s3://bucket/qwen", revision="abc123"))
    assert "--revision" not in pod_arguments(stored, LOAD)
