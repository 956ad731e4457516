"""Logs without a cause, and causes that only vLLM's source code and the supervisor have."""

import json

import pytest

from tests.support.failure_logs import DATA, VERSIONS, read
from vllm_eks.pods.causes import cause_of

# --- logs without a cause


HOSTILE = {
    "a warning of a download that was tried again": (
        "(APIServer pid=1) WARNING 11-26 02:00:45 [hub.py:1] 403 Client Error: Forbidden for url: "
        "https://huggingface.co/x"
    ),
    "a retry of the Hub's client": (
        "'HTTPError: 503 Server Error' thrown while requesting GET https://huggingface.co/x\nRetrying in 1s [1/5]."
    ),
    "an optional file that is forbidden, before the model loads": (
        "requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: https://huggingface.co/x\n"
        "(EngineCore pid=9) INFO 11-26 02:00:45 [gpu_model_runner.py:1] Starting to load model org/model..."
    ),
    "an error of a request that a server outlived": (
        "(EngineCore pid=9) ERROR 11-26 02:00:45 [core.py:1] torch.OutOfMemoryError: CUDA out of memory\n"
        "INFO:     Application startup complete."
    ),
    "a user's words": (
        "(APIServer pid=1) INFO 11-26 02:00:45 [logger.py:1] Received request cmpl-1: prompt: 'CUDA out of memory, "
        "OOMKilled, No space left on device: EngineDeadError'"
    ),
    "the limit of open files": (
        "(APIServer pid=1) WARNING 11-26 02:00:45 [s.py:1] Found ulimit of 20000. This can cause fd limit errors like "
        "`OSError: [Errno 24] Too many open files`"
    ),
    "an ordinary stop": (
        "INFO:     Application startup complete.\n"
        "(APIServer pid=1) INFO 11-26 02:09:32 [launcher.py:254] [shutdown] API server: shutdown triggered\n"
        "(APIServer pid=1) ERROR 11-26 02:09:32 [async_llm.py:906] EngineDeadError: EngineCore encountered an issue"
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_healthy_start_has_no_cause(version: str) -> None:
    lines = read(version, "stopped").splitlines()
    for count in range(5, len(lines), 15):
        assert cause_of("\n".join(lines[:count])) is None, lines[count - 1]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_recovered_errors_have_no_cause(text: str) -> None:
    assert cause_of(text) is None


def test_progress_of_another_rank_resolves_nothing() -> None:
    cause = cause_of(
        "(Worker_TP0 pid=7) ERROR 11-26 02:00:45 [w.py:1] torch.OutOfMemoryError: CUDA out of memory\n"
        "(Worker_TP1 pid=8) INFO 11-26 02:00:46 [w.py:1] Loading weights took 9.2 seconds"
    )
    assert cause is not None
    assert cause.code == "gpu_memory"


# --- messages from source code that no run here produced


SOURCES = json.loads((DATA / "from_source.json").read_text())


@pytest.mark.parametrize("said", SOURCES, ids=[f"{one['code']} {number}" for number, one in enumerate(SOURCES)])
def test_messages_from_source_code_have_the_right_cause(said: dict[str, str]) -> None:
    cause = cause_of(said["text"])
    assert cause is not None
    assert cause.code == said["code"]
    # As logged by the worker of a group, and as the engine ends afterwards.
    engine = "\n".join(f"(Worker_TP0 pid=7) ERROR 11-26 02:00:45 [w.py:1] {line}" for line in said["text"].splitlines())
    cause = cause_of(f"{engine}\nRuntimeError: Engine core initialization failed. See root cause above.")
    assert cause is not None
    assert cause.code == said["code"]
    assert said["version"]
    assert said["file"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("worker 1 of 2 did not connect within 2400 s", "ranks"),
        ("the leader at scout-0.scout:29500 (timed out) did not connect within 2400 s", "ranks"),
        ("vLLM ended unexpectedly with exit code 1, and worker 1 ended: ValueError: x (exit code 1)", "ranks"),
        ("worker 1 is gone: no heartbeat for 41 s (exit code 1)", "ranks"),
        ("vLLM ended unexpectedly with exit code 137 (exit code 137)", "killed"),
        ("the leader ended: vLLM ended unexpectedly with exit code 137 (exit code 137)", "killed"),
        ("worker 1 ended: vLLM ended unexpectedly with exit code 0: engine core exited unexpectedly", "killed"),
        (
            "vLLM ended unexpectedly with exit code 1: torch.OutOfMemoryError: CUDA out of memory. Tried (exit code 1)",
            "gpu_memory",
        ),
        ("vLLM did not answer within the start budget of 2400 s", "probe_too_short"),
        (
            "/home/vllm cannot be written to (Permission denied): check the volume that is mounted there",
            "not_writable",
        ),
        ("/tmp has 12 KiB free: No space left on device for caches; enlarge or clear its volume", "disk_full"),
        ("/secrets/api-key contains no API key, so no client can call the model: add one to its Secret", "no_key"),
        ("vllm is not on the image's PATH (/usr/bin): give an image with vLLM", "no_program"),
    ],
)
def test_messages_of_the_supervisor_have_the_right_cause(said: str, code: str) -> None:
    cause = cause_of(f"vllm-eks: {said}")
    assert cause is not None
    assert cause.code == code
