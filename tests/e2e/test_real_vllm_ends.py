"""How pods with a real vLLM end: failures while serving or starting, and invalid settings.

Each end is a separate start (real_pods.py). The exit code, the termination message and the cause that the hook Job and
the doctor find in it are as in docs/explanation/health.md.
"""

from typing import Any

import pytest

from tests.e2e.real_memory import limited
from tests.e2e.real_pods import (
    CHOSEN,
    LATE_SECONDS,
    START_SECONDS,
    asked,
    broken,
    ended,
    pods,
    rendered_for,
    running,
    until,
)


@pytest.fixture(scope="module", params=CHOSEN)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def rendered(version: str) -> str:
    return rendered_for(version)


def busy(leader: Any) -> None:
    leader.wait_ready(START_SECONDS)
    asked(leader, 3500)
    until(LATE_SECONDS, lambda: running(leader))


def test_a_dead_engine_ends_both_pods(rendered: str, version: str) -> None:
    with broken(rendered, version) as (leader, worker):
        busy(leader)
        leader.kill("engine")
        code, said, cause = ended(leader, 30)
        assert (code, cause) == (70, "killed")
        assert said.startswith("vLLM ended unexpectedly with exit code 0")
        code, said, cause = ended(worker, 15)
        assert (code, cause) == (71, "killed")
        assert said.startswith("the leader ended: vLLM ended unexpectedly with exit code 0")


def test_a_killed_gpu_process_of_the_worker_ends_both_pods(rendered: str, version: str) -> None:
    with broken(rendered, version) as (leader, worker):
        busy(leader)
        worker.kill("worker")
        assert ended(worker, 40)[::2] == (70, "killed")
        assert ended(leader, 15)[0] == 71


def test_a_killed_pod_ends_the_group_at_once(rendered: str, version: str) -> None:
    with broken(rendered, version) as (leader, worker):
        until(START_SECONDS, lambda: "world_size=2" in leader.log())
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
        assert said.startswith("worker 1 is gone: no heartbeat for ")
        assert ended(worker, 20)[::2] == (71, "ranks")


def test_a_pod_that_starts_stops_within_seconds(rendered: str, version: str) -> None:
    with broken(rendered, version) as (leader, worker):
        until(START_SECONDS, lambda: "world_size=2" in leader.log())
        worker.terminate()
        assert worker.wait(10 + LATE_SECONDS) == 143
        # A lost member also ends the other one during the start.
        assert ended(leader, 10)[::2] == (71, "ranks")


def test_a_pod_that_waits_for_its_group_stops_at_once(rendered: str, version: str) -> None:
    with pods.prepared(2, rendered, roles=["leader"], keep=None, version=version) as (leader,):
        leader.start()
        until(20 + LATE_SECONDS, lambda: "waiting for worker 1 of 1" in leader.log())
        leader.terminate()
        assert leader.wait(10 + LATE_SECONDS) == 143


def test_a_start_that_the_kernel_kills_for_memory_reports_it(rendered: str, version: str) -> None:
    with limited(rendered, version, 1500) as (pod, _):
        code, said, cause = ended(pod, START_SECONDS)
        assert (code in (70, 137), cause) == (True, "host_memory")
        assert said.endswith("and the kernel killed a process of this container for host memory")


def test_a_server_whose_engine_the_kernel_kills_for_memory_reports_it(rendered: str, version: str) -> None:
    with limited(rendered, version, None) as (pod, limit):
        busy(pod)
        limit.overflow()
        code, said, cause = ended(pod, 40)
        assert (code, cause) == (70, "host_memory")
        assert said.startswith("vLLM ended unexpectedly with exit code 0, and the kernel killed a process of this")


LORA = {"--enable-lora": "", "--max-loras": "1", "--max-lora-rank": "16", "--lora-modules": "sql=org/adapter"}
PARSER = {"--enable-auto-tool-choice": "", "--tool-call-parser": "nonesuch"}
# Problem -> exit code, cause, and a part of the termination message.
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
    "no keys": ({"secrets": {"llama-api-key": {"apiKey": "\n"}}}, 78, "no_key", "contains no API key"),
    "a full disk": ({"small": {"home": "300k"}}, 78, "disk_full", "No space left on device"),
    "no number in a variable": (
        {"env": {"VLLM_CPU_KVCACHE_SPACE": "lots"}},
        1,
        "environment",
        "VLLM_CPU_KVCACHE_SPACE",
    ),
    "cut weights": ({"model": "bad-cut-weights"}, 1, "broken_weights", "incomplete metadata"),
    "too little memory": ({"model": "long", "flags": {"--max-model-len": "1048576"}}, 1, "kv_cache", "KV cache"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_setting_ends_the_start_with_its_reason(rendered: str, version: str, name: str) -> None:
    options, code, cause, reason = BAD[name]
    with broken(rendered, version, size=1, **options) as (pod,):
        found, said, known = ended(pod, START_SECONDS)
        assert (found, known) == (code, cause)
        assert reason in said
