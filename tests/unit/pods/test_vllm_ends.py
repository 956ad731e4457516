"""How the hook Job and the doctor interpret the ends of real pods: exit codes and termination messages of the
supervisor with real vLLMs (tests/data/vllm_ends.json), without logs, as after a group was recreated."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import kube_server as doctor_cluster
from tests.fakes.kube_stub import World, pod, run, status
from vllm_eks.doctor.diagnosis import diagnose
from vllm_eks.doctor.facts import Facts, ServedModel
from vllm_eks.pods.causes import CAUSES, cause_of

ENDS: list[dict[str, Any]] = json.loads((Path(__file__).parents[2] / "data" / "vllm_ends.json").read_text())
TITLES = {cause.code: cause for cause in CAUSES}


def state_of(end: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """Return the container's state as reported by the kubelet."""
    ended = {"exitCode": end["exit_code"], "reason": "Error", "message": end["message"]}
    return {"terminated": {**ended, "containerID": f"containerd://{number}"}}


def name_of(end: dict[str, Any]) -> str:
    return f"{end['version']} {end['what']}, {end['pod']}"


@pytest.mark.parametrize("end", ENDS, ids=name_of)
def test_the_hook_job_ends_with_the_cause(end: dict[str, Any], tmp_path: Path) -> None:
    def on_look(looks: int) -> None:
        world.pods = [pod(ready=False, last_state=state_of(end, looks))]

    world = World(lws=status(ready=0, updated=1), files=tmp_path, on_look=on_look)
    code, lines = run(world, direct=True, timeout_seconds=60, poll_seconds=30)
    cause = TITLES[end["cause"]]
    assert code == 1
    assert f"; cause: {cause.sentence}. For details run: " in lines[-1]
    if cause.patience_seconds == 0:
        assert world.looks == 2


@pytest.mark.parametrize("end", ENDS, ids=name_of)
def test_the_doctor_names_the_cause(end: dict[str, Any]) -> None:
    one = doctor_cluster.pod(ready=False, last_state=state_of(end))
    group = {"metadata": {"name": "scout"}, "spec": {"replicas": 1, "leaderWorkerTemplate": {"size": 1}}}
    (found,) = diagnose(Facts(models=(ServedModel(name="scout", namespace="ns", group=group, pods=(one,)),)))
    assert (found.severity, found.code) == ("problem", end["cause"])
    assert cause_of(found.evidence) is TITLES[end["cause"]] or end["cause"] == "killed"
