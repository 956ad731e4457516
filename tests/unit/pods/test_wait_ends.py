"""The hook Job's script ends as soon as waiting is useless, and logs the progress until then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kube_stub import World, pod, status
from tests.support.failure_logs import read
from tests.support.waits import look, wait


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(lws=status(ready=0, updated=1), files=tmp_path)


def ended(code: int, *, number: int = 1, reason: str = "Error", message: str = "", at: str = "") -> dict[str, Any]:
    """Return the state of a container that ended for the nth time."""
    state = {"exitCode": code, "reason": reason, "message": message, "containerID": f"containerd://{number}"}
    return {"terminated": state | ({"finishedAt": at} if at else {})}


def crash_again(world: World, log: str, *, code: int = 1, every: int = 1, times: int = 99) -> Callable[[int], None]:
    """Let the only pod crash at each poll, or at every second one."""

    def on_look(looks: int) -> None:
        world.pods = [pod(ready=False, last_state=ended(code, number=min(looks // every, times)))]
        world.logs["scout-0"] = log

    return on_look


# --- crashes


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("unknown-flag", "this vLLM version does not have a flag"),
        ("bad-choice", "a vLLM flag has an invalid value"),
        ("unknown-architecture", "this vLLM version does not support the model's architecture"),
        ("kv-cache-too-small", "the KV cache is too small for one request of maxModelLen"),
        ("length-over-model", "maxModelLen is above the model's own limit"),
        ("port-in-use", "another process uses the port"),
        ("unknown-tool-parser", "this vLLM version has no parser with this name"),
        ("cut-weights", "a weight file is truncated or corrupt"),
    ],
)
def test_the_second_permanent_crash_ends_the_wait(world: World, name: str, title: str) -> None:
    world.on_look = crash_again(world, read("0.32.0", name))
    code, lines = wait(world)
    assert (code, world.looks) == (1, 2)
    said = "FAILED: after 30 s, scout-0 crashed 2 times for the same reason, so waiting does not help: "
    assert lines[-1].startswith(said)
    assert f"; cause: {title}: " in lines[-1]
    assert lines[-1].endswith("For details run: kubectl -n ns logs scout-0 --previous")


def test_the_same_crash_counts_once(world: World) -> None:
    world.on_look = crash_again(world, read("0.32.0", "unknown-flag"), times=1)
    code, _ = look(world, timeout_seconds=150, poll_seconds=30)
    assert (code, world.looks) == (1, 5)


def test_a_container_that_ended_and_runs_again_is_one_crash(world: World) -> None:
    def restart(looks: int) -> None:
        crash = ended(1, number=1)
        world.pods = [pod(ready=False, state=crash) if looks == 1 else pod(ready=False, last_state=crash)]
        world.logs["scout-0"] = read("0.32.0", "unknown-flag")

    world.on_look = restart
    assert look(world, timeout_seconds=150, poll_seconds=30)[0] == 1
    assert world.looks == 5


@pytest.mark.parametrize("name", ["hub-unreachable", "worker-pod-killed", "engine-killed"])
def test_a_temporary_crash_does_not_end_the_wait(world: World, name: str) -> None:
    world.on_look = crash_again(world, read("0.32.0", name))
    code, lines = look(world, timeout_seconds=150, poll_seconds=30)
    assert (code, world.looks) == (1, 5)
    assert lines[-1].startswith("FAILED: not ready after 150 s: ")


def test_two_crashes_with_different_causes_do_not_end_the_wait(world: World) -> None:
    def on_look(looks: int) -> None:
        names = ("unknown-flag", "kv-cache-too-small", "port-in-use")
        world.pods = [pod(ready=False, last_state=ended(1, number=min(looks, 3)))]
        world.logs["scout-0"] = read("0.32.0", names[min(looks, 3) - 1])

    world.on_look = on_look
    assert look(world, timeout_seconds=150, poll_seconds=30)[0] == 1
    assert world.looks == 5


def test_the_fourth_unknown_crash_ends_the_wait(world: World) -> None:
    world.on_look = crash_again(world, "ValueError: something unknown, in process 4711")
    code, lines = wait(world)
    assert (code, world.looks) == (1, 4)
    assert "scout-0 crashed 4 times for the same reason" in lines[-1]


# --- which ends are crashes


@pytest.mark.parametrize(("code", "reason"), [(0, "Completed"), (143, "Error"), (1, "Error")])
def test_every_unexpected_end_is_a_crash(world: World, code: int, reason: str) -> None:
    world.pods = [pod(ready=False, last_state=ended(code, reason=reason))]
    world.logs["scout-0"] = read("0.32.0", "worker-process-killed")
    _, lines = look(world, timeout_seconds=30, poll_seconds=30)
    assert f"scout-0: {reason}, exit code {code}" in lines[-1]
    assert "; cause: a process of the engine was killed from outside" in lines[-1]
    assert world.logs_asked[0] == "scout-0 vllm before"


@pytest.mark.parametrize(
    ("finished", "said"),
    [("2026-01-01T00:00:10Z", "is being deleted."), ("2025-12-31T23:57:00Z", "is being deleted, Error, exit code 1")],
    ids=["after the deletion", "before: the crash is why"],
)
def test_an_end_after_the_deletion_is_no_crash(world: World, finished: str, said: str) -> None:
    one = pod(ready=False, deleted=True, state=ended(1, at=finished))
    one["metadata"]["deletionGracePeriodSeconds"] = 120
    world.pods = [one]
    _, lines = look(world, timeout_seconds=30, poll_seconds=30)
    assert f"scout-0: {said}" in lines[-1]


def test_a_failed_init_container_is_a_crash_and_a_successful_one_is_not(world: World) -> None:
    meet = {
        "name": "meet",
        "state": {},
        "lastState": ended(1, message="the leader x did not connect within 600 s"),
    }
    one = pod(ready=False, state={"waiting": {"reason": "PodInitializing"}})
    one["status"]["initContainerStatuses"] = [meet]
    world.pods = [one]
    assert "scout-0: Error, exit code 1, last log line: the leader x did" in look(world, timeout_seconds=1)[1][-1]
    meet["lastState"], meet["state"] = {}, ended(0, reason="Completed")
    assert "exit code" not in look(world, timeout_seconds=1)[1][-1]


def test_an_evicted_pod_has_a_reason(world: World) -> None:
    one = pod(ready=False, state={})
    one["status"] |= {"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory."}
    world.pods = [one]
    assert "; cause: the container ran out of host memory" in look(world, timeout_seconds=1)[1][-1]
