"""`extraArgs`: each flag of each version has a disposition, and a reason if it is refused."""

import pytest

from config.settings.model import ModelSettings
from tests.support.extra_args import VERSIONS, said
from vllm_eks.planner.engine.flag_dispositions import VALUE_RULES, dispositions
from vllm_eks.planner.engine.flag_tables import flag_table, nearest_table

# --- the tables


@pytest.mark.parametrize("version", VERSIONS)
def test_every_flag_has_a_disposition(version: str) -> None:
    assert set(nearest_table(version).flags) - dispositions().known == set()


def test_every_disposition_is_for_a_flag_of_some_version() -> None:
    has = {flag for version in VERSIONS for flag in nearest_table(version).flags}
    assert dispositions().known - has == set()
    assert {
        name for version in VERSIONS for name in dispositions().gone if name in nearest_table(version).flags
    } == set()


def test_a_flag_has_one_disposition_for_each_of_its_values() -> None:
    table = dispositions()
    rows = [{flag for row in side for flag in row.flags} for side in (table.refused, table.warned)]
    for one in (table.owned, table.secrets):
        assert not one & (rows[0] | rows[1] | table.harmless | table.counted)
    assert not table.harmless & (rows[0] | rows[1] | table.counted)
    # Connectors that keep the KV cache in host memory are planned, others are refused. Blocks of a backend are counted.
    assert table.counted & rows[0] == {"--kv-transfer-config"}
    assert table.counted & rows[1] == {"--kv-transfer-config", "--attention-backend", "--attention-config"}
    both = rows[0] & rows[1]
    # These are refused with some values, and warned of with others.
    assert both == {"--load-format", "--kv-transfer-config", "--moe-backend", "--linear-backend"}
    assert {row.judge for row in (*table.refused, *table.warned)} - {""} == set(VALUE_RULES)


def test_every_key_for_a_flag_exists_in_the_stack_file() -> None:
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
                    (errors, _) = said("--seed", "7", written, version=version)
                    assert [error for error in errors if error.startswith("m.extraArgs[2]: ")], written


# --- arguments, parsed as vLLM parses them


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["7"], "m.extraArgs[0]: '7' is not a flag: start the list with a flag, such as --seed"),
        (["--seed", "7", ""], "m.extraArgs[2]: is empty: remove it"),
        (["--seed 7"], "m.extraArgs[0]: '--seed 7' is one item: split it into --seed and 7"),
        (["--seed", "7", "8"], "m.extraArgs[2]: '8' does not belong to a flag: remove it"),
        (["--port=1"], "m.extraArgs[0]: --port is set by vllm-eks: remove it"),
        (
            ["--no_enforce_eager"],
            "m.extraArgs[0]: --no_enforce_eager is set by vllm-eks: use the model's key enforceEager",
        ),
        (
            ["--limit-mm-per-prompt.image", "1"],
            "m.extraArgs[0]: --limit-mm-per-prompt.image is set by vllm-eks: use the model's key limitMmPerPrompt",
        ),
        (
            ["--tensor", "2"],
            "m.extraArgs[0]: --tensor, short for --tensor-parallel-size, is set by vllm-eks: use the model's "
            "key "
            "tensorParallelSize",
        ),
        (
            ["-t", "2"],
            "m.extraArgs[0]: -t, short for -tp, is set by vllm-eks: use the model's key tensorParallelSize",
        ),
        (["-n2"], "m.extraArgs[0]: -n2, short for --nnodes, is set by vllm-eks: remove it"),
        (["-p", "2"], "m.extraArgs[0]: -p may mean -pcp or -pp: write the full name"),
        (["--enable-lora"], "m.extraArgs[0]: --enable-lora is set by vllm-eks: use the model's key loraModules"),
        (["--kv-cache-memory-bytes=-1"], "m.extraArgs[0]: --kv-cache-memory-bytes: -1 is not 1 or more"),
        (["--kv-offloading-size=1e400"], "m.extraArgs[0]: --kv-offloading-size: 1e400 is too large for a number"),
        (
            ["--served-model-name", "gpt-4o"],
            "m.extraArgs[0]: --served-model-name is set by vllm-eks: use the model's key servedNames",
        ),
        (
            ["--api-key", "sk-hunter2"],
            "m.extraArgs[0]: --api-key would show a secret in the pod's command line: use the stack's secret apiKey "
            "or huggingFaceToken",
        ),
        (
            ["--otlp-traces-endpoint", "https://me:hunter2@collector.example"],
            "m.extraArgs[0]: --otlp-traces-endpoint: its value looks like a secret, which would be visible in the "
            "pod's command line: remove it",
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
def test_an_unsupported_argument_is_refused(args: list[str], error: str) -> None:
    assert said(*args)[0] == [error]


def test_a_missing_flag_is_not_a_prefix_of_another() -> None:
    lacks = "m.extraArgs[0]: --device is not a flag of vLLM {}: the GPU is found by itself, so remove it"
    for version in VERSIONS:
        assert said("--device", "cuda", version=version)[0] == [lacks.format(version)]


def test_the_inverse_spellings_of_a_version_are_known() -> None:
    for written in ("--disable-chunked-prefill", "--disable-prefix-caching", "--disable-auto-tool-choice"):
        (error,) = said(written, version="0.33.0")[0]
        assert "is set by vllm-eks: use" in error
        (error,) = said(written, version="0.32.0")[0]
        assert f"{written} is not a flag of vLLM 0.32.0" in error
    assert said("--disable-log-requests", version="0.33.0") == ([], [])
