"""The chart's pods of the prod stack, run by a real vLLM on the CPU (../shared/vllm-lab): keys, probes, drains, losses.

Skips, with a word, where that lab has not been built. Times are upper bounds on a busy machine; what they bound is what
docs/operations.md promises.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chart_rendering import render_text, with_value

ROOT = Path(__file__).parents[2]
LAB = ROOT.parent / "shared" / "vllm-lab"
BUILT = Path(os.environ.get("VLLM_LAB", Path.home() / ".cache" / "vllm-lab"))
VERSIONS = sorted(path.parent.name.removeprefix("serve-") for path in BUILT.glob("serve-*/.complete"))
CHOSEN = os.environ.get("VLLM_LAB_VERSIONS", "").split() or [*VERSIONS[:1], *VERSIONS[1:][-1:]]
"""The oldest and the newest that are built."""

if not CHOSEN or not LAB.exists():
    pytest.skip("no vLLM has been built: ../shared/vllm-lab/setup.sh serve VERSION", allow_module_level=True)
if os.geteuid() != 0:
    pytest.skip("pods need root for their namespaces", allow_module_level=True)
sys.path.insert(0, str(LAB))
import pods  # noqa: E402  # pyright: ignore[reportMissingImports]

UNREADY_SECONDS = 30


@pytest.fixture(scope="module", params=CHOSEN)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def rendered(version: str) -> str:
    values = json.loads((ROOT / "tests" / "golden" / "prod.json").read_text())
    values["secrets"] = {"apiKey": "llama-api-key", "huggingFaceToken": None}
    values = with_value(values, "health", {"unreadySeconds": UNREADY_SECONDS, "stallSeconds": 60})
    return render_text(with_value(values, "vllmVersion", version), release="llama-4-scout")


def until(seconds: float, what: Any) -> float:
    """Wait until the function returns something true; return the seconds it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "not in time"
        time.sleep(0.5)
    return time.monotonic() - began


