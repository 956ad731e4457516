"""Runs one benchmark in the cluster: creates its objects, waits, reads the result from the log, and deletes them."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from vllm_eks.bench.command import pod_arguments, pod_command
from vllm_eks.bench.load import Load
from vllm_eks.bench.manifests import RUN_SECONDS, job, job_name, network_policies
from vllm_eks.bench.placement import Placement
from vllm_eks.bench.pod_script import RESULT_MARK
from vllm_eks.bench.target import Target
from vllm_eks.bench.writing_api import ALREADY_EXISTS, NOT_FOUND, WritingApi
from vllm_eks.doctor.api import UnreadableAnswerError
from vllm_eks.json_values import list_or_empty, object_or_empty
from vllm_eks.pods.causes import masked

JOBS, POLICIES = "/apis/batch/v1", "/apis/networking.k8s.io/v1"
POLL_SECONDS = 3.0
START_SECONDS = 900
"""How long the client may wait for a node and its image. The planner gives the image 150 s (engine/startup.py)."""
SILENT_POLLS = 20
"""How many polls in a row may fail before the wait ends: a minute without the API server."""
SHOWN_LINES = 15
FORBIDDEN = 403
STARTED = ("running", "done", "failed")
"""States of a pod whose container has started."""
End = Literal["complete", "failed"]


class BenchmarkError(Exception):
    """The benchmark ended without a result. The text says why."""


class Clock(Protocol):
    """The functions of the module time that are used here."""

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Sleep for some seconds."""
        ...


