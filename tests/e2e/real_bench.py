"""The client of `vllm-eks bench` in the container of a real server: the command of the Job, with the address of another
server and a tokenizer of the lab."""

import json
import subprocess
from dataclasses import replace
from typing import Any

from vllm_eks.bench.command import pod_arguments, pod_command
from vllm_eks.bench.load import Load
from vllm_eks.bench.measured import Measured, measured_of
from vllm_eks.bench.pod_script import RESULT_MARK
from vllm_eks.bench.target import TokenizerSource, target_of

LOAD = Load(requests_per_second=None, concurrent_users=2, input_tokens=32, output_tokens=4, requests=4, seed=7)
"""Few tokens: on a busy machine the tiny model makes one a second."""
SECONDS = 900


def benched(pod: Any, load: Load = LOAD) -> subprocess.CompletedProcess[str]:
    """Run the Job's command in a pod, against the pod's own server."""
    group = {**pod.manifest.set, "status": {"readyReplicas": 1}}
    target = target_of(group, pod.manifest.name, pod.manifest.namespace)
    target = replace(target, tokenizer=TokenizerSource(place="/models/tiny"))
    local = [
        "http://127.0.0.1:8000" if argument == target.service_url else argument
        for argument in pod_arguments(target, load)
    ]
    assert local != pod_arguments(target, load), "the address is an argument of its own"
    return pod.run([*pod_command(), *local], timeout=SECONDS)


def result_of(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """Return vLLM's result from the log, as the command reads it."""
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    line = ended.stdout.splitlines()[-1]
    assert line.startswith(RESULT_MARK)
    return json.loads(line.removeprefix(RESULT_MARK))


def measured_in(ended: subprocess.CompletedProcess[str]) -> Measured:
    return measured_of(result_of(ended), where="the log")