def asked(pod: Any, tokens: int, count: int = 1) -> tuple[list[threading.Thread], list[tuple[int, str]]]:
    """Ask in the background; return the threads and what they will hold."""
    answers: list[tuple[int, str]] = []
    threads = [threading.Thread(target=lambda: answers.append(pod.complete(tokens)), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def well(pod: Any, probe: str = "readiness") -> bool:
    return pod.probe(probe).returncode == 0


@pytest.fixture(scope="module")
def group(rendered: str, version: str) -> Iterator[Any]:
    with pods.running_group(rendered, version=version, delay=3) as (leader, worker):
        # A group that loads counts as disrupted.
        until(30, lambda: "vllm" in worker.log())
        assert not well(worker)
        leader.wait_ready(900)
        yield leader, worker


def test_a_group_answers_to_keys_alone_and_both_pods_are_ready(group: Any) -> None:
    leader, worker = group
    assert leader.request("/v1/models")[0] == 401
    assert leader.request("/v1/models", key="wrong")[0] == 401
    assert leader.complete(8)[0] == 200
    assert [well(leader), well(leader, "liveness"), well(worker)] == [True, True, True]
    for line in ("GET /health", "GET /metrics", "GET /load", "Unknown vLLM environment variable"):
        assert line not in leader.log(), line


def test_a_busy_engine_is_well(group: Any) -> None:
    leader, _ = group
    threads, answers = asked(leader, 300, count=80)
    while any(thread.is_alive() for thread in threads):
        assert well(leader)
        assert well(leader, "liveness")
        time.sleep(2)
    assert {status for status, _ in answers} == {200}


def test_a_hang_while_idle_is_seen_and_mends(group: Any) -> None:
    leader, worker = group
    time.sleep(1)
    assert well(leader)
    with leader.paused("engine"):
        threads, answers = asked(leader, 8, count=3)
        assert until(UNREADY_SECONDS + 30, lambda: not well(leader)) >= UNREADY_SECONDS - 1
        assert "stuck: " in leader.probe("readiness").stdout
        # Nobody ends a hang but the liveness probe: the supervisors still hear each other.
        assert leader.running
        assert worker.running
    for thread in threads:
        thread.join(60)
    assert {status for status, _ in answers} == {200}
    until(30, lambda: well(leader))


def test_a_hang_while_busy_is_seen_and_mends(group: Any) -> None:
    leader, worker = group
    threads, answers = asked(leader, 400)
    time.sleep(2)
    with worker.paused("worker") if worker.pids("worker") else leader.paused("engine"):
        assert until(UNREADY_SECONDS + 30, lambda: not well(leader)) >= UNREADY_SECONDS - 1
        assert not well(leader, "readiness")
    threads[0].join(120)
    assert answers[0][0] == 200
    until(30, lambda: well(leader))


def test_a_drain_lets_requests_end_and_then_both_pods_stop_in_order(group: Any) -> None:
    leader, worker = group
    threads, answers = asked(leader, 400, count=4)
    time.sleep(2)
    drains = [threading.Thread(target=pod.pre_stop) for pod in group]
    for drain in drains:
        drain.start()
    for drain in drains:
        drain.join(100)
    leader.terminate()
    worker.terminate()
    codes = {leader.wait(35), worker.wait(35)}
    for thread in threads:
        thread.join(10)
    assert {status for status, _ in answers} == {200}
    assert codes <= {0, 143}


def lost(rendered: str, version: str, harm: Any, *, seconds: float) -> tuple[str, Any]:
    """Serve, harm the group, and return the log of the pod that is left once it has ended by itself."""
    with pods.running_group(rendered, version=version) as (leader, worker):
        leader.wait_ready(900)
        left = harm(leader, worker)
        began = time.monotonic()
        code = left.wait(seconds)
        print(f"{version}: ended after {time.monotonic() - began:.0f} s with {code}")
        assert code not in (0, 143)
        return left.log(4), code


def test_a_killed_worker_ends_the_group_at_once(rendered: str, version: str) -> None:
    def harm(leader: Any, worker: Any) -> Any:
        worker.kill("server")
        return leader

    log, code = lost(rendered, version, harm, seconds=15)
    assert code == 71
    assert "worker 1 is gone" in log


def test_a_worker_that_vanishes_ends_the_group_in_a_minute(rendered: str, version: str) -> None:
    def harm(leader: Any, worker: Any) -> Any:
        asked(leader, 3000)
        worker.cut_link()
        return leader

    log, code = lost(rendered, version, harm, seconds=80)
    assert code == 71
    assert "nothing heard from it for 6" in log


def test_a_dead_engine_ends_both_pods(rendered: str, version: str) -> None:
    def harm(leader: Any, worker: Any) -> Any:
        leader.kill("engine")
        assert leader.wait(30) not in (0, 143)
        assert "vLLM ended by itself" in leader.log(6)
        return worker

    log, code = lost(rendered, version, harm, seconds=15)
    assert code == 71
    assert "the leader ended: vLLM ended by itself" in log


def test_a_pod_that_starts_stops_within_seconds(rendered: str, version: str) -> None:
    with pods.running_group(rendered, version=version) as (leader, worker):
        until(300, lambda: "world_size=2" in leader.log())
        worker.terminate()
        assert worker.wait(10) == 143
        # A lost member at the start, too, ends the other.
        assert leader.wait(10) == 71


def test_a_pod_that_waits_for_its_group_stops_at_once(rendered: str, version: str) -> None:
    with pods.prepared(2, rendered, roles=["leader"], keep=None, version=version) as (leader,):
        leader.start()
        until(20, lambda: "waiting for worker 1 of 1" in leader.log())
        leader.terminate()
        assert leader.wait(10) == 143


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown flag": ({"flags": {"--no-such-flag": "3"}}, 2, "unrecognized arguments: --no-such-flag"),
    "no choice": ({"flags": {"--kv-cache-dtype": "fp9"}}, 2, "fp9"),
    "no number": ({"flags": {"--max-num-seqs": "many"}}, 2, "many"),
    "no path": ({"model": "/models/nothere"}, 1, "nothere"),
    "no such type": ({"model": "bad-type"}, 1, "foobar"),
    "too long": ({"flags": {"--max-model-len": "999999"}}, 1, "999999"),
    "no such middleware": ({"flags": {"--middleware": "nosuch.Thing"}}, 78, "nosuch"),
    "no keys": ({"secrets": {"llama-api-key": {"apiKey": "\n"}}}, 78, "holds no API key"),
    "a full disk": ({"small": {"home": "300k"}}, 78, "No space left on device"),
    "no weights": ({"model": "bad-no-weights"}, 1, "any model weights"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_setting_ends_the_start_with_its_reason(rendered: str, version: str, name: str) -> None:
    options, code, reason = BAD[name]
    with pods.running_pod(rendered, version=version, **options) as pod:
        assert pod.wait(400) == code
        assert reason in pod.log(3)
