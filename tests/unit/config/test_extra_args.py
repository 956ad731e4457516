"""What `extraArgs` may hold: each flag of each version has a disposition, and says why where it is refused."""

from pathlib import Path

import pytest

from config.cross_field.extra_args import extra_args_faults, extra_args_warnings
from config.settings.model import ModelSettings
from tests.support.stack_config import load_stack, model, report_of, write_stack
from vllm_eks.planner.engine.flag_dispositions import VALUE_RULES, dispositions
from vllm_eks.planner.engine.flag_tables import flag_table, nearest_table, table_versions
from vllm_eks.planner.models.known_models import find_model

RUNS = Path(__file__).parents[2] / "data" / "vllm_flag_runs"
VERSIONS = [".".join(map(str, version)) for version in table_versions()]
OWN = {"image": "registry.example/vllm:1"}


def said(*args: str, version: str = "0.27.0", **settings: object) -> tuple[list[str], list[str]]:
    """Return the faults and the warnings of a list of arguments."""
    given = ModelSettings.model_validate(model(**OWN, vllmVersion=version, extraArgs=list(args), **settings))
    facts = find_model(given.model)
    return (
        [str(fault) for fault in extra_args_faults(given, facts, "m")],
        [str(warning) for warning in extra_args_warnings(given, facts, "m")],
    )


# --- the tables


@pytest.mark.parametrize("version", VERSIONS)
def test_somebody_has_decided_on_every_flag(version: str) -> None:
    assert set(nearest_table(version).flags) - dispositions().known == set()


def test_nothing_is_decided_on_that_no_version_has() -> None:
    has = {flag for version in VERSIONS for flag in nearest_table(version).flags}
    assert dispositions().known - has == set()
    assert {
        name for version in VERSIONS for name in dispositions().gone if name in nearest_table(version).flags
    } == set()


def test_a_flag_has_one_disposition_for_each_of_its_values() -> None:
    table = dispositions()
    rows = [{flag for row in side for flag in row.flags} for side in (table.refused, table.warned)]
    for one in (table.owned, table.secrets):
        assert not one & (rows[0] | rows[1] | table.harmless)
    assert not table.harmless & (rows[0] | rows[1])
    both = rows[0] & rows[1]
    # These are refused with some values, and warned of with others.
    assert both == {"--speculative-config", "--spec-method", "--spec-model", "--spec-tokens", "--load-format"}
    assert {row.judge for row in (*table.refused, *table.warned)} - {""} == set(VALUE_RULES)


def test_every_key_that_is_named_for_a_flag_is_one_of_the_stack_file() -> None:
    known = {info.alias or name for name, info in ModelSettings.model_fields.items()}
    assert set(dispositions().keys.values()) <= known


@pytest.mark.parametrize("version", VERSIONS)
def test_an_owned_flag_is_refused_in_every_spelling(version: str) -> None:
    table = flag_table(version)
    assert table
    for name in dispositions().owned | dispositions().secrets:
        if name in table.flags:
            for spelling in table.flags[name].spellings:
                for written in {spelling, spelling[:2] + spelling[2:].replace("-", "_"), f"{spelling}=1"}:
                    (faults, _) = said("--seed", "7", written, version=version)
                    assert [fault for fault in faults if fault.startswith("m.extraArgs[2]: ")], written


