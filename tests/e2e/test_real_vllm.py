"""A group of pods with a real vLLM of each version, and everything that a group survives, in the order of this file.

Skips with a reason if no vLLM has been built (real_pods.py). The limits follow from docs/explanation/health.md. The
machine's speed does not matter: while the engine makes progress, the tests wait. A start takes 40 s of CPU time per
pod, so the group is started once.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.real_pods import (
    CHOSEN,
    LATE_SECONDS,
    QUICK,
    START_SECONDS,
    UNREADY_SECONDS,
    answered,
    asked,
    pods,
    rendered_for,
    running,
    until,
    well,
)


@pytest.fixture(scope="module", params=CHOSEN)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def rendered(version: str) -> str:
    return rendered_for(version)


@pytest.fixture(scope="module")
def group(rendered: str, version: str) -> Iterator[Any]:
    with pods.running_group(rendered, version=version, delay=3, env=QUICK) as (leader, worker):
        # A loading group counts as disrupted.
        until(LATE_SECONDS, lambda: "vllm" in worker.log())
        assert not well(worker)
        leader.wait_ready(START_SECONDS)
        yield leader, worker


def test_a_group_answers_to_keys_alone_and_both_pods_are_ready(group: Any) -> None:
    leader, worker = group
    assert leader.request("/v1/models")[0] == 401
    assert leader.request("/v1/models", key="wrong")[0] == 401
    assert leader.complete(8)[0] == 200
    leader.rotate_keys({"secondApiKey": "key-two"})
    until(LATE_SECONDS, lambda: leader.complete(1, key="key-two")[0] == 200)
    assert leader.complete(1)[0] == 401
    leader.rotate_keys({"apiKey": "key-one"})
    until(LATE_SECONDS, lambda: leader.complete(1)[0] == 200)
    assert [well(leader), well(leader, "liveness"), well(worker)] == [True, True, True]
    for line in ("GET /health", "GET /metrics", "GET /load", "Unknown vLLM environment variable"):
        assert line not in leader.log(), line


def test_a_busy_engine_is_healthy(group: Any) -> None:
    leader, _ = group
    threads, answers = asked(leader, 100, count=80)
    while any(thread.is_alive() for thread in threads):
        assert well(leader)
        assert well(leader, "liveness")
        time.sleep(2)
    assert {status for status, _ in answers} == {200}


def test_a_hang_while_idle_is_detected_and_recovers(group: Any) -> None:
    leader, worker = group
    time.sleep(1)
    assert well(leader)
    with leader.paused("engine"):
        threads, answers = asked(leader, 8, count=3)
        assert until(UNREADY_SECONDS + LATE_SECONDS, lambda: not well(leader)) >= UNREADY_SECONDS - 1
        assert "stuck: " in leader.probe("readiness").stdout
        # Only the liveness probe ends a hang, because the supervisors are still connected.
        assert leader.running
        assert worker.running
    answered(leader, threads)
    assert {status for status, _ in answers} == {200}
    until(LATE_SECONDS, lambda: well(leader))


def test_a_hang_while_busy_is_detected_and_recovers(group: Any) -> None:
    leader, worker = group
    threads, answers = asked(leader, 100)
    until(LATE_SECONDS, lambda: running(leader))
    with worker.paused("worker") if worker.pids("worker") else leader.paused("engine"):
        assert until(UNREADY_SECONDS + LATE_SECONDS, lambda: not well(leader)) >= UNREADY_SECONDS - 1
        assert not well(leader, "readiness")
    answered(leader, threads)
    assert answers[0][0] == 200
    until(LATE_SECONDS, lambda: well(leader))


def test_a_stopped_supervisor_is_detected_and_recovers(group: Any) -> None:
    leader, worker = group
    with leader.paused("server"):
        assert not well(leader)
        time.sleep(20)
    assert well(leader)
    assert leader.complete(8)[0] == 200
    assert leader.running
    assert worker.running


def test_a_drain_lets_requests_end_and_then_both_pods_stop_in_order(group: Any) -> None:
    leader, worker = group
    threads, answers = asked(leader, 30, count=4)
    until(LATE_SECONDS, lambda: running(leader) or answers)
    drains = [threading.Thread(target=pod.pre_stop) for pod in group]
    for drain in drains:
        drain.start()
    for drain in drains:
        drain.join(100 + LATE_SECONDS)
    leader.terminate()
    worker.terminate()
    codes = {leader.wait(60 + LATE_SECONDS), worker.wait(60 + LATE_SECONDS)}
    for thread in threads:
        thread.join(LATE_SECONDS)
    assert {status for status, _ in answers} == {200}
    assert codes <= {0, 143}