@dataclass(frozen=True, kw_only=True)
class Run:
    """One benchmark in one cluster."""

    cluster: WritingApi
    target: Target
    load: Load
    placement: Placement
    say: Callable[[str], None]
    """Takes a line for each change of the pod's state."""
    clock: Clock = time
    poll_seconds: float = POLL_SECONDS

    @property
    def _jobs(self) -> str:
        return f"{JOBS}/namespaces/{self.target.namespace}/jobs"

    @property
    def _job(self) -> str:
        return f"{self._jobs}/{job_name(self.target)}"

    def result(self) -> str:
        """Run the benchmark and return vLLM's result, as JSON. Its objects are deleted whatever happens.

        Raises:
            BenchmarkError: The cluster refused an object, the Job failed or ran out of time, or its log has no result.
        """
        created = self._create()
        try:
            self._allow(created)
            if self._wait() == "failed":
                raise BenchmarkError(self._why_failed())
            return self._read_result()
        finally:
            self._delete()

    def _create(self) -> dict[str, object]:
        """Create the Job. A finished one of an earlier run is replaced."""
        wanted = job(
            self.target,
            self.placement,
            command=pod_command(),
            arguments=pod_arguments(self.target, self.load),
        )
        for replaced in (False, True):
            try:
                return self.cluster.create(self._jobs, wanted)
            except UnreadableAnswerError as error:
                if error.status != ALREADY_EXISTS or replaced:
                    raise BenchmarkError(self._refused("a Job", error)) from None
            self._remove_finished()
        raise AssertionError

    def _remove_finished(self) -> None:
        """Delete an earlier Job that has ended.

        Raises:
            BenchmarkError: It still runs, or does not go.
        """
        if _end(self._asked(self._job)) is None:
            raise BenchmarkError(
                f"a benchmark of {self.target.name} runs already: wait for it, or delete it with kubectl -n "
                f"{self.target.namespace} delete job {job_name(self.target)}"
            )
        self._delete()
        began = self.clock.monotonic()
        while self._asked(self._job):
            if self.clock.monotonic() - began > 60:
                raise BenchmarkError(f"Job {job_name(self.target)} of an earlier run is still there after 60 s")
            self.clock.sleep(self.poll_seconds)

    def _allow(self, created: Mapping[str, object]) -> None:
        """Create the network policies, which the Job owns."""
        for policy in network_policies(self.target, object_or_empty(created.get("metadata"))):
            try:
                path = f"{POLICIES}/namespaces/{self.target.namespace}/networkpolicies"
                self.cluster.create(path, policy)
            except UnreadableAnswerError as error:
                raise BenchmarkError(self._refused("a NetworkPolicy", error)) from None

    def _refused(self, what: str, error: UnreadableAnswerError) -> str:
        if error.status == FORBIDDEN:
            return (
                f"these credentials may not create {what} in {self.target.namespace}: docs/how-to/measure.md lists the "
                f"required permissions"
            )
        return f"the cluster did not create {what} in {self.target.namespace}: {error}"

    def _wait(self) -> End:
        """Wait for the Job's end.

        Raises:
            BenchmarkError: The Job is gone, or the API server does not answer.
        """
        began, shown, silent = self.clock.monotonic(), "", 0
        while self.clock.monotonic() - began < RUN_SECONDS + 60:
            try:
                found = self._asked(self._job)
                state = self._state_of_pod()
                silent = 0
            except UnreadableAnswerError as error:
                silent += 1
                if silent >= SILENT_POLLS:
                    raise BenchmarkError(f"the Kubernetes API does not answer any more: {error}") from None
                self.clock.sleep(self.poll_seconds)
                continue
            if not found:
                raise BenchmarkError(f"Job {job_name(self.target)} was deleted before its end")
            if end := _end(found):
                return end
            elapsed = self.clock.monotonic() - began
            if state != shown:
                shown = state
                self.say(f"[{elapsed:4.0f} s] {state}")
            if state not in STARTED and elapsed > START_SECONDS:
                raise BenchmarkError(f"the client has not started after {START_SECONDS // 60} minutes: {state}")
            self.clock.sleep(self.poll_seconds)
        raise BenchmarkError(
            f"Job {job_name(self.target)} has not ended after its limit of {RUN_SECONDS // 60} minutes"
        )

    def _asked(self, path: str) -> dict[str, object]:
        """Return an object, or an empty one if it does not exist."""
        try:
            return self.cluster.object(path)
        except UnreadableAnswerError as error:
            if error.status == NOT_FOUND:
                return {}
            raise

    def _pod(self) -> dict[str, object]:
        """Return the Job's pod, or an empty object."""
        path = f"/api/v1/namespaces/{self.target.namespace}/pods"
        pods = self.cluster.items(path, labelSelector=f"batch.kubernetes.io/job-name={job_name(self.target)}")
        return object_or_empty(pods[-1]) if pods else {}

    def _state_of_pod(self) -> str:
        return state_of_pod(self._pod())

    def _log(self) -> str:
        name = object_or_empty(self._pod().get("metadata")).get("name")
        if name is None:
            return ""
        path = f"/api/v1/namespaces/{self.target.namespace}/pods/{name}/log"
        try:
            return self.cluster.text(path, tailLines=400)
        except UnreadableAnswerError:
            return ""

    def _why_failed(self) -> str:
        conditions = list_or_empty(object_or_empty(self._asked(self._job).get("status")).get("conditions"))
        failed = [one for one in map(object_or_empty, conditions) if one.get("type") == "Failed"]
        if any(one.get("reason") == "DeadlineExceeded" for one in failed):
            return f"the benchmark did not end within {RUN_SECONDS // 60} minutes: use fewer --requests"
        lines = [masked(line) for line in self._log().splitlines() if line.strip()][-SHOWN_LINES:]
        return "\n  ".join(["vllm bench serve failed. The end of its log:", *lines])

    def _read_result(self) -> str:
        for line in reversed(self._log().splitlines()):
            if line.startswith(RESULT_MARK):
                return line.removeprefix(RESULT_MARK)
        raise BenchmarkError("the benchmark ended, and its log has no result: run it again")

    def _delete(self) -> None:
        try:
            self.cluster.delete(self._job)
        except UnreadableAnswerError as error:
            self.say(f"Job {job_name(self.target)} was not deleted ({error}). Kubernetes deletes it after its end")


def state_of_pod(pod: Mapping[str, object]) -> str:
    """Return what a Job's pod does or waits for, as one line."""
    status = object_or_empty(pod.get("status"))
    for condition in map(object_or_empty, list_or_empty(status.get("conditions"))):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return f"waiting for a node: {condition.get('message') or condition.get('reason')}"
    for container in map(object_or_empty, list_or_empty(status.get("containerStatuses"))):
        waiting = object_or_empty(object_or_empty(container.get("state")).get("waiting"))
        if waiting.get("reason") == "ContainerCreating":
            return "pulling the image"
        if waiting:
            return f"waiting: {waiting.get('reason')} {waiting.get('message') or ''}".strip()
    return {"Running": "running", "Succeeded": "done", "Failed": "failed"}.get(str(status.get("phase")), "starting")


def _end(job: Mapping[str, object]) -> End | None:
    """Return how a Job has ended, or None while it runs."""
    for condition in map(object_or_empty, list_or_empty(object_or_empty(job.get("status")).get("conditions"))):
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return "complete" if condition["type"] == "Complete" else "failed"
    return None
