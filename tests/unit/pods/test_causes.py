"""Causes from real logs of vLLM (tests/data/vllm_failures) and from its source code, and none without a failure."""

import json

import pytest

from tests.support.failure_logs import DATA, VERSIONS, read
from vllm_eks.pods.causes import CAUSES, cause_of, last_words, line_with_cause
from vllm_eks.pods.lifecycle import last_error

# Action -> the cause, and a part of the printed line.
REAL = {
    "adapter-missing": ("lora", "Loading lora sql failed: No adapter found for org/adapter"),
    "bad-choice": ("flag_value", "error: argument --kv-cache-dtype: invalid choice: 'fp9'"),
    "bad-integer": ("flag_value", "error: argument --max-num-seqs: invalid int value: 'many'"),
    "chunked-prefill-off": ("batch", "max_num_batched_tokens (2048) is smaller than max_model_len (4096)"),
    "cut-weights": ("broken_weights", "Error while deserializing header: incomplete metadata"),
    "disk-full": ("disk_full", "final link failed: No space left on device"),
    "engine-killed": ("killed", ""),
    "fraction-over-one": ("flag_value", "gpu_memory_utilization: Input should be less than or equal to 1 [type="),
    "heads-over-tensor-parallel": (
        "not_divisible",
        "attention heads (8) must be divisible by tensor parallel size (3)",
    ),
    "hub-offline": ("hub_unreachable", "OSError: "),
    "hub-unreachable": ("hub_unreachable", "OSError: "),
    "kv-cache-too-small": ("kv_cache", "(8.0 GiB KV cache is needed, which is larger than the available"),
    "length-over-model": ("context", "max_model_len (999999) is greater than the derived max_model_len"),
    "middleware-missing": ("no_module", "ModuleNotFoundError: No module named 'nosuch'"),
    "missing-path": ("no_such_path", "'/models/nothere'"),
    "no-weights": ("no_weights", "Cannot find any model weights with `/models/bad-no-weights`"),
    "not-json": ("flag_value", "hf_overrides"),
    "port-in-use": ("port", "OSError: [Errno 98] Address already in use"),
    "quantization-without-config": ("flag_value", "Value error, Cannot find the config file for awq"),
    "unknown-architecture": ("architecture", "Model architectures ['FooBarForCausalLM'] are not supported"),
    "unknown-flag": ("unknown_flag", "error: unrecognized arguments: --no-such-flag 3"),
    "unknown-model-type": ("architecture", "has model type `foobar` but Transformers does not recognize"),
    "unknown-reasoning-parser": ("parser", "Reasoning parser 'nonesuch' not found"),
    "unknown-tokenizer-mode": ("flag_value", "No tokenizer registered for tokenizer_mode='nonesuch'"),
    "unknown-tool-parser": ("parser", "invalid tool call parser: nonesuch"),
    "worker-pod-killed": ("ranks", ""),
    "worker-process-killed": ("killed", "Worker proc VllmWorker-0 died unexpectedly"),
}
# Only in 0.27.0.
REAL_27 = {
    "bad-env": ("environment", "int() with base 10: 'lots'"),
    "config-not-json": ("config_file", "config.json' is not a valid JSON file"),
    "memory-error": ("host_memory", "MemoryError"),
    "memory-limit-at-start": ("host_memory", "the kernel killed a process of this container"),
    "memory-limit-while-serving": ("host_memory", "the kernel killed a process of this container"),
    "other-weights": ("other_weights", "start (0) + length (1024) exceeds dimension size (512)"),
    "worker-process-killed.worker": ("killed", "Worker proc VllmWorker-1 died unexpectedly"),
}
# Logs without a failure, or taken before the end.
NONE = (
    *("stopped", "peer-lost-at-start", "peer-lost-at-start.worker", "worker-pod-killed.worker"),
    "worker-link-cut.worker",
)
LOGS = [(version, log.stem) for version in (*VERSIONS, "0.27.0") for log in sorted((DATA / version).glob("*.log"))]


