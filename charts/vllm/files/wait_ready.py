"""Waits until every group of a model serves the current revision, then requests one token from each.

Runs in the chart's hook Job with only Python's standard library (3.11 or newer). It reads one LeaderWorkerSet, its
pods, their logs and the namespace's events, and prints a line for each change: the stage of vLLM's start, and what
keeps a pod from running.
Exit status 0: each leader pod of the revision answered, and so did the Service. 1: the time ran out, or a failure is
permanent. The last line has the cause and the command that shows more.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

if __name__ == "__main__":
    # Run as a script: the package is two folders up, both here and in the pod.
    sys.path[0] = str(Path(__file__).absolute().parents[2])

from vllm_eks.pods.causes import cause_of, masked
from vllm_eks.pods.complaints import complaints_by_uid
from vllm_eks.pods.kube_get import TEMPORARY_ERRORS, Kubernetes
from vllm_eks.pods.progress import Planned
from vllm_eks.pods.rollout import LWS_LABEL, RolloutState, judge
from vllm_eks.pods.watch import Api, Watch

# The first request may still compile kernels.
ANSWER_TIMEOUT_SECONDS = 120
KEY_SETTLE_SECONDS = 180
"""The kubelet updates a changed key in running pods within a minute or two."""


class Clock(Protocol):
    """The two functions used of the module time, so that tests can replace it."""

    def monotonic(self) -> float:
        """Return monotonic seconds."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Sleep for some seconds."""
        ...


class FinalError(Exception):
    """A permanent error, which waiting does not resolve."""


def main(arguments: Sequence[str] | None = None, clock: Clock = time, kubernetes: Api | None = None) -> int:
    """Run the wait and return the process's exit status."""
    options = parse_arguments(arguments)
    if options.replicas == 0:
        print(f"{options.name} is parked (0 replicas): there is nothing to wait for.")
        return 0
    kubernetes = kubernetes or Kubernetes(
        url=options.kubernetes_url, credentials=options.credentials, namespace=options.namespace
    )
    watch = Watch(kubernetes, options.planned, options.progress_seconds)
    began = clock.monotonic()
    rollout = RolloutState(line="no answer from Kubernetes yet")
    asked_since: float | None = None
    printed, printed_at = "", 0.0
    while (elapsed := clock.monotonic() - began) < options.timeout_seconds:
        try:
            rollout = look(options, kubernetes)
            if rollout.leaders:
                asked_since = asked_since if asked_since is not None else elapsed
                settled = elapsed - asked_since >= options.key_settle_seconds
                rollout = ask_all(options, rollout, seconds_left=options.timeout_seconds - elapsed, settled=settled)
        except FinalError as error:
            print(f"FAILED after {elapsed:.0f} s: {error}")
            return 1
        over = watch.record(rollout, elapsed)
        if rollout.line != printed or elapsed - printed_at >= options.heartbeat_seconds:
            printed, printed_at = rollout.line, elapsed
            print(f"[{elapsed:5.0f} s] {masked(rollout.line)}", flush=True)
        ready = [name for name, _ in rollout.leaders]
        for line in (*watch.progress(rollout, elapsed), *watch.memory(ready)):
            print(f"[{elapsed:5.0f} s] {masked(line)}", flush=True)
        if rollout.leaders:
            return 0
        if over:
            print(final_line(options, rollout, watch, f"after {elapsed:.0f} s, {over}"))
            return 1
        clock.sleep(options.poll_seconds)
    print(final_line(options, rollout, watch, f"not ready after {options.timeout_seconds:g} s"))
    return 1


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options. The chart sets those without a default."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--namespace", "--name", "--revision", "--model", "--service-url"):
        parser.add_argument(name, required=True)
    for name in ("--replicas", "--port"):
        parser.add_argument(name, required=True, type=int)
    parser.add_argument("--timeout-seconds", required=True, type=float)
    parser.add_argument("--api-key-file", required=True, type=Path)
    parser.add_argument("--planned", type=planned_of, default=Planned(), help="the plan's memory, a JSON object")
    parser.add_argument("--kubernetes-url", default="https://kubernetes.default.svc")
    parser.add_argument("--credentials", type=Path, default=Path("/var/run/secrets/kubernetes.io/serviceaccount"))
    parser.add_argument("--key-settle-seconds", type=float, default=KEY_SETTLE_SECONDS)
    parser.add_argument("--poll-seconds", type=float, default=3)
    parser.add_argument("--heartbeat-seconds", type=float, default=60)
    parser.add_argument("--progress-seconds", type=float, default=30)
    return parser.parse_args(arguments)


