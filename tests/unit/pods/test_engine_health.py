"""The probe, the drain and the keys, as the processes that run in a pod; vLLM's server is a test double."""

import asyncio
import io
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.vllm_server import Double, real_metrics, vllm_double
from vllm_eks.pods import PODS, alive
from vllm_eks.pods.alive import Memory, check_progress
from vllm_eks.pods.drain import drain
from vllm_eks.pods.engine import PROGRESS_METRICS, EngineState, load_of, read_engine, state_of
from vllm_eks.pods.vllm_eks_keys import KEYS_FOLDER, ApiKeys


@pytest.fixture
def vllm() -> Iterator[Double]:
    with vllm_double() as double:
        yield double


def script(name: str, *arguments: object) -> list[str]:
    return [sys.executable, "-E", "-S", str(PODS / name), *map(str, arguments)]


def probe(
    double: Double, memory: Path, *, stall_seconds: float = 0.2, timeout_seconds: float = 5, alone: bool = False
) -> tuple[int, str]:
    """Run one probe; return its exit status and what it says."""
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


def test_an_idle_engine_is_well_for_ever(vllm: Double, tmp_path: Path) -> None:
    assert [probe(vllm, tmp_path / "m", stall_seconds=0) for _ in range(3)] == [(0, "")] * 3


def test_a_stuck_engine_is_not_well_once_its_time_is_over_and_the_log_says_why(vllm: Double, tmp_path: Path) -> None:
    vllm.running = 3
    assert probe(vllm, tmp_path / "m") == (0, ""), "the first look says nothing"
    time.sleep(0.25)
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


def test_a_slow_engine_is_well_as_long_as_it_answers_in_time(vllm: Double, tmp_path: Path) -> None:
    vllm.delay_seconds = 0.3
    assert probe(vllm, tmp_path / "m") == (0, "")
    code, said = probe(vllm, tmp_path / "m", timeout_seconds=0.1)
    assert (code, said) == (1, "/health: no answer (timed out)")


def hung_while_idle(vllm: Double, memory: Path, **options: Any) -> list[tuple[int, str]]:
    """Two looks at an engine whose numbers are of before its two requests came, the second after its time."""
    vllm.running, vllm.waiting, vllm.in_flight = 0, 0, 2
    (memory.parent / "keys").mkdir()
    (memory.parent / "keys" / "apiKey").write_text("key-one\n")
    return [probe(vllm, memory, stall_seconds=0, timeout_seconds=0.1, **options) for _ in range(2)]


@pytest.mark.parametrize("version", ["0.21.0", "0.27.0", "0.32.0"])
def test_a_hang_while_idle_is_seen_by_requests_that_the_engine_never_counted(
    vllm: Double, tmp_path: Path, version: str
) -> None:
    vllm.version, vllm.answers_tokens = version, False
    first, second = hung_while_idle(vllm, tmp_path / "m")
    assert (first, second) == ((0, ""), (1, "stuck: 2 requests running and no token for 0 s"))
    assert vllm.asked[-1] == ("POST", "/v1/completions", "Bearer key-one")


def test_a_request_that_a_client_keeps_open_is_no_hang(vllm: Double, tmp_path: Path) -> None:
    assert hung_while_idle(vllm, tmp_path / "m") == [(0, "")] * 2


def test_a_busy_engine_is_asked_for_no_token(vllm: Double, tmp_path: Path) -> None:
    vllm.running = 1
    assert [probe(vllm, tmp_path / "m", stall_seconds=0)[0] for _ in range(2)] == [0, 1]
    assert {path for _, path, _ in vllm.asked} == {"/health", "/metrics", "/load"}


def test_without_numbers_nothing_is_stuck(vllm: Double, tmp_path: Path) -> None:
    vllm.stats, vllm.answers_tokens = False, False
    assert hung_while_idle(vllm, tmp_path / "m") == [(0, "")] * 2


def test_a_worker_asks_its_leader_for_health_alone(vllm: Double, tmp_path: Path) -> None:
    options = ["--host-from=LWS_LEADER_ADDRESS", f"--port={vllm.port}", f"--log={tmp_path / 'log'}"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LWS_LEADER_ADDRESS", "127.0.0.1")
        patch.setattr(sys, "stdout", io.StringIO())
        assert alive.main(options) == 0
        vllm.health = 503
        assert alive.main(options) == 1
    assert {path for _, path, _ in vllm.asked} == {"/health"}


def test_a_stopped_supervisor_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "stat").write_text("1 (python3 -E) S 0 1 1")
    assert alive.supervisor_error(tmp_path) == ""
    (tmp_path / "stat").write_text("1 (python3 -E) T 0 1 1")
    assert alive.supervisor_error(tmp_path) == "PID 1, which copies vLLM's log, is stopped"


def test_a_dead_engine_says_so_itself(vllm: Double, tmp_path: Path) -> None:
    vllm.health = 503
    assert probe(vllm, tmp_path / "m") == (1, "/health says 503: the engine is dead")


