"""The probe, the drain and the keys, as the processes in a pod, with a fake vLLM server."""

import io
import re
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.vllm_server import Double, real_metrics, vllm_double
from tests.support.engine_scripts import script
from vllm_eks.pods import alive
from vllm_eks.pods.alive import Memory, check_progress, first_key
from vllm_eks.pods.client_keys import stored_digest
from vllm_eks.pods.engine import PROGRESS_METRICS, EngineState, answers_request, load_of, state_of


def probe(
    double: Double, memory: Path, *, stall_seconds: float = 0.05, timeout_seconds: float = 30, alone: bool = False
) -> tuple[int, str]:
    """Run one probe, and return its exit status and output."""
    arguments = {"port": double.port, "stall-seconds": stall_seconds, "timeout-seconds": timeout_seconds}
    options = [f"--{key}={value}" for key, value in arguments.items()]
    keys = memory.parent / "keys"
    given = [*options, f"--memory={memory}", f"--log={memory.parent / 'log'}", f"--keys={keys}", "--model=scout"]
    if alone:
        done = subprocess.run(script("alive.py", *given), capture_output=True, text=True)
        assert done.stderr == ""
        return done.returncode, done.stdout.strip()
    with redirect_stdout(io.StringIO()) as said:
        code = alive.main(given)
    return code, said.getvalue().strip()


# --- alive.py


def test_an_idle_engine_is_always_healthy(vllm: Double, tmp_path: Path) -> None:
    assert [probe(vllm, tmp_path / "m", stall_seconds=0) for _ in range(3)] == [(0, "")] * 3


def test_a_stuck_engine_is_unhealthy_after_its_time_with_the_reason_in_the_log(vllm: Double, tmp_path: Path) -> None:
    vllm.running = 3
    assert probe(vllm, tmp_path / "m") == (0, ""), "the first look says nothing"
    time.sleep(0.06)
    code, said = probe(vllm, tmp_path / "m", alone=True)
    assert code == 1
    assert re.fullmatch(r"stuck: 3 requests running and no token for \d+ s", said)
    assert (tmp_path / "log").read_text() == f"vllm-eks probe: {said}\n"


@pytest.mark.parametrize(
    "busy", [{"tokens_per_look": 40}, {"cache_use_per_look": 0.01}], ids=["decoding", "reading a long prompt"]
)
def test_a_busy_engine_is_never_reported_dead(vllm: Double, tmp_path: Path, busy: dict[str, Any]) -> None:
    vllm.running, vllm.waiting = 256, 4000
    for name, value in busy.items():
        setattr(vllm, name, value)
    for _ in range(4):
        assert probe(vllm, tmp_path / "m", stall_seconds=0.01) == (0, "")
        time.sleep(0.02)


def test_a_slow_engine_is_healthy_if_it_answers_in_time(vllm: Double, tmp_path: Path) -> None:
    vllm.delay_seconds = 0.05
    assert probe(vllm, tmp_path / "m") == (0, "")
    vllm.hangs = True
    code, said = probe(vllm, tmp_path / "m", timeout_seconds=0.1)
    assert (code, said) == (1, "/health: no answer (timed out)")


def hung_while_idle(vllm: Double, memory: Path, **options: Any) -> list[tuple[int, str]]:
    """Probe an engine twice whose metrics are from before its two requests, the second time after its limit."""
    vllm.running, vllm.waiting, vllm.in_flight = 0, 0, 2
    (memory.parent / "keys").mkdir()
    (memory.parent / "keys" / "apiKey").write_text("key-one\n")
    return [probe(vllm, memory, stall_seconds=0, **options) for _ in range(2)]


@pytest.mark.parametrize("version", ["0.21.0", "0.27.0", "0.32.0"])
def test_a_hang_while_idle_is_detected_by_requests_in_flight(vllm: Double, tmp_path: Path, version: str) -> None:
    vllm.version, vllm.answers_tokens = version, False
    first, second = hung_while_idle(vllm, tmp_path / "m")
    assert first == (0, "")
    assert second[0] == 1
    assert second[1].startswith("stuck: 2 requests running and no token for ")
    assert vllm.asked[-1] == ("POST", "/v1/completions", "Bearer key-one")


def test_a_digest_is_not_used_as_a_key(vllm: Double, tmp_path: Path) -> None:
    (tmp_path / "client.team-a").write_text(stored_digest("salt", "a-key-of-team-a-1"))
    assert first_key(tmp_path) == ""
    (tmp_path / "secondApiKey").write_text("second\n")
    assert first_key(tmp_path) == "second"


def test_a_token_that_does_not_come_in_time_is_none(vllm: Double) -> None:
    assert answers_request(vllm.url, model="scout", key="key-one", timeout_seconds=30)
    vllm.hangs = True
    assert not answers_request(vllm.url, model="scout", key="key-one", timeout_seconds=0.1)


