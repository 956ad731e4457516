"""The drain before a pod stops: it waits for requests, but not for a stuck engine."""

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.fakes.vllm_server import Double, vllm_double
from tests.support.engine_scripts import script
from vllm_eks.pods.drain import drain
from vllm_eks.pods.engine import EngineState, read_engine

# --- drain.py


class Clock:
    """A clock that only moves when sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def drained(look: Callable[[float], EngineState]) -> tuple[str, float]:
    """Return why the wait ended, and after how many seconds."""
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


def test_the_drain_waits_for_requests() -> None:
    def ends_at_30(now: float) -> EngineState:
        return EngineState(running=int(now < 30), waiting=0, fingerprint=str(now))

    assert drained(ends_at_30) == ("all requests are done", 30)


def test_waiting_requests_count() -> None:
    assert drained(lambda now: EngineState(waiting=int(now < 9), fingerprint=str(now))) == ("all requests are done", 9)


def test_the_drain_waits_for_endpoints() -> None:
    assert drained(lambda _: EngineState(running=0, waiting=0)) == ("all requests are done", 5)


def test_requests_in_flight_count() -> None:
    def last_of_it(now: float) -> EngineState:
        return EngineState(running=0, waiting=0, in_flight=int(now < 12), fingerprint="same")

    assert drained(last_of_it) == ("all requests are done", 12)


def test_without_metrics_the_drain_takes_the_whole_limit() -> None:
    assert drained(lambda _: EngineState()) == ("the limit of 90 s is reached", 90)


def test_a_stuck_engine_is_not_waited_for() -> None:
    why, seconds = drained(lambda _: EngineState(running=2, fingerprint="same"))
    assert (why, seconds) == ("2 requests are left but make no progress", 25)


def test_a_dead_engine_is_not_waited_for() -> None:
    why, seconds = drained(lambda _: EngineState(trouble="/health says 503: the engine is dead", dead=True))
    assert (why, seconds) == ("the engine does not answer: /health says 503: the engine is dead", 5)


def test_a_server_that_answers_late_may_be_busy() -> None:
    def late_for_30(now: float) -> EngineState:
        return EngineState(trouble="/health: no answer (timed out)", late=True) if now < 30 else EngineState(running=0)

    assert drained(late_for_30) == ("all requests are done", 30)


def test_a_late_answer_differs_from_no_answer(vllm: Double) -> None:
    vllm.hangs = True
    assert read_engine(vllm.url, timeout_seconds=0.05).late
    assert not read_engine("http://127.0.0.1:9", timeout_seconds=30).late


def test_an_endless_answer_is_cut_within_the_pods_grace() -> None:
    why, seconds = drained(lambda now: EngineState(running=1, fingerprint=str(now)))
    assert (why, seconds) == ("the limit of 90 s is reached", 90)


@pytest.mark.parametrize("how", [("--host=localhost",), ("--host-from=LWS_LEADER_ADDRESS",)])
def test_leader_and_worker_ask_the_leaders_engine(vllm: Double, how: tuple[str, ...]) -> None:
    done = subprocess.run(
        script("drain.py", *how, f"--port={vllm.port}", "--settle-seconds=0"),
        capture_output=True,
        text=True,
        env={**os.environ, "LWS_LEADER_ADDRESS": "127.0.0.1"},
    )
    assert (done.returncode, done.stdout) == (0, "drained: all requests are done\n")
    assert [path for _, path, _ in vllm.asked] == ["/health", "/metrics", "/load"]


def test_a_worker_reads_the_metrics_at_another_port(vllm: Double) -> None:
    with vllm_double(running=0) as metrics:
        state = read_engine(vllm.url, timeout_seconds=30, metrics_url=metrics.url)
    assert state.requests == 0
    assert [path for _, path, _ in vllm.asked] == ["/health"]
    assert [path for _, path, _ in metrics.asked] == ["/metrics", "/load"]