def test_a_server_that_is_gone_does_not_answer(tmp_path: Path) -> None:
    with vllm_double() as gone:
        pass
    code, said = probe(gone, tmp_path / "m")
    assert (code, said) == (1, "/health: no answer ([Errno 111] Connection refused)")


def test_a_token_in_between_starts_the_time_anew(vllm: Double, tmp_path: Path) -> None:
    vllm.running = 1
    probe(vllm, tmp_path / "m")
    time.sleep(0.25)
    vllm.tokens += 1
    assert probe(vllm, tmp_path / "m") == (0, "")


@pytest.mark.parametrize("note", ["", "{", '{"since": 1}', '{"fingerprint": "a", "since": "soon"}'])
def test_a_note_that_cannot_be_read_kills_nobody(vllm: Double, tmp_path: Path, note: str) -> None:
    vllm.running = 1
    (tmp_path / "m").write_text(note)
    assert probe(vllm, tmp_path / "m", stall_seconds=0) == (0, "")


def test_a_full_disk_kills_nobody(vllm: Double) -> None:
    vllm.running = 1
    nowhere = Path("/proc/nowhere/m")
    assert [probe(vllm, nowhere, stall_seconds=0) for _ in range(2)] == [(0, "")] * 2


def test_what_moves_without_the_engine_is_no_progress() -> None:
    before = state_of("vllm:num_requests_running 1.0\nprocess_cpu_seconds_total 1.5\n")
    after = state_of("vllm:num_requests_running 1.0\nprocess_cpu_seconds_total 2.5\nvllm:request_success_total 3\n")
    assert before == after == EngineState(running=1, fingerprint="vllm:num_requests_running=1.0")


def test_engines_are_summed_up() -> None:
    two = 'vllm:num_requests_running{engine="0"} 1.0\nvllm:num_requests_running{engine="1"} 2e0\n'
    assert state_of(two).running == 3


@pytest.mark.parametrize(("version", "running"), [("0.21.0", 12), ("0.27.0", 80), ("0.32.0", 12)])
def test_a_real_servers_numbers_are_all_there(version: str, running: int) -> None:
    state = state_of(real_metrics(version))
    assert state.running == running
    assert state.waiting is not None
    assert {part.partition("=")[0] for part in state.fingerprint.split()} == set(PROGRESS_METRICS)


def test_what_is_not_told_is_not_none() -> None:
    assert state_of("process_cpu_seconds_total 1.5\n") == EngineState()
    assert EngineState().requests is None
    assert EngineState(running=0, waiting=0, in_flight=0).requests == 0
    assert EngineState(running=1, waiting=2, in_flight=2).requests == 3
    assert load_of('{"server_load":5}') == 5
    assert [load_of(text) for text in ("", "{}", "[]", '{"server_load":null}')] == [None] * 4


def test_without_metrics_health_alone_counts() -> None:
    before = Memory(fingerprint="", since=0)
    assert check_progress(EngineState(running=5), before, 1000, 10, token_comes=lambda: False) == ("", None)


# --- drain.py


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def drained(look: Callable[[float], EngineState]) -> tuple[str, float]:
    """Return why the wait was over, and after how many seconds."""
    clock = Clock()
    why = drain(
        lambda: look(clock.now),
        settle_seconds=5,
        limit_seconds=90,
        stall_seconds=20,
        clock=lambda: clock.now,
        sleep=clock.sleep,
    )
    return why, clock.now


def test_requests_may_end_before_anything_stops() -> None:
    def ends_at_30(now: float) -> EngineState:
        return EngineState(running=int(now < 30), waiting=0, fingerprint=str(now))

    assert drained(ends_at_30) == ("no request is left", 30)


def test_a_queue_counts_as_well() -> None:
    assert drained(lambda now: EngineState(waiting=int(now < 9), fingerprint=str(now))) == ("no request is left", 9)


def test_endpoints_have_time_to_go() -> None:
    assert drained(lambda _: EngineState(running=0, waiting=0)) == ("no request is left", 5)


def test_what_the_engine_has_not_counted_yet_is_waited_for_too() -> None:
    def last_of_it(now: float) -> EngineState:
        return EngineState(running=0, waiting=0, in_flight=int(now < 12), fingerprint="same")

    assert drained(last_of_it) == ("no request is left", 12)


def test_a_server_that_tells_nothing_gets_all_the_time() -> None:
    assert drained(lambda _: EngineState()) == ("90 s are over", 90)


def test_a_stuck_engine_is_not_waited_for() -> None:
    why, seconds = drained(lambda _: EngineState(running=2, fingerprint="same"))
    assert (why, seconds) == ("2 requests are left and nothing moves", 25)


def test_a_dead_engine_is_not_waited_for() -> None:
    why, seconds = drained(lambda _: EngineState(trouble="/health says 503: the engine is dead", dead=True))
    assert (why, seconds) == ("the engine does not answer: /health says 503: the engine is dead", 5)


