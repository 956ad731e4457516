"""Problems other than crashes, and the progress that the hook Job logs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kube_stub import World, event, pod, run, status, stub_world
from tests.support.failure_logs import read
from tests.support.waits import look, wait


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(lws=status(ready=0, updated=1), files=tmp_path)


# --- other problems


NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
TOO_SMALL = (
    "0/3 nodes are available: 1 Insufficient memory, 2 node(s) didn't match Pod's node affinity/selector. "
    "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
)
NOT_READY = "{node.kubernetes.io/not-ready: }"
NO_SUCH_NODE = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
NOT_THERE = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "r/i:t": ErrImagePull: r/i:t: not found'}


@pytest.mark.parametrize(
    ("trouble", "seconds", "title"),
    [
        ({"state": {"waiting": {"reason": "InvalidImageName", "message": "couldn't parse"}}}, 0, "the image name"),
        ({"state": {"waiting": NOT_THERE}}, 120, "the registry has no such image"),
        ({"conditions": ({**NO_NODE, "message": TOO_SMALL},)}, 120, "the pod requests more than a node"),
        ({"conditions": ({**NO_NODE, "message": NO_SUCH_NODE},)}, 900, "no node has the right type and zone"),
        (
            {"state": {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "k" not found'}}},
            120,
            "a Secret",
        ),
    ],
    ids=["image name", "no image", "too small a node", "no node", "no Secret"],
)
def test_a_permanent_problem_ends_the_wait_after_its_time(
    world: World, trouble: dict[str, Any], seconds: int, title: str
) -> None:
    world.pods = [pod(ready=False, **trouble)]
    code, lines = wait(world)
    assert (code, world.looks) == (1, seconds // 30 + 1)
    assert lines[-1].startswith(f"FAILED: after {seconds} s, scout-0 has failed")
    assert f"; cause: {title}" in lines[-1]


@pytest.mark.parametrize(
    "trouble",
    [
        {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off: dial tcp: i/o timeout"}}},
        {"conditions": ({**NO_NODE, "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."},)},
        {
            "conditions": (
                {
                    **NO_NODE,
                    "message": f"0/3 nodes are available: 3 node(s) had untolerated taint {NOT_READY}.",
                },
            )
        },
    ],
    ids=["a registry that is away", "GPUs that others have", "nodes that are not ready"],
)
def test_a_temporary_problem_does_not_end_the_wait(world: World, trouble: dict[str, Any]) -> None:
    world.pods = [pod(ready=False, **trouble)]
    code, lines = look(world, timeout_seconds=1800, poll_seconds=60)
    assert (code, world.looks) == (1, 30)
    assert lines[-1].startswith("FAILED: not ready after 1800 s")


def test_pods_that_the_cluster_refuses_end_the_wait(world: World) -> None:
    world.lws, world.pods = status(ready=0, updated=0), []
    world.events = [
        event("FailedCreate", 'pods "scout-0" is forbidden: violates PodSecurity "restricted"', about="scout")
    ]
    code, lines = wait(world)
    assert (code, world.looks) == (1, 5)
    assert "FAILED: after 120 s, scout has failed for 120 s, and waiting does not help" in lines[-1]
    assert "; cause: the cluster refuses to create the pod" in lines[-1]


def test_a_resolved_problem_is_forgotten(world: World) -> None:
    world.pods = [pod(ready=False, state={"waiting": {"reason": "ContainerCreating"}})]
    mount = event("FailedMount", 'MountVolume.SetUp failed for volume "k" : secret "k" not found')
    world.events = [
        mount,
        {**event("Pulling", "Pulling image", kind="Normal"), "lastTimestamp": "2026-01-01T00:01:00Z"},
    ]
    code, lines = look(world, timeout_seconds=300, poll_seconds=30)
    assert code == 1
    assert "scout-0: ContainerCreating. For details run" in lines[-1]


# --- progress


def starting(*logs: str) -> Callable[[World], Callable[[int], None]]:
    def of(world: World) -> Callable[[int], None]:
        def on_look(looks: int) -> None:
            world.pods = [pod(ready=False)]
            world.logs["scout-0"] = logs[min(looks, len(logs)) - 1]

        return on_look

    return of


def test_the_stages_of_a_start_are_logged_when_they_change(world: World) -> None:
    shards = (
        "(Worker_TP0 pid=7) \rLoading safetensors checkpoint shards:  {0}% Completed | {1}/20 [00:10<00:12,  1.0it/s]\n"
    )
    begin = "INFO 11-26 02:00:45 [core.py:1] Initializing a V1 LLM engine (v0.32.0) with config\n"
    logs = (
        begin,
        begin,
        begin + shards.format(45, 9),
        begin + shards.format(45, 9) + "INFO x Loading weights took 9.2 seconds",
    )
    world.on_look = starting(*logs)(world)
    _, lines = look(world, timeout_seconds=150, poll_seconds=30)
    assert [line for line in lines if line.startswith("scout-0 ")] == [
        "scout-0 the engine starts",
        "scout-0 loads weights, 45 % (9 of 20 files)",
        "scout-0 weights are loaded",
    ]


def test_a_stage_is_logged_at_most_twice_a_minute(world: World) -> None:
    shard = "Loading safetensors checkpoint shards: {0}% Completed | {0}/100 [x]"
    world.on_look = starting(*(shard.format(number) for number in range(1, 99)))(world)
    _, lines = look(world, timeout_seconds=120, poll_seconds=3)
    assert len([line for line in lines if line.startswith("scout-0 loads")]) == 4


PLANNED = '{"weightsGibHigh": 12.5, "kvCacheTokensLow": 100000.0, "kvCacheTokensHigh": 150000}'


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (
            "Model loading took 12.3 GiB memory and 30 seconds\nGPU KV cache size: 131,072 tokens",
            [
                "scout-0: the weights take 12.30 GiB per GPU, planned up to 12.50",
                "scout-0: the KV cache holds 131,072 tokens, planned 100,000 to 150,000",
            ],
        ),
        (
            "Model loading took 14.9 GiB memory and 30 seconds\nGPU KV cache size: 71,072 tokens",
            [
                "scout-0: WARNING: the weights take 14.90 GiB per GPU, more than the planned 12.50: the KV cache is "
                "smaller by the difference",
                "scout-0: WARNING: the KV cache holds 71,072 tokens, fewer than the planned 100,000 to 150,000",
            ],
        ),
    ],
    ids=["as planned", "not as planned"],
)
def test_measured_memory_is_compared_with_the_plan_once(world: World, log: str, said: list[str]) -> None:
    world.on_look = starting(log)(world)
    _, lines = look(world, timeout_seconds=120, poll_seconds=30, options=[f"--planned={PLANNED}"])
    assert [line for line in lines if " weights take " in line or "tokens" in line or "WARN" in line] == said


def test_memory_logged_between_two_polls_is_reported_at_the_end(tmp_path: Path) -> None:
    with stub_world(tmp_path) as world:
        world.lws, world.pods = status(ready=1, updated=1), [pod()]
        world.logs["scout-0"] = "GPU KV cache size: 71,072 tokens"
        code, lines = run(world, options=[f"--planned={PLANNED}"])
    assert code == 0
    assert lines[-1] == "scout-0: WARNING: the KV cache holds 71,072 tokens, fewer than the planned 100,000 to 150,000"


@pytest.mark.parametrize("version", ["0.21.0", "0.32.0"])
def test_a_real_log_has_its_stages(version: str) -> None:
    from vllm_eks.pods.progress import stage_of

    lines = read(version, "stopped").splitlines()
    stages = [stage_of("\n".join(lines[:count])) for count in range(1, len(lines) + 1)]
    reported = list(dict.fromkeys(stages))
    assert reported[0] == ""
    assert reported[-1] == "serves"
    wanted = ["the engine starts", "looks for the model's files", "weights are loaded", "allocates the KV cache"]
    assert [stage for stage in reported if stage in wanted] == wanted


@pytest.mark.parametrize("version", ["0.21.0", "0.32.0"])
def test_a_real_log_has_its_phases_and_none_is_left_twice(version: str) -> None:
    from vllm_eks.pods.progress import PHASES, phase_of

    lines = read(version, "stopped").splitlines()
    phase, reported = "group", ["group"]
    for at in range(len(lines)):
        # A scrape sees only the end of the log.
        phase = phase_of("\n".join(lines[max(0, at - 3) : at + 1]), phase)
        reported.append(phase)
    found = list(dict.fromkeys(reported))
    assert found == [one for one in PHASES if one in found]
    assert {"group", "engine", "load", "memory", "serving"} <= set(found)
