"""The chart's pods of the prod stack, run by a real vLLM on the CPU (../shared/vllm-lab): keys, probes, drains, losses.

Skips, with a word, where that lab has not been built. What the times bound is what docs/operations.md promises.
A start takes 40 s of CPU time a pod. So one group of each version goes through all that a group survives, in the order
of this file, with vLLM's own way to make processes; the pods that are broken after that fork theirs, which is quicker.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import stub_cluster  # noqa: F401  (puts the chart's files on the path)
from causes import cause_of
from chart_rendering import render_text, with_value
from crashes import crash_of

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
FORKED = {"VLLM_WORKER_MULTIPROCESSING_METHOD": "fork"}


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


@contextmanager
def broken(rendered: str, version: str, size: int = 2, **options: Any) -> Iterator[list[Any]]:
    """Start pods that are to end by themselves; each leaves its termination message, as kubelet makes the file."""
    roles = ["leader", *["worker"] * (size - 1)]
    environ = {**FORKED, **options.pop("env", {})}
    with pods.prepared(size, rendered, roles=roles, keep=None, version=version, env=environ, **options) as made:
        for pod in made:
            pod.command.insert(pod.command.index("/scripts/supervise.py") + 1, "--termination-log=/tmp/message")
            message(pod).touch()
            pod.start()
        yield made


def message(pod: Any) -> Path:
    return pod.folder / "volumes" / "tmp" / "message"


def ended(pod: Any, within: float) -> tuple[int, str, str]:
    """Wait for a pod's end; return its exit code, its message, and the cause that hook Job and doctor find in it."""
    code, said = pod.wait(within), message(pod).read_text()
    state = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed", "message": said}}
    status = {"containerStatuses": [{"name": "vllm", "state": state}]}
    crash = crash_of({"metadata": {"name": pod.name}, "status": status}, "")
    cause = cause_of(crash)
    assert said == "" or f"exit code {code}" in crash
    return code, said, cause.code if cause else ""


def busy(leader: Any) -> None:
    leader.wait_ready(900)
    asked(leader, 3500)
    until(60, lambda: "vllm:num_requests_running{" in (said := leader.request("/metrics")[1]) and "} 1.0" in said)


def test_a_dead_engine_ends_both_pods(rendered: str, version: str) -> None:
    with broken(rendered, version) as (leader, worker):
        busy(leader)
        leader.kill("engine")
        code, said, cause = ended(leader, 30)
        assert (code, cause) == (70, "killed")
        assert said.startswith("vLLM ended by itself with exit code 0")
        code, said, cause = ended(worker, 15)
        assert (code, cause) == (71, "killed")
        assert said.startswith("the leader ended: vLLM ended by itself with exit code 0")


def test_a_killed_gpu_process_of_the_worker_ends_both_pods(rendered: str, version: str) -> None:
    with broken(rendered, version) as (leader, worker):
        busy(leader)
        worker.kill("worker")
        assert ended(worker, 40)[::2] == (70, "killed")
        assert ended(leader, 15)[0] == 71


def test_a_killed_pod_ends_the_group_at_once(rendered: str, version: str) -> None:
    with broken(rendered, version) as (leader, worker):
        until(600, lambda: "world_size=2" in leader.log())
        leader.kill("server")
        code, said, cause = ended(worker, 10)
        assert (code, cause) == (71, "ranks")
        assert said.startswith("the leader is gone: ")


def test_a_worker_that_vanishes_ends_the_group_in_a_minute(rendered: str, version: str) -> None:
    with broken(rendered, version) as (leader, worker):
        busy(leader)
        worker.cut_link()
        code, said, cause = ended(leader, 80)
        assert (code, cause) == (71, "ranks")
        assert said.startswith("worker 1 is gone: nothing heard from it for 6")
        assert ended(worker, 20)[::2] == (71, "ranks")


def test_a_pod_that_starts_stops_within_seconds(rendered: str, version: str) -> None:
    with broken(rendered, version) as (leader, worker):
        until(600, lambda: "world_size=2" in leader.log())
        worker.terminate()
        assert worker.wait(10) == 143
        # A lost member at the start, too, ends the other.
        assert ended(leader, 10)[::2] == (71, "ranks")


def test_a_pod_that_waits_for_its_group_stops_at_once(rendered: str, version: str) -> None:
    with pods.prepared(2, rendered, roles=["leader"], keep=None, version=version) as (leader,):
        leader.start()
        until(20, lambda: "waiting for worker 1 of 1" in leader.log())
        leader.terminate()
        assert leader.wait(10) == 143


LORA = {"--enable-lora": "", "--max-loras": "1", "--max-lora-rank": "16", "--lora-modules": "sql=org/adapter"}
PARSER = {"--enable-auto-tool-choice": "", "--tool-call-parser": "nonesuch"}
# What is wrong -> exit code, cause, words of the termination message.
BAD: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "unknown flag": ({"flags": {"--no-such-flag": "3"}}, 2, "unknown_flag", "arguments: --no-such-flag"),
    "no choice": ({"flags": {"--kv-cache-dtype": "fp9"}}, 2, "flag_value", "fp9"),
    "no number": ({"flags": {"--max-num-seqs": "many"}}, 2, "flag_value", "many"),
    "no such parser": ({"flags": PARSER}, 1, "parser", "nonesuch"),
    "no path": ({"model": "/models/nothere"}, 1, "no_such_path", "nothere"),
    "no such architecture": ({"model": "bad-architecture"}, 1, "architecture", "FooBar"),
    "too long": ({"flags": {"--max-model-len": "999999"}}, 1, "context", "999999"),
    "no such adapter": ({"flags": LORA}, 1, "lora", "org/adapter"),
    "no such middleware": ({"flags": {"--middleware": "nosuch.Thing"}}, 78, "no_module", "nosuch"),
    "no keys": ({"secrets": {"llama-api-key": {"apiKey": "\n"}}}, 78, "no_key", "holds no API key"),
    "a full disk": ({"small": {"home": "300k"}}, 78, "disk_full", "No space left on device"),
    "cut weights": ({"model": "bad-cut-weights"}, 1, "broken_weights", "incomplete metadata"),
    "too little memory": ({"model": "long", "flags": {"--max-model-len": "1048576"}}, 1, "kv_cache", "KV cache"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_setting_ends_the_start_with_its_reason(rendered: str, version: str, name: str) -> None:
    options, code, cause, reason = BAD[name]
    with broken(rendered, version, size=1, **options) as (pod,):
        found, said, known = ended(pod, 600)
        assert (found, known) == (code, cause)
        assert reason in said