# --- arguments, read as vLLM reads them


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        (["7"], "m.extraArgs[0]: '7' is not a flag: start the list with a flag, such as --seed"),
        (["--seed", "7", ""], "m.extraArgs[2]: is empty: remove it"),
        (["--seed 7"], "m.extraArgs[0]: '--seed 7' is one item: split it into --seed and 7"),
        (["--seed", "7", "8"], "m.extraArgs[2]: '8' does not belong to a flag: remove it"),
        (["--port=1"], "m.extraArgs[0]: --port is set by vllm-eks itself: remove it"),
        (
            ["--no_enforce_eager"],
            "m.extraArgs[0]: --no_enforce_eager is set by vllm-eks itself: use enforceEager of the model",
        ),
        (
            ["--limit-mm-per-prompt.image", "1"],
            "m.extraArgs[0]: --limit-mm-per-prompt.image is set by vllm-eks itself: use limitMmPerPrompt of the model",
        ),
        (
            ["--tensor", "2"],
            "m.extraArgs[0]: --tensor, short for --tensor-parallel-size, is set by vllm-eks itself: use "
            "tensorParallelSize of the model",
        ),
        (
            ["-t", "2"],
            "m.extraArgs[0]: -t, short for -tp, is set by vllm-eks itself: use tensorParallelSize of the model",
        ),
        (["-n2"], "m.extraArgs[0]: -n2, short for --nnodes, is set by vllm-eks itself: remove it"),
        (["-p", "2"], "m.extraArgs[0]: -p may mean -pcp or -pp: write the full name"),
        (["--enable-lora"], "m.extraArgs[0]: --enable-lora is set by vllm-eks itself: use loraModules of the model"),
        (
            ["--served-model-name", "gpt-4o"],
            "m.extraArgs[0]: --served-model-name is set by vllm-eks itself: use servedNames of the model",
        ),
        (
            ["--api-key", "sk-hunter2"],
            "m.extraArgs[0]: --api-key would show a secret in the pod's command line: use the secret apiKey or "
            "huggingFaceToken of the stack",
        ),
        (
            ["--otlp-traces-endpoint", "https://me:hunter2@collector.example"],
            "m.extraArgs[0]: --otlp-traces-endpoint: its value looks like a secret, which the pod's command line would "
            "show: remove it",
        ),
        (["--no-such-flag"], "m.extraArgs[0]: --no-such-flag is not a flag of vLLM 0.27.0: remove it"),
        (["--sed", "7"], "m.extraArgs[0]: --sed is not a flag of vLLM 0.27.0: did you mean --seed?"),
        (
            ["--swap-space", "16"],
            "m.extraArgs[0]: --swap-space is not a flag of vLLM 0.27.0: this engine swaps nothing to host memory, so "
            "remove it",
        ),
        (
            ["--task", "embed"],
            "m.extraArgs[0]: --task is not a flag of vLLM 0.27.0: a model generates text by default, and only such "
            "models are served, so remove it",
        ),
        (
            ["--disable-log-requests"],
            "m.extraArgs[0]: --disable-log-requests is not a flag of vLLM 0.27.0: requests are logged only with "
            "--enable-log-requests, so remove it",
        ),
        (["--seed", "x"], "m.extraArgs[0]: --seed: 'x' is not a whole number: write for example 4"),
        (["--seed"], "m.extraArgs[0]: --seed: has no value: add it as the next item"),
        (
            ["--scheduling-policy", "priorty"],
            "m.extraArgs[0]: --scheduling-policy: 'priorty' is not a valid choice: did you mean priority?",
        ),
        (
            ["--override-generation-config", "temperature=1"],
            "m.extraArgs[0]: --override-generation-config: 'temperature=1' is not JSON: write it in single quotes, "
            "for example '{\"key\": 1}'",
        ),
        (
            ["--structured-outputs-config.backened", "xgrammar"],
            "m.extraArgs[0]: --structured-outputs-config.backened: unknown key 'backened': did you mean backend?",
        ),
        (["--enable-log-requests=true"], "m.extraArgs[0]: --enable-log-requests takes no value: remove =true"),
        (
            ["--seed", "1", "--seed=2"],
            "m.extraArgs[2]: --seed is given twice, first as --seed: remove one",
        ),
        (
            ["--enable-log-requests", "--no-enable-log-requests"],
            "m.extraArgs[1]: --no-enable-log-requests is given twice, first as --enable-log-requests: remove one",
        ),
    ],
)
def test_an_argument_that_vllm_should_not_get_is_refused(args: list[str], fault: str) -> None:
    assert said(*args)[0] == [fault]


def test_a_flag_that_a_version_lacks_is_not_what_another_s_name_begins_with() -> None:
    lacks = "m.extraArgs[0]: --device is not a flag of vLLM {}: the GPU is found by itself, so remove it"
    for version in VERSIONS:
        assert said("--device", "cuda", version=version)[0] == [lacks.format(version)]