def test_a_request_that_a_client_keeps_open_is_not_a_hang(vllm: Double, tmp_path: Path) -> None:
    assert hung_while_idle(vllm, tmp_path / "m") == [(0, "")] * 2


def test_a_busy_engine_gets_no_request(vllm: Double, tmp_path: Path) -> None:
    vllm.running = 1
    assert [probe(vllm, tmp_path / "m", stall_seconds=0)[0] for _ in range(2)] == [0, 1]
    assert {path for _, path, _ in vllm.asked} == {"/health", "/metrics", "/load"}


def test_without_metrics_nothing_is_stuck(vllm: Double, tmp_path: Path) -> None:
    vllm.stats, vllm.answers_tokens = False, False
    assert hung_while_idle(vllm, tmp_path / "m") == [(0, "")] * 2


def test_a_worker_checks_only_its_leaders_health(vllm: Double, tmp_path: Path) -> None:
    options = ["--host-from=LWS_LEADER_ADDRESS", f"--port={vllm.port}", f"--log={tmp_path / 'log'}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LWS_LEADER_ADDRESS", "127.0.0.1")
        patch.setattr(sys, "stdout", io.StringIO())
        assert alive.main(options) == 0
        vllm.health = 503
        assert alive.main(options) == 1
    assert {path for _, path, _ in vllm.asked} == {"/health"}


def test_a_stopped_supervisor_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("1 (python3 -E) S 0 1 1")
    assert alive.supervisor_error(tmp_path) == ""
    (tmp_path / "stat").write_text("1 (python3 -E) T 0 1 1")
    assert alive.supervisor_error(tmp_path) == "PID 1, which copies vLLM's log, is stopped"


def test_a_dead_engine_reports_503(vllm: Double, tmp_path: Path) -> None:
    vllm.health = 503
    assert probe(vllm, tmp_path / "m") == (1, "/health says 503: the engine is dead")


def test_a_server_that_is_gone_does_not_answer(tmp_path: Path) -> None:
    with vllm_double() as gone:
        pass
    code, said = probe(gone, tmp_path / "m")
    assert (code, said) == (1, "/health: no answer ([Errno 111] Connection refused)")


def test_a_token_restarts_the_time(vllm: Double, tmp_path: Path) -> None:
    vllm.running = 1
    probe(vllm, tmp_path / "m")
    time.sleep(0.06)
    vllm.tokens += 1
    assert probe(vllm, tmp_path / "m") == (0, "")


@pytest.mark.parametrize("note", ["", "{", '{"since": 1}', '{"fingerprint": "a", "since": "soon"}'])
def test_an_unreadable_state_file_is_ignored(vllm: Double, tmp_path: Path, note: str) -> None:
    vllm.running = 1
    (tmp_path / "m").write_text(note)
    assert probe(vllm, tmp_path / "m", stall_seconds=0) == (0, "")


def test_a_full_disk_is_ignored(vllm: Double) -> None:
    vllm.running = 1
    nowhere = Path("/proc/nowhere/m")
    assert [probe(vllm, nowhere, stall_seconds=0) for _ in range(2)] == [(0, "")] * 2


def test_changes_without_the_engine_are_no_progress() -> None:
    before = state_of("vllm:num_requests_running 1.0\nprocess_cpu_seconds_total 1.5\n")
    after = state_of("vllm:num_requests_running 1.0\nprocess_cpu_seconds_total 2.5\nvllm:request_success_total 3\n")
    assert before == after == EngineState(running=1, fingerprint="vllm:num_requests_running=1.0")


def test_the_metrics_of_several_engines_are_added() -> None:
    two = 'vllm:num_requests_running{engine="0"} 1.0\nvllm:num_requests_running{engine="1"} 2e0\n'
    assert state_of(two).running == 3


@pytest.mark.parametrize(("version", "running"), [("0.21.0", 12), ("0.27.0", 80), ("0.32.0", 12)])
def test_a_real_server_has_all_metrics(version: str, running: int) -> None:
    state = state_of(real_metrics(version))
    assert state.running == running
    assert state.waiting is not None
    assert {part.partition("=")[0] for part in state.fingerprint.split()} == set(PROGRESS_METRICS)


def test_missing_metrics_are_unknown_and_not_zero() -> None:
    assert state_of("process_cpu_seconds_total 1.5\n") == EngineState()
    assert EngineState().requests is None
    assert EngineState(running=0, waiting=0, in_flight=0).requests == 0
    assert EngineState(running=1, waiting=2, in_flight=2).requests == 3
    assert load_of('{"server_load":5}') == 5
    assert [load_of(text) for text in ("", "{}", "[]", '{"server_load":null}')] == [None] * 4


def test_without_metrics_only_health_counts() -> None:
    before = Memory(fingerprint="", since=0)
    assert check_progress(EngineState(running=5), before, 1000, 10, token_comes=lambda: False) == ("", None)
