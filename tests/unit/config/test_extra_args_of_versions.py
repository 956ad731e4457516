"""`extraArgs`: accepted flags, flags that the plan or the chart refuses, and warnings."""

from pathlib import Path

import pytest

from config.settings.model import ModelSettings
from tests.support.extra_args import VERSIONS, said
from tests.support.stack_config import load_stack, model, report_of, write_stack
from vllm_eks.planner.engine.engine_flags import EngineFlags, Offload


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "args",
    [
        ["--seed", "7", "--trust-remote-code", "--stream-interval=4", "-O3"],
        ["--seed", "-1", "--max_log_len", "100", "--enable-log-requests"],
        ["--dtype", "auto"],
        ["--dtype", "bfloat16"],
        ["--quantization", "None"],
        ["--no-enable-eplb", "--no-disable-hybrid-kv-cache-manager"],
        ["--cpu-offload-gb", "0", "--data-parallel-size", "1"],
        ["--runner", "generate", "--convert", "none", "--load-format", "safetensors"],
        ["--mamba-cache-mode", "align"],
        ["--api-server-count", "1", "--mm-processor-cache-gb", "0", "--max-logprobs", "5"],
        ["--root-path", "/v2", "--allow-credentials", "--allowed-origins", '["https://chat.example"]'],
        ["--tool-parser-plugin", "/opt/parser.py", "--chat-template=/opt/chat.jinja"],
    ],
)
def test_harmless_flags_and_values_pass(args: list[str], version: str) -> None:
    assert said(*args, version=version) == ([], [])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (["--kv-transfer-config", '{"kv_connector": "NixlConnector", "kv_role": "kv_both"}'], "connector"),
        (["--cpu-offload-params", "experts", "--offload-params", "w2"], "whole layers"),
        (["--kv-offloading-backend", "lmcache"], "LMCache server"),
        (["--mamba-cache-mode", "all"], "a state cache of every block is not in the plan: use align"),
        (["--mamba-block-size", "64"], "only with --mamba-cache-mode all"),
        (["--enable-dbo"], "data-parallel engines"),
        (["--kv-cache-dtype-skip-layers", "0"], "pages of the KV cache"),
        (["--speculative-config", '{"model": "org/draft", "num_speculative_tokens": 3}'], "vllm-eks lock org/draft"),
        (["--speculative-config", '{"method": "eagle3", "num_speculative_tokens": 3}'], "the id of the draft model"),
        (["--kv-transfer-config", '{"kv_connector": "OffloadingConnector", "kv_role": "kv_both"}'], "cpu_bytes_to_use"),
        (["--block-size", "20"], "multiple of 16"),
        (["--hf-overrides", '{"rope_parameters": {}}'], "config.json"),
        (["--load-format", "dummy"], "not the ones that are planned"),
        (["--quantization", "fp8"], "the checkpoint's own quantization"),
        (["--skip-mm-profiling"], "encoder's memory"),
        (["--enable-eplb"], "redundant experts"),
        (["--disable-hybrid-kv-cache-manager"], "layers with a window"),
        (["--data-parallel-size", "2"], "enableExpertParallel to spread the experts"),
        (["--attention-backend", "NOPE"], "is not a valid choice"),
        (["--runner", "pooling"], "a model that generates text"),
        (["--convert=embed"], "a model that generates text"),
        (["--uds", "/tmp/s"], "HTTP over TCP"),
        (["--ssl-keyfile", "/k", "--ssl-certfile", "/c"], "plain HTTP"),
        (["--config", "/etc/vllm.yaml"], "a second file"),
        (["--disable-log-stats"], "the metrics"),
        (["--api-server-count", "4"], "one API server"),
        (["--skip-tokenizer-init"], "as text"),
        (["--grpc"], "HTTP over TCP"),
    ],
)
def test_flags_outside_the_plan_or_of_the_chart_are_refused(args: list[str], reason: str, version: str) -> None:
    errors, _ = said(*args, version=version)
    assert errors
    assert all(reason in error for error in errors)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("args", "warning"),
    [
        (["--moe-backend", "triton"], "the work space of this backend is not in the plan"),
        (["--load-format", "fastsafetensors"], "this loader's host memory is not in the plan"),
    ],
)
def test_effects_outside_the_plan_are_warned_of(args: list[str], warning: str, version: str) -> None:
    errors, (warned,) = said(*args, version=version)
    assert errors == []
    assert warned.endswith(warning)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "args",
    [
        ["--speculative-config", '{"method": "ngram", "num_speculative_tokens": 3}'],
        ["--speculative-config.method", "mtp", "--speculative-config.num_speculative_tokens=1"],
        ["--cpu-offload-gb", "4", "--kv-offloading-size", "20", "--kv-offloading-backend", "native"],
        ["--kv-transfer-config", '{"kv_connector": "SimpleCPUOffloadConnector", "kv_role": "kv_both"}'],
        ["--dtype", "float32", "--block-size", "32", "--mamba-ssm-cache-dtype", "float32"],
        ["--language-model-only", "-cc.cudagraph_mode=NONE", "--cudagraph-capture-sizes", "1", "2", "-O1"],
        ["--kv-cache-memory-bytes", "8G", "--num-gpu-blocks-override", "2000"],
    ],
)
def test_planned_flags_pass(args: list[str], version: str) -> None:
    assert said(*args, version=version) == ([], [])


def test_planned_flags_reach_the_plan() -> None:
    args = ["--cpu-offload-gb", "4", "--seed", "7", "--no-such-flag"]
    settings = ModelSettings.model_validate(model(extraArgs=args))
    assert settings.serving_options().flags == EngineFlags(offload=Offload(gib_per_gpu=4.0))
    # extraArgs come after the plan's arguments.
    assert settings.serving_options().further_args == ()


