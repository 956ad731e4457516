"""Wait until every group of a model serves the present revision, then ask each of them for one token.

Runs in the chart's hook Job, with Python's standard library alone (3.11 or newer). It reads one
LeaderWorkerSet, its pods and the namespace's events, and writes a line whenever what it sees changes.
Exit status 0: every leader pod of the revision answered, and so did the Service. 1: not in time, or an
answer that waiting cannot mend; the last line names the cause and the command to look with.
"""

from __future__ import annotations

import argparse
import http.client
import json
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from causes import cause_of, masked
from rollout import LWS_LABEL, Sight, judge, warnings_by_uid

API_TIMEOUT_SECONDS = 10
# The first request may still compile something.
ANSWER_TIMEOUT_SECONDS = 120
KEY_SETTLE_SECONDS = 180
"""A changed key reaches pods that run when the kubelet renews the mounted Secret: within a minute or two."""
PASSING_ERRORS = (OSError, ValueError, http.client.HTTPException)
"""What a call may raise without meaning more than: not now. HTTP statuses are OSErrors to urllib."""


class FinalError(Exception):
    """An answer that waiting cannot mend."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the wait and return the process's exit status."""
    options = parse_arguments(arguments)
    if options.replicas == 0:
        print(f"{options.name} is parked: 0 replicas, nothing to wait for.")
        return 0
    began = time.monotonic()
    sight = Sight(line="nothing seen yet")
    asked_since: float | None = None
    crash, log, printed, printed_at = "", "", "", 0.0
    while (elapsed := time.monotonic() - began) < options.timeout_seconds:
        try:
            sight = look(options)
            if sight.leaders:
                asked_since = asked_since if asked_since is not None else elapsed
                settled = elapsed - asked_since >= options.key_settle_seconds
                sight = ask_all(options, sight, until=began + options.timeout_seconds, settled=settled)
        except FinalError as error:
            print(f"FAILED after {elapsed:.0f} s: {error}")
            return 1
        crash = sight.crash or crash
        log = crash_log(options, sight) or log
        if sight.line != printed or elapsed - printed_at >= options.heartbeat_seconds:
            printed, printed_at = sight.line, elapsed
            print(f"[{elapsed:5.0f} s] {sight.line}", flush=True)
        if sight.leaders:
            return 0
        time.sleep(options.poll_seconds)
    print(final_line(options, sight, crash, log))
    return 1


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options; the chart gives those without a default."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--namespace", "--name", "--revision", "--model", "--service-url"):
        parser.add_argument(name, required=True)
    for name in ("--replicas", "--port"):
        parser.add_argument(name, required=True, type=int)
    parser.add_argument("--timeout-seconds", required=True, type=float)
    parser.add_argument("--api-key-file", required=True, type=Path)
    parser.add_argument("--kubernetes-url", default="https://kubernetes.default.svc")
    parser.add_argument("--credentials", type=Path, default=Path("/var/run/secrets/kubernetes.io/serviceaccount"))
    parser.add_argument("--key-settle-seconds", type=float, default=KEY_SETTLE_SECONDS)
    parser.add_argument("--poll-seconds", type=float, default=3)
    parser.add_argument("--heartbeat-seconds", type=float, default=60)
    return parser.parse_args(arguments)


def look(options: argparse.Namespace) -> Sight:
    """Take one look at the LeaderWorkerSet, its pods, and the warnings about them."""
    core = f"/api/v1/namespaces/{options.namespace}"
    group = f"/apis/leaderworkerset.x-k8s.io/v1/namespaces/{options.namespace}/leaderworkersets"
    try:
        lws = get(options, f"{group}/{options.name}")
        pods = get(options, f"{core}/pods?labelSelector={LWS_LABEL}%3D{options.name}")["items"]
        events = get(options, f"{core}/events")["items"]
    except PASSING_ERRORS as error:
        return Sight(line=f"the Kubernetes API does not answer: {error}")
    return judge(
        lws,
        pods,
        warnings_by_uid(events),
        name=options.name,
        revision=options.revision,
        replicas=options.replicas,
    )