def test_the_inverse_spellings_of_a_version_are_known() -> None:
    for written in ("--disable-chunked-prefill", "--disable-prefix-caching", "--disable-auto-tool-choice"):
        (fault,) = said(written, version="0.33.0")[0]
        assert "is set by vllm-eks itself: use" in fault
        (fault,) = said(written, version="0.32.0")[0]
        assert f"{written} is not a flag of vLLM 0.32.0" in fault
    assert said("--disable-log-requests", version="0.33.0") == ([], [])


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
        (["--speculative-config", '{"method": "eagle3", "model": "org/draft", "num_speculative_tokens": 3}'], "draft"),
        (["--speculative-config.method", "mtp", "--speculative-config.num_speculative_tokens=1"], "draft"),
        (["--cpu-offload-gb", "40"], "host memory"),
        (["--kv-offloading-size", "20"], "host memory"),
        (["--kv-transfer-config", '{"kv_connector": "NixlConnector", "kv_role": "kv_both"}'], "connector"),
        (["--hf-overrides", '{"rope_parameters": {}}'], "config.json"),
        (["--load-format", "dummy"], "not the ones that are planned"),
        (["--mamba-ssm-cache-dtype", "float32"], "state cache"),
        (["--dtype", "float32"], "16 bits a value"),
        (["--quantization", "fp8"], "the checkpoint's own quantization"),
        (["--block-size", "32"], "pages of the KV cache"),
        (["--skip-mm-profiling"], "encoder's memory"),
        (["--enable-eplb"], "redundant experts"),
        (["--disable-hybrid-kv-cache-manager"], "layers with a window"),
        (["--data-parallel-size", "2"], "a group of pods is one engine"),
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
def test_what_the_plan_does_not_count_or_the_chart_relies_on_is_refused(
    args: list[str], reason: str, version: str
) -> None:
    faults, _ = said(*args, version=version)
    assert faults
    assert all(reason in fault for fault in faults)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("args", "warning"),
    [
        (["--language-model-only"], "the plan still counts the encoder, so it may take more GPUs than needed"),
        (["-cc.cudagraph_mode=NONE"], "the plan counts CUDA graphs of vLLM's default sizes"),
        (["--moe-backend", "triton"], "the work space of this backend is not in the plan"),
        (["--load-format", "fastsafetensors"], "this loader's host memory is not in the plan"),
    ],
)
def test_what_is_not_quite_in_the_plan_is_warned_of(args: list[str], warning: str, version: str) -> None:
    faults, (warned,) = said(*args, version=version)
    assert faults == []
    assert warned.endswith(warning)


def test_speculation_without_a_draft_model_is_warned_of() -> None:
    (warned,) = said("--speculative-config", '{"method": "ngram", "num_speculative_tokens": 3}')[1]
    assert (
        warned == "m.extraArgs[0]: --speculative-config: its memory is not in the plan: keep some of the KV cache free"
    )


def test_a_checkpoint_s_own_quantization_may_be_named() -> None:
    awq = {"model": "RedHatAI/Llama-4-Scout-17B-16E-Instruct-quantized.w4a16", "instanceType": "g5.48xlarge"}
    assert said("--quantization", "compressed-tensors", **awq) == ([], [])
    (fault,) = said("-q", "fp8", **awq)[0]
    assert fault == (
        "m.extraArgs[0]: -q fp8: the plan is made from the checkpoint's own quantization: serve a checkpoint that is "
        "quantized this way, and remove it"
    )


def test_a_version_without_a_table_refuses_nothing_that_it_may_have() -> None:
    faults, warnings = said("--seed", "1", "--brand-new", "x", "--scheduling-policy", "newest", version="0.29.0")
    assert faults == []
    assert warnings == [
        "m.extraArgs: there is no table of the flags of vLLM 0.29.0 here: they are held against those of 0.27.0, and "
        "an unknown one is not refused",
        "m.extraArgs[2]: --brand-new is not a flag of vLLM 0.29.0: remove it",
        "m.extraArgs[4]: --scheduling-policy: 'newest' is not a valid choice: use one of fcfs, priority",
    ]
    # What vllm-eks owns or relies on is the same in every version.
    assert said("--port", "1", "--disable-log-stats", version="0.29.0")[0] == [
        "m.extraArgs[0]: --port is set by vllm-eks itself: remove it",
        "m.extraArgs[2]: --disable-log-stats: the probes and the drain read the metrics that it disables: remove it",
    ]


def test_a_plugin_needs_an_image_that_holds_it(folder: Path) -> None:
    write_stack(folder, {"qwen3": model(extraArgs=["--tool-parser-plugin", "/opt/p.py"])})
    assert report_of(folder, "test").endswith(
        "--tool-parser-plugin: the default image holds no such file: give image of the model, one that holds it"
    )


def test_warnings_reach_pulumi_s_log(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", logged.append)
    write_stack(folder, {"qwen3": model(extraArgs=["--language-model-only"])})
    load_stack(folder, "test")
    assert logged == [
        "vllm-eks:models.qwen3.extraArgs[0]: --language-model-only: the plan still counts the encoder, so it may take "
        "more GPUs than needed"
    ]