def planned_of(text: str) -> Planned:
    """Parse the chart's value `planned`. Raises ValueError."""
    values = json.loads(text)
    # Pulumi may send numbers as floats.
    low, high = (int(values[key]) if key in values else None for key in ("kvCacheTokensLow", "kvCacheTokensHigh"))
    return Planned(weights_gib_high=values.get("weightsGibHigh"), kv_cache_tokens_low=low, kv_cache_tokens_high=high)


def look(options: argparse.Namespace, kubernetes: Api) -> RolloutState:
    """Read the LeaderWorkerSet, its pods and the events, and return the state of the rollout."""
    try:
        lws = kubernetes.leader_worker_set(options.name)
        pods = kubernetes.core(f"pods?labelSelector={LWS_LABEL}%3D{options.name}")["items"]
        events = kubernetes.core("events")["items"]
    except TEMPORARY_ERRORS as error:
        return RolloutState(line=f"the Kubernetes API does not answer: {error}")
    return judge(
        lws,
        pods,
        complaints_by_uid(events),
        name=options.name,
        revision=options.revision,
        replicas=options.replicas,
    )


def ask_all(options: argparse.Namespace, rollout: RolloutState, *, seconds_left: float, settled: bool) -> RolloutState:
    """Request a token from each leader pod and from the Service. `leaders` is empty when one did not answer."""
    addresses = [(name, f"http://{ip}:{options.port}") for name, ip in rollout.leaders]
    for name, url in [*addresses, (f"Service at {options.service_url}", options.service_url)]:
        try:
            seconds = min(ANSWER_TIMEOUT_SECONDS, max(1, seconds_left))
            ask(options, name, url, timeout_seconds=seconds, settled=settled)
        except TEMPORARY_ERRORS as error:
            line = f"{name} is ready but does not answer: {error}"
            return RolloutState(line=line, look_with=f"logs {rollout.leaders[0][0]}")
    return RolloutState(
        line=f"ready: {len(addresses)} of {options.replicas} groups answered; {options.service_url}/v1",
        leaders=rollout.leaders,
    )


def ask(options: argparse.Namespace, name: str, url: str, *, timeout_seconds: float, settled: bool) -> None:
    """Request one token. Raises one of TEMPORARY_ERRORS, or FinalError."""
    body = {"model": options.model, "prompt": "Hello", "max_tokens": 1}
    headers = {
        "Authorization": f"Bearer {options.api_key_file.read_text().strip()}",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
            if not json.load(answer).get("choices"):
                raise ValueError("the response has no choices")
    except urllib.error.HTTPError as error:
        said = error.read(300).decode(errors="replace")
        if error.code == 401:
            if not settled:
                raise OSError("it rejects the API key (HTTP 401); a changed key takes a minute or two") from error
            raise FinalError(
                f"{name} still rejects the API key (HTTP 401) after {options.key_settle_seconds:g} s. Restart its pods "
                f"with kubectl -n {options.namespace} delete pod -l {LWS_LABEL}={options.name}"
            ) from error
        if 400 <= error.code < 500 and error.code != 429:
            raise FinalError(f"{name} rejects the request (HTTP {error.code}): {said}") from error
        raise OSError(f"HTTP {error.code}: {said}") from error


def final_line(options: argparse.Namespace, rollout: RolloutState, watch: Watch, why: str) -> str:
    """Return the last line: the cause, its fix, and the command that shows more."""
    where = f"kubectl -n {options.namespace} {rollout.look_with}"
    crash = watch.last_crash
    seen = f"; last crash: {crash}" if crash and crash not in rollout.line else ""
    cause = cause_of(*watch.texts(), crash, rollout.line)
    known = f"; cause: {cause.sentence}" if cause else ""
    return masked(f"FAILED: {why}: {rollout.line}{seen}{known}. For details run: {where}")


if __name__ == "__main__":
    sys.exit(main())
