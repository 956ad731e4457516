"""Kills for host memory are distinguished from other kills by the kernel's own count."""

import subprocess
import sys
from pathlib import Path

import pytest

from vllm_eks.pods.causes import cause_of
from vllm_eks.pods.crashes import crash_text
from vllm_eks.pods.memory_kills import killed_since, memory_kills

V2 = "low 0\nhigh 0\nmax 214\noom {kills}\noom_kill {kills}\noom_group_kill 0\n"
V1 = "oom_kill_disable 0\nunder_oom 0\noom_kill {kills}\n"


@pytest.mark.parametrize("events", [V2, V1])
def test_only_kills_since_the_start_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: str) -> None:
    file = tmp_path / "events"
    monkeypatch.setattr("vllm_eks.pods.memory_kills.EVENTS", (tmp_path / "none", file))
    assert memory_kills() == 0
    file.write_text(events.format(kills=3))
    before = memory_kills()
    assert (before, killed_since(before)) == (3, "")
    file.write_text(events.format(kills=4))
    reported = "the kernel killed a process of this container for host memory"
    assert killed_since(before) == reported
    file.write_text(events.format(kills=5))
    assert killed_since(before) == reported.replace("a process", "2 processes")


@pytest.mark.parametrize(("counts", "cause"), [(True, "host_memory"), (False, "killed")])
def test_the_supervisor_reports_the_kind_of_kill(tmp_path: Path, counts: bool, cause: str) -> None:
    events, message = tmp_path / "events", tmp_path / "message"
    message.touch()
    events.write_text(V2.format(kills=1))
    run = (
        "import pathlib, sys\nfrom vllm_eks.pods import memory_kills, supervise\n"
        "memory_kills.EVENTS = (pathlib.Path(sys.argv[1]),)\n"
        "sys.exit(supervise.main(sys.argv[2:]))"
    )
    own = ["--index=0", "--size=1", "--leader=l", "--port=9", "--start-seconds=30", f"--termination-log={message}"]
    vllm = f"{f'echo oom_kill 2 > {events}; ' if counts else ''}kill -KILL $$"
    ran = [sys.executable, "-c", run, str(events), *own, "--", "sh", "-c", vllm]
    code = subprocess.run(ran, capture_output=True, check=False).returncode
    ended = {"exitCode": code, "reason": "Error", "message": message.read_text()}
    status = {"containerStatuses": [{"name": "vllm", "state": {"terminated": ended}}]}
    found = cause_of(crash_text({"metadata": {"name": "p"}, "status": status}, ""))
    assert code == 137
    assert found is not None
    assert found.code == cause