def test_a_server_that_answers_late_may_be_busy() -> None:
    def late_for_30(now: float) -> EngineState:
        return EngineState(trouble="/health: no answer (timed out)", late=True) if now < 30 else EngineState(running=0)

    assert drained(late_for_30) == ("no request is left", 30)


def test_late_is_told_from_gone(vllm: Double) -> None:
    vllm.delay_seconds = 0.2
    assert read_engine(vllm.url, timeout_seconds=0.05).late
    assert not read_engine("http://127.0.0.1:9", timeout_seconds=0.05).late


def test_an_endless_answer_is_cut_within_the_pods_grace() -> None:
    why, seconds = drained(lambda now: EngineState(running=1, fingerprint=str(now)))
    assert (why, seconds) == ("90 s are over", 90)


@pytest.mark.parametrize("how", [("--host=localhost",), ("--host-from=LWS_LEADER_ADDRESS",)])
def test_leader_and_worker_ask_the_leaders_engine(vllm: Double, how: tuple[str, ...]) -> None:
    done = subprocess.run(
        script("drain.py", *how, f"--port={vllm.port}", "--settle-seconds=0"),
        capture_output=True,
        text=True,
        env={**os.environ, "LWS_LEADER_ADDRESS": "127.0.0.1"},
    )
    assert (done.returncode, done.stdout) == (0, "drained: no request is left\n")
    assert [path for _, path, _ in vllm.asked] == ["/health", "/metrics", "/load"]


# --- vllm_eks_keys.py


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(KEYS_FOLDER, str(tmp_path))
    (tmp_path / "apiKey").write_text("first\n")
    return tmp_path


def answer(guard: ApiKeys, path: str = "/v1/completions", key: str | None = None, **scope: Any) -> Any:
    """Return the status, or what the websocket is told; 200 is the application's own."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", key.encode())] if key else []
    request = {"type": "http", "method": "POST", "path": path, "headers": headers, **scope}
    # Not asyncio.run, which leaves the thread without the loop that other tests use.
    loop = asyncio.new_event_loop()
    loop.run_until_complete(guard(request, lambda: asyncio.sleep(0), send))
    loop.close()
    return sent[0].get("status", sent[0]["type"])


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})


def test_a_request_needs_a_key(keys: Path) -> None:
    guard = ApiKeys(application)
    assert answer(guard, key="Bearer first") == 200
    assert [answer(guard, key=wrong) for wrong in (None, "Bearer", "Bearer ", "Bearer firs", "Basic first")] == [
        401
    ] * 5


def test_any_of_two_keys_is_good_and_a_change_needs_no_restart(keys: Path) -> None:
    guard = ApiKeys(application)
    assert answer(guard, key="Bearer second") == 401
    (keys / "secondApiKey").write_text("second")
    assert [answer(guard, key=f"Bearer {key}") for key in ("first", "second")] == [200, 200]
    (keys / "apiKey").unlink()
    assert [answer(guard, key=f"Bearer {key}") for key in ("first", "second")] == [401, 200]


def test_a_folder_as_the_kubelet_makes_it_is_read_through_its_links(keys: Path) -> None:
    (keys / "apiKey").unlink()
    for name, key in (("..1", "old"), ("..2", "new")):
        (keys / name).mkdir()
        (keys / name / "apiKey").write_text(key)
    (keys / "..data").symlink_to("..1")
    (keys / "apiKey").symlink_to("..data/apiKey")
    guard = ApiKeys(application)
    assert answer(guard, key="Bearer old") == 200
    (keys / "swap").symlink_to("..2")
    (keys / "swap").rename(keys / "..data")
    assert [answer(guard, key=f"Bearer {key}") for key in ("old", "new")] == [401, 200]


def test_a_key_may_come_as_anthropics_clients_send_it(keys: Path) -> None:
    def status(*headers: tuple[bytes, bytes]) -> Any:
        return answer(ApiKeys(application), "/v1/messages", headers=list(headers))

    assert status((b"x-api-key", b"first")) == 200
    assert status((b"X-Api-Key", b"wrong")) == 401
    assert status((b"x-api-key", b"first"), (b"authorization", b"Basic eA==")) == 401


def test_no_key_lets_nobody_in(keys: Path) -> None:
    (keys / "apiKey").write_text("\n")
    assert [answer(ApiKeys(application), key=key) for key in (None, "Bearer ", "Bearer first")] == [401] * 3


@pytest.mark.parametrize("path", ["/tokenize", "/invocations", "/health/../v1/models", "/docs"])
def test_all_but_health_and_metrics_is_closed(keys: Path, path: str) -> None:
    guard = ApiKeys(application)
    assert answer(guard, path) == 401
    assert [answer(guard, open_path) for open_path in ("/health", "/load", "/metrics", "/ping", "/version")] == [
        200
    ] * 5


def test_websockets_are_closed_and_the_servers_own_messages_pass(keys: Path) -> None:
    guard = ApiKeys(application)
    assert answer(guard, "/v1/realtime", type="websocket") == "websocket.close"
    assert answer(guard, type="lifespan") == 200
    assert answer(guard, method="OPTIONS") == 200