def crash_log(options: argparse.Namespace, sight: Sight) -> str:
    """Return the ends of the logs of pods that crashed: vLLM tells the cause far above its last line."""
    ends = []
    for name, before in sight.crashed:
        which = "&previous=true" if before else ""
        path = f"/api/v1/namespaces/{options.namespace}/pods/{name}/log?tailLines=400{which}"
        try:
            with call(options, path) as answer:
                ends.append(answer.read().decode(errors="replace"))
        except PASSING_ERRORS:
            # The group's restart was quicker; the termination message has its last lines.
            continue
    return "\n".join(ends)


def get(options: argparse.Namespace, path: str) -> Any:  # noqa: ANN401  (JSON)
    """Get one path of the Kubernetes API. Raises one of PASSING_ERRORS."""
    with call(options, path) as answer:
        return json.load(answer)


def call(options: argparse.Namespace, path: str) -> http.client.HTTPResponse:
    """Ask the Kubernetes API. Raises one of PASSING_ERRORS."""
    url = options.kubernetes_url + path
    # The token is read each time: the kubelet renews it.
    token = (options.credentials / "token").read_text().strip()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    tls = None
    if url.startswith("https:"):
        tls = ssl.create_default_context(cafile=str(options.credentials / "ca.crt"))
    return urllib.request.urlopen(request, timeout=API_TIMEOUT_SECONDS, context=tls)


def ask_all(options: argparse.Namespace, sight: Sight, *, until: float, settled: bool) -> Sight:
    """Ask each leader pod by its IP, then the Service; without `leaders` when one did not answer."""
    addresses = [(name, f"http://{ip}:{options.port}") for name, ip in sight.leaders]
    for name, url in [*addresses, (f"Service at {options.service_url}", options.service_url)]:
        try:
            seconds = min(ANSWER_TIMEOUT_SECONDS, max(1, until - time.monotonic()))
            ask(options, name, url, timeout_seconds=seconds, settled=settled)
        except PASSING_ERRORS as error:
            line = f"{name} is ready but does not answer: {error}"
            return Sight(line=line, look_with=f"logs {sight.leaders[0][0]}")
    return Sight(
        line=f"ready: {len(addresses)} of {options.replicas} groups answered; {options.service_url}/v1",
        leaders=sight.leaders,
    )


def ask(options: argparse.Namespace, name: str, url: str, *, timeout_seconds: float, settled: bool) -> None:
    """Ask for one token. Raises one of PASSING_ERRORS, or FinalError."""
    body = {"model": options.model, "prompt": "Hello", "max_tokens": 1}
    headers = {
        "Authorization": f"Bearer {options.api_key_file.read_text().strip()}",
        "Content-Type": "application/json",
    }
    request = urllib.request.Request(f"{url}/v1/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:
            if not json.load(answer).get("choices"):
                raise ValueError("an answer without choices")
    except urllib.error.HTTPError as error:
        said = error.read(300).decode(errors="replace")
        if error.code == 401:
            if not settled:
                raise OSError("it refuses the API key (HTTP 401); a changed key takes a minute or two") from error
            raise FinalError(
                f"{name} refuses the API key (HTTP 401), also after {options.key_settle_seconds:g} s. Restart its pods "
                f"with kubectl -n {options.namespace} delete pod -l {LWS_LABEL}={options.name}"
            ) from error
        if 400 <= error.code < 500 and error.code != 429:
            raise FinalError(f"{name} refuses the request (HTTP {error.code}): {said}") from error
        raise OSError(f"HTTP {error.code}: {said}") from error


def final_line(options: argparse.Namespace, sight: Sight, crash: str, log: str) -> str:
    """Return the line for the engineer who reads this at night: the cause, what to do, and where to look."""
    where = f"kubectl -n {options.namespace} {sight.look_with}"
    seen = f"; last crash seen, {crash}" if crash and crash not in sight.line else ""
    cause = cause_of(log, crash, sight.line)
    known = f"; cause: {cause.sentence}" if cause else ""
    text = f"FAILED: not ready after {options.timeout_seconds:g} s: {sight.line}{seen}{known}. Look with: {where}"
    return masked(text)


if __name__ == "__main__":
    sys.exit(main())
