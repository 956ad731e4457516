"""A benchmark in a cluster: its objects, its end, and what remains."""

from typing import Any

import pytest

from tests.fakes.bench_cluster import FakeClock, FakeCluster, JobRun, group
from vllm_eks.bench.load import Load
from vllm_eks.bench.placement import Placement
from vllm_eks.bench.run import BenchmarkError, Run, state_of_pod
from vllm_eks.bench.target import target_of

LOAD = Load(requests_per_second=None, concurrent_users=32, input_tokens=1024, output_tokens=256, requests=256, seed=9)
JOB = "/apis/batch/v1/namespaces/vllm-scout/jobs/scout-bench"
UNSCHEDULED = {
    "phase": "Pending",
    "conditions": [
        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."}
    ],
}
PULLING = {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ContainerCreating"}}}]}
DENIED = {
    "phase": "Pending",
    "containerStatuses": [{"state": {"waiting": {"reason": "ImagePullBackOff", "message": "denied"}}}],
}
RUNNING = {"phase": "Running"}


class Started:
    """A benchmark with a fake cluster and clock."""

    def __init__(self, job: JobRun | None = None) -> None:
        self.cluster = FakeCluster(group(), run=job)
        self.clock = FakeClock()
        self.said: list[str] = []

    def result(self) -> str:
        run = Run(
            cluster=self.cluster,
            target=target_of(group(), "scout", "vllm-scout"),
            load=LOAD,
            placement=Placement(labels={"kubernetes.io/hostname": ("node-a",)}, beside_the_model=False),
            say=self.said.append,
            clock=self.clock,
        )
        return run.result()

    def error(self) -> str:
        with pytest.raises(BenchmarkError) as caught:
            self.result()
        return str(caught.value)


def test_the_result_comes_from_the_log_and_nothing_remains() -> None:
    started = Started(JobRun(pods=(UNSCHEDULED, UNSCHEDULED, PULLING, RUNNING, RUNNING)))

    assert started.result().replace(" ", "").startswith('{"date"')
    assert [one["kind"] for one in started.cluster.created] == ["Job", "NetworkPolicy", "NetworkPolicy"]
    assert started.cluster.deleted == [JOB]
    assert JOB not in started.cluster.objects
    assert started.said == [
        "[   0 s] waiting for a node: 0/3 nodes are available: 3 Insufficient cpu.",
        "[   6 s] pulling the image",
        "[   9 s] running",
    ]


@pytest.mark.parametrize(
    ("job", "said"),
    [
        (
            JobRun(
                end="Failed", reason="BackoffLimitExceeded", log="a\n\nValueError: Endpoint\nkey sk-planted-key-01\n"
            ),
            "vllm bench serve failed. The end of its log:\n  a\n  ValueError: Endpoint\n  key ***",
        ),
        (
            JobRun(end="Failed", reason="DeadlineExceeded"),
            "the benchmark did not end within 60 minutes: use fewer --requests",
        ),
        (JobRun(log="noise\n"), "the benchmark ended, and its log has no result: run it again"),
    ],
    ids=["a failed client", "too slow", "no result"],
)
def test_an_end_without_a_result_is_said_and_nothing_remains(job: JobRun, said: str) -> None:
    started = Started(job)

    assert started.error() == said
    assert started.cluster.deleted == [JOB]


@pytest.mark.parametrize(
    ("pod", "state"),
    [
        (UNSCHEDULED, "waiting for a node: 0/3 nodes are available: 3 Insufficient cpu."),
        (DENIED, "waiting: ImagePullBackOff denied"),
    ],
)
def test_a_client_that_never_starts_does_not_wait_for_the_limit_of_the_job(pod: dict[str, Any], state: str) -> None:
    started = Started(JobRun(pods=(pod,) * 2000))

    assert started.error() == f"the client has not started after 15 minutes: {state}"
    assert 900 < started.clock.now < 910
    assert started.cluster.deleted == [JOB]


def test_a_client_that_runs_may_take_its_hour() -> None:
    started = Started(JobRun(pods=(RUNNING,) * 1000))

    assert started.result()
    assert started.clock.now > 2900


def test_an_interruption_deletes_the_job() -> None:
    started = Started()

    def interrupt(_: float, /) -> None:
        raise KeyboardInterrupt

    started.cluster.run = JobRun(pods=(RUNNING, RUNNING, RUNNING))
    started.clock.sleep = interrupt
    with pytest.raises(KeyboardInterrupt):
        started.result()
    assert started.cluster.deleted == [JOB]


def test_a_running_benchmark_is_left_alone() -> None:
    started = Started(JobRun(pods=(RUNNING,) * 9))
    started.cluster.objects[JOB] = {"kind": "Job", "metadata": {"name": "scout-bench"}}

    assert started.error() == (
        "a benchmark of scout runs already: wait for it, or delete it with kubectl -n vllm-scout delete job scout-bench"
    )
    assert started.cluster.deleted == []


def test_a_finished_benchmark_is_replaced() -> None:
    started = Started(JobRun(pods=()))
    started.cluster.objects[JOB] = {"kind": "Job", "metadata": {"name": "scout-bench"}}

    started.result()
    assert started.cluster.deleted == [JOB, JOB]


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        (
            "Job",
            403,
            "these credentials may not create a Job in vllm-scout: docs/how-to/measure.md lists the required "
            "permissions",
        ),
        ("Job", 500, "the cluster did not create a Job in vllm-scout: HTTP 500 Refused"),
        (
            "NetworkPolicy",
            403,
            "these credentials may not create a NetworkPolicy in vllm-scout: docs/how-to/measure.md lists the required "
            "permissions",
        ),
    ],
)
def test_a_refused_object_is_said(kind: str, status: int, said: str) -> None:
    started = Started()
    started.cluster.refused = {kind: status}

    assert started.error() == said
    assert started.cluster.deleted == ([JOB] if kind == "NetworkPolicy" else [])


def test_a_short_silence_of_the_api_server_is_no_end() -> None:
    started = Started(JobRun(pods=(RUNNING, RUNNING)))
    started.cluster.silent = 5

    assert started.result()
    assert started.clock.now >= 15


def test_a_long_silence_is() -> None:
    started = Started()
    started.cluster.silent = 1000

    assert started.error() == "the Kubernetes API does not answer any more: no answer (connection refused)"


def test_a_job_that_someone_deletes_is_said() -> None:
    started = Started(JobRun(pods=(RUNNING,) * 5))
    sleep = started.clock.sleep

    def deleting(seconds: float, /) -> None:
        sleep(seconds)
        started.cluster.objects.pop(JOB, None)

    started.clock.sleep = deleting
    assert started.error() == "Job scout-bench was deleted before its end"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "starting"),
        (UNSCHEDULED, "waiting for a node: 0/3 nodes are available: 3 Insufficient cpu."),
        (PULLING, "pulling the image"),
        (DENIED, "waiting: ImagePullBackOff denied"),
        (RUNNING, "running"),
        ({"phase": "Succeeded"}, "done"),
    ],
)
def test_the_state_of_the_pod_is_one_line(status: dict[str, Any], state: str) -> None:
    assert state_of_pod({"status": status}) == state