@pytest.mark.parametrize(("version", "name"), LOGS)
def test_a_real_log_has_the_right_cause_and_line(version: str, name: str) -> None:
    log = read(version, name)
    if name in NONE or (version, name) == ("0.21.0", "worker-link-cut"):
        assert cause_of(log) is None
        return
    code, said = {**REAL, **REAL_27, "worker-link-cut": ("ranks", "RPC call to sample_tokens timed out")}[name]
    cause = cause_of(log)
    assert cause is not None
    assert cause.code == code
    assert said in last_words(log)
    assert line_with_cause(log, cause) == last_words(log)
    assert len(last_words(log)) <= 600


def test_every_real_failure_has_its_log_and_its_cause() -> None:
    for version in (*VERSIONS, "0.27.0"):
        index = json.loads((DATA / version / "index.json").read_text())
        assert set(index) <= {name for of, name in LOGS if of == version}
        assert set(index) <= {*REAL, *REAL_27, *NONE, "worker-link-cut"}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [name for name in REAL if name not in ("disk-full", "hub-offline")])
def test_a_termination_message_still_shows_a_failure(version: str, name: str) -> None:
    # Kubernetes keeps 4 KiB of a message, so the engine's output may be cut.
    cause = cause_of(read(version, name)[-4096:])
    assert cause is not None
    assert cause.code in (REAL[name][0], "dead")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", list(REAL))
def test_a_cause_survives_in_the_supervisor_s_one_line(version: str, name: str) -> None:
    if (DATA / version / f"{name}.log").exists():
        said = f"vLLM ended unexpectedly with exit code 0: {last_error(read(version, name))}"
        cause = cause_of(f"Error, exit code 70, last log line: {said}")
        assert cause is not None
        assert cause.code == REAL[name][0]


@pytest.mark.parametrize(
    ("line", "ending"),
    [
        (
            "OSError: We couldn't connect",
            "Check your internet connection or see 'https://huggingface.co/docs/x#offline-mode'.",
        ),
        (
            "  Value error, something new",
            "    For further information visit https://errors.pydantic.dev/2.14/v/value_error",
        ),
        (
            "RuntimeError: something new",
            "/usr/lib/python3.12/multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker: There appear\n"
            "  warnings.warn('resource_tracker: There appear to be %d '",
        ),
        (
            "(Worker_TP0 pid=7) ERROR 11-26 02:00:45 [w.py:1] KeyError: 'new'",
            "RuntimeError: Engine core initialization failed.",
        ),
        ("ValueError: something new", "INFO:     Application shutdown complete."),
    ],
)
def test_the_last_line_is_the_error_and_not_a_hint(line: str, ending: str) -> None:
    reported = line.rpartition("] ")[2].strip()
    assert last_words(f"{line}\n{ending}\n") == reported


def test_last_words_of_nothing_and_of_a_log_without_an_error() -> None:
    assert last_words("") == ""
    assert last_words("\n \n") == ""
    assert last_words("(APIServer pid=1) INFO 11-26 02:00:45 [a.py:1] Starting") == "Starting"
    assert last_words("Invalid user token hf_planted") == "Invalid user token ***"


# --- the cause of a text with several


def test_the_cause_that_explains_more_wins() -> None:
    lines = [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB",
        "RuntimeError: NCCL error: remote process exited",
    ]
    for order in (lines, lines[::-1]):
        cause = cause_of("\n".join(order))
        assert cause is not None
        assert cause.code == "gpu_memory"


def test_of_two_equal_causes_the_later_wins() -> None:
    cause = cause_of("ValueError: 401 Client Error: Unauthorized\ntorch.OutOfMemoryError: CUDA out of memory")
    assert cause is not None
    assert cause.code == "gpu_memory"


def test_codes_are_unique_and_every_cause_has_a_fix() -> None:
    codes = [cause.code for cause in CAUSES]
    assert len(set(codes)) == len(codes)
    assert all(cause.title and cause.remedy and not cause.remedy.endswith(".") for cause in CAUSES)
