"""The hook Job's script reports why a model is not ready, and permanent errors."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kube_stub import World, event, pod, run, status, stub_world
from tests.fakes.vllm_server import vllm_double
from tests.support.ready_runs import run_out_of_time
from vllm_eks.pods.causes import cause_of


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with stub_world(tmp_path) as made:
        yield made


IMAGE_FAULT = {"waiting": {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "vllm:none"'}}
OUT_OF_MEMORY = {"terminated": {"reason": "OOMKilled", "exitCode": 137}}
CRASH = {"terminated": {"reason": "Error", "exitCode": 1, "message": "Traceback ...\nValueError: no KV cache room\n"}}
TALKATIVE = {"terminated": {"reason": "Error", "exitCode": 1, "message": "Invalid user token hf_abcdef123"}}
NO_ROOM = {
    **{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"},
    "message": "0/7 nodes are available: 7 Insufficient nvidia.com/gpu.",
}


# --- reasons


def test_an_unscheduled_pod_has_the_scheduler_s_message(world: World) -> None:
    world.lws, world.pods = status(ready=0, updated=1), [pod(ready=False, conditions=(NO_ROOM,))]
    assert run_out_of_time(world) == (
        "FAILED: not ready after 0.2 s: groups ready 0/1, with this revision 0; scout-0: Unschedulable, "
        "0/7 nodes are available: 7 Insufficient nvidia.com/gpu.; cause: no node has enough free GPUs: nodes may "
        "still be starting (kubectl get nodes); otherwise check the NVIDIA device plugin. "
        "For details run: kubectl -n ns describe pod scout-0"
    )


@pytest.mark.parametrize(
    ("trouble", "said", "look"),
    [
        ({"state": IMAGE_FAULT}, 'ImagePullBackOff, Back-off pulling image "vllm:none"', "describe pod scout-0"),
        ({"state": OUT_OF_MEMORY}, "OOMKilled, exit code 137", "logs scout-0"),
        ({"last_state": OUT_OF_MEMORY}, "OOMKilled, exit code 137", "logs scout-0 --previous"),
        ({"state": CRASH}, "Error, exit code 1, last log line: ValueError: no KV cache room", "logs scout-0"),
    ],
)
def test_a_pod_that_cannot_run_has_a_reason(world: World, trouble: dict[str, Any], said: str, look: str) -> None:
    world.lws, world.pods = status(ready=0, updated=1), [pod(ready=False, **trouble)]
    words = run_out_of_time(world)
    assert words.startswith(f"FAILED: not ready after 0.2 s: groups ready 0/1, with this revision 0; scout-0: {said}")
    cause = cause_of(said)
    assert words.endswith(f"{f'; cause: {cause.sentence}' if cause else ''}. For details run: kubectl -n ns {look}")


def test_the_cause_is_found_far_above_the_last_line_of_the_log(world: World) -> None:
    world.lws, world.pods = status(ready=0, updated=1), [pod(ready=False, state=CRASH)]
    world.logs["scout-0"] = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB\n" + "at line\n" * 300
    assert "; cause: out of GPU memory: lower gpuMemoryUtilization," in run_out_of_time(world)
    world.pods = [pod(ready=False, last_state=CRASH)]
    assert "; cause: out of GPU memory:" in run_out_of_time(world)
    assert world.logs_asked[0] == "scout-0/log?tailLines=400&limitBytes=1000000&container=vllm"
    assert "scout-0/log?tailLines=400&limitBytes=1000000&container=vllm&previous=true" in world.logs_asked


def test_secrets_in_a_log_are_masked(world: World) -> None:
    world.lws, world.pods = status(ready=0, updated=1), [pod(ready=False, state=TALKATIVE)]
    words = run_out_of_time(world)
    assert "hf_abcdef" not in words
    assert "Invalid user token ***" in words


def test_a_volume_that_cannot_be_mounted_is_reported_from_its_event(world: World) -> None:
    waiting = {"waiting": {"reason": "ContainerCreating"}}
    world.lws, world.pods = status(ready=0, updated=1), [pod(ready=False, state=waiting)]
    world.events = [event("FailedMount", 'secret "hf-token" not found')]
    assert 'scout-0: ContainerCreating, FailedMount, secret "hf-token" not found; cause: a Secret' in run_out_of_time(
        world
    )


def test_a_probe_that_ended_the_leader_is_reported(world: World) -> None:
    ended = {"terminated": {"reason": "Error", "exitCode": 143}}
    world.lws, world.pods = status(ready=0, updated=1), [pod(ready=False, state=ended)]
    world.events = [event("Killing", "Container vllm failed startup probe, will be restarted", kind="Normal")]
    assert (
        "scout-0: Killing, Container vllm failed startup probe, will be restarted; cause: the start took"
        in run_out_of_time(world)
    )


def test_without_pods_the_controllers_errors_are_reported(world: World) -> None:
    world.lws = status(ready=0, updated=0)
    world.events = [event("FailedCreate", "exceeded quota: gpus", about="scout"), event("Odd", "no", about="other")]
    assert "revision 0; scout: FailedCreate, exceeded quota: gpus; cause: a quota of" in run_out_of_time(world)


def test_a_crash_is_remembered_after_the_group_is_recreated(world: World) -> None:
    world.lws, world.pods = status(ready=0, updated=1), [pod("scout-0-1", index=1, ready=False, state=CRASH)]

    def recreate(looks: int) -> None:
        if looks == 3:
            world.pods = [pod(ready=False)]

    world.on_look = recreate
    assert run_out_of_time(world) == (
        "FAILED: not ready after 0.2 s: groups ready 0/1, with this revision 0; scout-0: Running, not ready yet; "
        "last crash: scout-0-1: Error, exit code 1, last log line: ValueError: no KV cache room. "
        "For details run: kubectl -n ns logs scout-0"
    )


def test_an_api_server_that_refuses_is_reported(world: World) -> None:
    (world.files / "token").write_text("another cluster")
    assert run_out_of_time(world) == (
        "FAILED: not ready after 0.2 s: the Kubernetes API does not answer: HTTP Error 403: Forbidden. "
        "For details run: kubectl -n ns get leaderworkersets,pods,events"
    )


# --- permanent errors


def test_a_rejected_api_key_fails_after_a_while_with_a_fix(world: World) -> None:
    world.lws, world.pods = status(ready=1, updated=1), [pod()]
    world.answers["leader"] = (401, {"error": "Unauthorized"})
    code, lines = run(world, timeout_seconds=60, key_settle_seconds=0.3)
    assert code == 1
    assert lines[0] == (
        "scout-0 is ready but does not answer: it rejects the API key (HTTP 401); a changed key takes a minute or two"
    )
    assert lines[-1].partition(": ")[2] == (
        "scout-0 still rejects the API key (HTTP 401) after 0.3 s. Restart its pods with "
        "kubectl -n ns delete pod -l leaderworkerset.sigs.k8s.io/name=scout"
    )


def test_a_changed_key_is_awaited(world: World) -> None:
    world.lws, world.pods = status(ready=1, updated=1), [pod()]
    world.answers["leader"] = (401, {"error": "Unauthorized"})

    def take_it_in(looks: int) -> None:
        if looks == 3:
            world.answers.clear()

    world.on_look = take_it_in
    assert run(world)[0] == 0


@pytest.mark.parametrize(
    ("behaviour", "code", "said"),
    [
        ({"delay_seconds": 0.2}, 0, "ready: 1 of 1 groups answered"),
        ({"running": 256, "tokens_per_look": 50}, 0, "ready: 1 of 1 groups answered"),
        ({"answer": (500, {"error": "EngineDeadError"})}, 1, "; cause: the engine is dead:"),
        ({"answer": (200, {"choices": []})}, 1, "does not answer: the response has no choices"),
    ],
    ids=["slow", "busy and fine", "dead", "stuck"],
)
def test_a_vllm_server_is_queried(world: World, behaviour: dict[str, Any], code: int, said: str) -> None:
    with vllm_double(keys=("the-key",), **behaviour) as double:
        world.lws, world.pods = status(ready=1, updated=1), [pod(ip="127.0.0.1")]
        ended, lines = run(world, timeout_seconds=100, poll_seconds=20, port=double.port)
    assert ended == code
    assert said in lines[-1]


def test_a_refused_request_fails_at_once(world: World) -> None:
    world.lws, world.pods = status(ready=1, updated=1), [pod()]
    world.answers["service"] = (404, {"error": "no such model"})
    code, lines = run(world, timeout_seconds=60)
    said = f'Service at http://127.0.0.3:{world.port} rejects the request (HTTP 404): {{"error": "no such model"}}'
    assert (code, lines) == (1, [f"FAILED after 0 s: {said}"])