def test_the_space_of_a_secondary_tier_is_warned_of() -> None:
    config = (
        '{"kv_connector": "OffloadingConnector", "kv_role": "kv_both", "kv_connector_extra_config": '
        '{"cpu_bytes_to_use": 8g, "secondary_tiers": [{"type": "fs"}]}}'
    )
    assert said("--kv-transfer-config", config) == (
        [],
        ["m.extraArgs[0]: --kv-transfer-config: the space of its secondary tiers is not in the plan"],
    )


def test_a_checkpoint_s_own_quantization_may_be_named() -> None:
    awq = {"model": "RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16", "instanceType": "g5.48xlarge"}
    assert said("--quantization", "compressed-tensors", **awq) == ([], [])
    (error,) = said("-q", "fp8", **awq)[0]
    assert error == (
        "m.extraArgs[0]: -q fp8: the plan is made from the checkpoint's own quantization: serve a checkpoint that is "
        "quantized this way, and remove it"
    )


def test_a_version_without_a_table_refuses_nothing_that_it_may_have() -> None:
    errors, warnings = said("--seed", "1", "--brand-new", "x", "--scheduling-policy", "newest", version="0.29.0")
    assert errors == []
    assert warnings == [
        "m.extraArgs: vllm-eks has no flag table for vLLM 0.29.0: flags are compared with 0.27.0, and unknown ones "
        "are accepted",
        "m.extraArgs[2]: --brand-new is not a flag of vLLM 0.29.0: remove it",
        "m.extraArgs[4]: --scheduling-policy: 'newest' is not a valid choice: use one of fcfs, priority",
    ]
    # Flags that vllm-eks owns or depends on are the same in every version.
    assert said("--port", "1", "--disable-log-stats", version="0.29.0")[0] == [
        "m.extraArgs[0]: --port is set by vllm-eks: remove it",
        "m.extraArgs[2]: --disable-log-stats: the probes and the drain read the metrics that it disables: remove it",
    ]


def test_a_plugin_needs_an_image_that_contains_it(folder: Path) -> None:
    write_stack(folder, {"qwen3": model(extraArgs=["--tool-parser-plugin", "/opt/p.py"])})
    assert report_of(folder, "test").endswith(
        "--tool-parser-plugin: the default image does not contain this file: set image to one that does"
    )


def test_warnings_reach_pulumi_s_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", logged.append)
    write_stack(folder, {"qwen3": model(extraArgs=["--moe-backend", "triton"])})
    load_stack(folder, "test")
    assert logged == [
        "vllm-eks:models.qwen3.extraArgs[0]: --moe-backend triton: the work space of this backend is not in the plan"
    ]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (
            ["--collect-detailed-traces", "all"],
            "without --otlp-traces-endpoint: add --otlp-traces-endpoint, or remove it",
        ),
        (["--numa-bind-nodes", "0"], "without --numa-bind: add --numa-bind, or remove it"),
        (["--offload-backend", "prefetch"], "without --offload-group-size: add --offload-group-size, or remove it"),
        (
            ["--mamba-ssu-algorithm", "simple", "--mamba-backend", "triton"],
            "without --mamba-backend flashinfer: add --mamba-backend flashinfer, or remove it",
        ),
        (
            ["--enable-mamba-cache-stochastic-rounding"],
            "without --mamba-ssm-cache-dtype float16: add --mamba-ssm-cache-dtype float16, or remove it",
        ),
    ],
)
def test_flags_that_vllm_refuses_without_another_one_are_refused(args: list[str], error: str) -> None:
    shown = " ".join(args[:2])
    assert said(*args, version="0.32.0")[0] == [f"m.extraArgs[0]: {shown}: vLLM refuses it {error}"]


@pytest.mark.parametrize(
    "args",
    [
        ["--collect-detailed-traces", "all", "--otlp-traces-endpoint", "http://traces:4317"],
        ["--numa-bind", "--numa-bind-nodes", "0"],
        ["--offload-backend", "prefetch", "--offload-group-size", "4"],
        ["--offload-backend", "uva"],
        ["--return-sampling-mask", "--logprobs-mode", "processed_logprobs"],
        [
            *("--per-request-spec-decode-metrics", "summary"),
            *("--spec-method", "ngram", "--spec-tokens", "2"),
        ],
        ["--mamba-ssu-algorithm", "simple", "--mamba-backend", "FLASHINFER"],
        ["--no-enable-mamba-cache-stochastic-rounding"],
    ],
)
def test_they_pass_beside_it(args: list[str]) -> None:
    assert said(*args, version="0.32.0") == ([], [])


@pytest.mark.parametrize(
    "args", [["--moe-backend", "aiter"], ["--linear-backend", "xpu"], ["--kda-prefill-backend", "fused"]]
)
def test_backends_of_other_makers_are_refused(args: list[str]) -> None:
    text = f"{' '.join(args)}: it is for GPUs of other makers: remove it, and vLLM chooses one"
    assert said(*args, version="0.32.0")[0] == [f"m.extraArgs[0]: {text}"]


@pytest.mark.parametrize("args", [["--enable-fault-tolerance"], ["--ubatch-size", "2"], ["--dcp-comm-backend", "a2a"]])
def test_flags_of_layouts_that_the_stack_has_not_are_refused(args: list[str]) -> None:
    (error,) = said(*args, version="0.32.0")[0]
    assert error.endswith(": remove it")
