"""The hook Job's script as a process, with stub servers for Kubernetes and vLLM."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kube_stub import NAMES, World, event, pod, run, status, stub_world
from tests.support.ready_runs import run_out_of_time


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with stub_world(tmp_path) as made:
        yield made


# --- success


def test_every_group_and_then_the_service_gets_one_request(world: World) -> None:
    world.lws = status(ready=2, updated=2, replicas=2)
    world.pods = [pod(), pod("scout-1", ip=NAMES["second leader"]), pod("scout-0-1", index=1)]
    code, lines = run(world, replicas=2, timeout_seconds=120, alone=True)
    assert (code, lines) == (0, [f"ready: 2 of 2 groups answered; http://127.0.0.3:{world.port}/v1"])
    body = {"model": "scout", "prompt": "Hello", "max_tokens": 1}
    assert world.asked == [(name, "Bearer the-key", body) for name in ("leader", "second leader", "service")]


def test_a_parked_model_is_done_at_once(world: World) -> None:
    code, lines = run(world, replicas=0)
    assert (code, lines) == (0, ["scout is parked (0 replicas): there is nothing to wait for."])
    assert world.looks == 0


def test_a_starting_leader_is_logged_once(world: World) -> None:
    world.lws, world.pods = status(ready=0, updated=1), [pod(ready=False)]
    world.events = [event("Unhealthy", "Startup probe failed: connection refused")]

    def become_ready(looks: int) -> None:
        if looks == 4:
            world.lws, world.pods = status(ready=1, updated=1), [pod()]

    world.on_look = become_ready
    code, lines = run(world)
    assert code == 0
    assert lines[:-1] == ["groups ready 0/1, with this revision 0; scout-0: Running, not ready yet"]


def test_a_ready_leader_that_fails_is_tried_again(world: World) -> None:
    world.lws, world.pods = status(ready=1, updated=1), [pod()]
    world.answers["leader"] = (503, {"error": "starting"})

    def fix_it(looks: int) -> None:
        if looks == 2:
            world.answers.clear()

    world.on_look = fix_it
    code, lines = run(world)
    assert code == 0
    assert lines[0] == 'scout-0 is ready but does not answer: HTTP 503: {"error": "starting"}'


# --- pods that do not count


def test_a_ready_pod_of_another_revision_is_ignored(world: World) -> None:
    world.lws = status(ready=1, updated=1)
    world.pods = [pod(ip=NAMES["old leader"], revision="old")]
    assert run_out_of_time(world) == (
        "FAILED: not ready after 0.2 s: groups ready 1/1, with this revision 0; 1 pods of another revision remain. "
        "For details run: kubectl -n ns get leaderworkersets,pods,events"
    )
    assert world.asked == []


def test_too_few_leaders_of_this_revision_are_not_enough(world: World) -> None:
    world.lws = status(ready=2, updated=2, replicas=2)
    world.pods = [pod(), pod("scout-1", ip=NAMES["old leader"], revision="old")]
    code, lines = run(world, replicas=2, timeout_seconds=0.2)
    assert code == 1
    assert "groups ready 2/2, with this revision 1; 1 pods of another revision remain." in lines[-1]
    assert world.asked == []


def test_a_wait_without_changes_still_logs_regularly(world: World) -> None:
    world.lws, world.pods = status(ready=0, updated=1), [pod(ready=False)]
    _, lines = run(world, timeout_seconds=0.4, heartbeat_seconds=0.1)
    reported = lines[:-1]
    assert 2 <= len(reported) <= 4
    assert len(set(reported)) == 1


def test_a_leader_being_deleted_does_not_count(world: World) -> None:
    world.lws, world.pods = status(ready=1, updated=1), [pod(deleted=True)]
    assert "with this revision 0; scout-0: is being deleted." in run_out_of_time(world)
    assert world.asked == []


@pytest.mark.parametrize(
    "lws",
    [
        status(ready=1, updated=1, seen=1),
        status(ready=0, updated=1),
        status(ready=1, updated=0),
        status(ready=1, updated=1, replicas=2),
    ],
    ids=["spec not seen yet", "workers not ready", "not updated", "one group too many"],
)
def test_a_ready_leader_is_not_enough(world: World, lws: dict[str, Any]) -> None:
    world.lws, world.pods = lws, [pod()]
    run_out_of_time(world)
    assert world.asked == []
