"""The supervisor of a model pod as a process. vLLM is a shell script that behaves like the real one."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.until import until
from vllm_eks.pods import PODS

SCRIPT = PODS / "supervise.py"
# The real script, but with a tick of 50 ms, because it waits two seconds at each end.
HASTY = f"""
import runpy, sys
sys.argv, sys.path[0] = sys.argv[1:], {str(PODS.parents[1])!r}
from vllm_eks.pods import lifecycle
lifecycle.TICK_SECONDS, lifecycle.AFTERMATH_SECONDS = 0.05, 0.2
runpy.run_path(sys.argv[0], run_name="__main__")
"""
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


class Pod:
    """A supervisor and its output."""

    def __init__(self, folder: Path, program: str, *options: str, vllm: tuple[str, ...] = ()) -> None:
        self.message = folder / "termination-log"
        self.message.touch()
        given = {"index": 0, "size": 1, "leader": "127.0.0.1", "port": 9, "start-seconds": 600}
        arguments = [f"--{key}={value}" for key, value in given.items()]
        own = [*arguments, *options, f"--termination-log={self.message}"]
        self.process = subprocess.Popen(
            [sys.executable, "-E", "-S", "-c", HASTY, SCRIPT, *own, "--", "sh", "-c", program, *vllm],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={"PATH": PATH, "HOME": str(folder)},
        )

    def until(self, said: str) -> None:
        """Read its output until a text appears."""
        assert self.process.stdout
        while said not in (line := self.process.stdout.readline()):
            assert line, f"it ended without {said!r}"

    def end(self) -> tuple[int, str]:
        """Return the exit code and the rest of the output."""
        said, _ = self.process.communicate(timeout=50)  # less than the replacement program sleeps
        return self.process.returncode, said


@pytest.mark.parametrize(
    ("program", "code", "reported"),
    [
        ("exit 0", 70, "vLLM ended unexpectedly with exit code 0"),
        ("kill -TERM $$", 70, "vLLM ended unexpectedly with exit code 143"),
        ("kill -KILL $$", 137, "vLLM ended unexpectedly with exit code 137"),
        ("echo 'ValueError: no such model'; exit 1", 1, "exit code 1: ValueError: no such model"),
    ],
)
def test_an_unexpected_end_is_a_failure_with_its_reason(tmp_path: Path, program: str, code: int, reported: str) -> None:
    pod = Pod(tmp_path, program)
    found, said = pod.end()
    assert found == code
    assert reported in pod.message.read_text()
    assert said.endswith(f"{reported} (exit code {code})\n")


def test_vllm_s_output_is_complete_and_in_order(tmp_path: Path) -> None:
    program = "for i in $(seq 3000); do echo out $i; echo err $i >&2; done; sleep 0.05 & exit 3"
    code, said = Pod(tmp_path, program).end()
    assert code == 3
    assert said.splitlines()[:-1] == [f"{word} {i}" for i in range(1, 3001) for word in ("out", "err")]


def test_a_stop_during_the_start_is_quick_although_vllm_ignores_the_signal(tmp_path: Path) -> None:
    pod = Pod(tmp_path, "trap '' TERM; echo deaf; sleep 60 & sleep 60", "--quick-seconds=0.2")
    pod.until("deaf")
    pod.process.terminate()
    code, said = pod.end()
    assert (code, said) == (143, "vllm-eks: vLLM did not stop in time and is killed\n")
    assert pod.message.read_text() == ""


def test_the_leader_has_metrics_before_vllm_answers(tmp_path: Path, port: int) -> None:
    pod = Pod(tmp_path, "echo 'Loading weights took 3 s'; sleep 60", f"--metrics-port={port}", "--quick-seconds=0.2")
    pod.until("Loading weights took")

    def metrics() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            return answer.read().decode()

    # The line is in the log just before the supervisor keeps it.
    until(lambda: 'vllm_eks_startup_phase{phase="load"} 1.0' in metrics())
    assert "vllm_eks_engine_up 0.0" in metrics()
    assert "vllm_eks_startup_budget_seconds 600.0" in metrics()
    pod.process.terminate()
    assert pod.end()[0] in (0, 143)


def test_a_stop_while_serving_lets_vllm_shut_down(tmp_path: Path, port: int) -> None:
    server = f"import socket,time; s=socket.create_server(('127.0.0.1',{port})); s.accept()"
    server += "; print('looked', flush=True); time.sleep(60)"
    program = f"trap 'echo in order; kill $child; exit 0' TERM; {sys.executable} -S -c \"{server}\" & child=$!"
    program += "; wait"
    pod = Pod(tmp_path, program, f"--port={port}")
    pod.until("looked")  # the supervisor checks until it gets one answer
    pod.process.terminate()
    assert pod.end() == (0, "in order\n")


def test_a_start_has_a_budget(tmp_path: Path) -> None:
    pod = Pod(tmp_path, "echo loading; sleep 60", "--start-seconds=0.3")
    code, said = pod.end()
    # On a busy machine the program may not have written its line yet.
    expected = r"vllm-eks: vLLM did not answer within the start budget of 0\.3 s(: loading)? \(exit code 73\)"
    assert code == 73
    assert re.fullmatch(expected, said.splitlines()[-1])


def test_an_incomplete_group_ends_the_wait(tmp_path: Path, port: int) -> None:
    pod = Pod(tmp_path, "echo never", "--size=3", f"--group-port={port}", "--start-seconds=0.3")
    code, said = pod.end()
    assert code == 72
    assert said.endswith("vllm-eks: worker 1, 2 of 2 did not connect within 0.3 s (exit code 72)\n")
    assert "never" not in said


def test_a_pod_that_waits_for_its_group_stops_at_once(tmp_path: Path, port: int) -> None:
    pod = Pod(tmp_path, "echo never", "--size=2", f"--group-port={port}")
    pod.until("waiting for worker 1 of 1")
    pod.process.send_signal(signal.SIGTERM)
    assert pod.end() == (143, "")


def test_a_lost_member_ends_the_others_with_its_reason(tmp_path: Path, port: int) -> None:
    options = ("--size=2", f"--group-port={port}")
    for name in ("leader", "worker"):
        (tmp_path / name).mkdir()
    leader = Pod(tmp_path / "leader", "echo up; sleep 60", *options)
    worker = Pod(tmp_path / "worker", "echo 'RuntimeError: CUDA error'; sleep 0.2; exit 1", "--index=1", *options)
    assert worker.end()[0] == 1
    code, _ = leader.end()
    reported = leader.message.read_text()
    assert code == 71
    assert reported.startswith("worker 1 ended: vLLM ended unexpectedly with exit code 1: RuntimeError: CUDA error")


def test_messages_of_a_supervisor_have_a_known_cause() -> None:
    from vllm_eks.pods.causes import cause_of

    said = {
        "worker 1 is gone: no heartbeat for 60 s": "ranks",
        "the leader is gone: closed the connection": "ranks",
        "worker 1, 2 of 2 did not connect within 2040 s": "ranks",
        "vLLM did not answer within the start budget of 2040 s: INFO Loading weights": "probe_too_short",
        "worker 1 ended: vLLM ended unexpectedly with exit code 1: OutOfMemoryError: CUDA out of memory": "gpu_memory",
        "/home/vllm has 300 KiB free: No space left on device for caches": "disk_full",
    }
    assert {text: (cause := cause_of(f"vllm-eks: {text}")) and cause.code for text in said} == said


def test_errors_before_the_start_are_reported_at_once(tmp_path: Path) -> None:
    pod = Pod(tmp_path, "echo never", vllm=("--middleware", "nosuch.Thing"))
    code, said = pod.end()
    assert code == 78
    assert "never" not in said
    assert "--middleware nosuch.Thing cannot be imported (ModuleNotFoundError: No module named 'nosuch')" in said
    assert pod.message.read_text().startswith("--middleware nosuch.Thing cannot be imported")
