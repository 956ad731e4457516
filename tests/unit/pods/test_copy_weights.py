"""The copy Job's script as a process, with a stub of the Hub and moto's S3 over HTTP."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.forked_script import Running, started
from tests.fakes.hub_stub import COMMIT, HubStub, git_hash
from tests.fakes.moto_s3 import S3Stub
from tests.support.copy_runs import (
    FILES,
    FIRST,
    LARGE_FILES,
    MIB,
    PREFIX,
    SCRIPT,
    SECOND,
    SECOND_HASH,
    STOPPED,
    arguments,
    nothing_is_left,
    run,
)
from tests.support.until import LIMIT_SECONDS, until

pytestmark = pytest.mark.emulated_aws


# --- success


def test_required_files_are_copied_with_hashes_and_a_manifest(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    # S3 answers 403 instead of 404 to a HEAD of a missing object, if the list permission is only for a prefix.
    s3.refuses = lambda method, path: method == "HEAD"
    command = [sys.executable, "-u", str(SCRIPT), *arguments(large_hub, bucket)]
    env = {**s3.env, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    s3.refuses = lambda method, path: False
    assert (done.returncode, done.stderr, s3.objects(bucket, PREFIX)) == (0, "", LARGE_FILES)
    *reported, last = done.stdout.splitlines()
    assert re.fullmatch(rf"done: 5 files, 0\.0 GB in \d+ s at s3://{bucket}/{PREFIX}", last)
    line = re.compile(r"\[ +\d+ s\] (\d) of 5 files, 0\.0 of 0\.0 GB, \d+ MB/s; (.+)")
    found = [line.fullmatch(one) for one in reported]
    assert [one and one[1] for one in found] == ["1", "2", "3", "4", "5"]
    assert {one and one[2] for one in found} == set(LARGE_FILES)
    digests = {
        name: {"sha256": hashlib.sha256(data).hexdigest()}
        if name.endswith(".safetensors")
        else {"git-sha1": git_hash(data)}
        for name, data in LARGE_FILES.items()
    }
    heads = {
        name: s3.client.head_object(Bucket=bucket, Key=f"{PREFIX}/{name}", ChecksumMode="ENABLED")
        for name in LARGE_FILES
    }
    assert all("ChecksumSHA256" in head for head in heads.values()), "S3 checked what it was sent"
    assert {name: head["Metadata"] for name, head in heads.items()} == digests
    manifest = json.loads(s3.objects(bucket, "manifests")[f"org-model-{COMMIT}.json"])
    files = {entry.pop("name"): entry for entry in manifest.pop("files")}
    assert files == {name: {"size": len(data), **digests[name]} for name, data in LARGE_FILES.items()}
    total = sum(map(len, LARGE_FILES.values()))
    assert manifest == {"model": "org/model", "revision": COMMIT, "total_bytes": total}


def test_a_second_run_copies_only_different_files(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    run(hub, s3, bucket)
    hub.fetched.clear()
    code, lines = run(hub, s3, bucket)
    assert (code, hub.fetched) == (0, [])
    assert lines[-1] == f"done: all 5 files exist already, 0.0 GB at s3://{bucket}/{PREFIX}"
    same_size = b"x" * len(FILES["config.json"])
    s3.client.put_object(Bucket=bucket, Key=f"{PREFIX}/config.json", Body=same_size)
    s3.client.put_object(
        Bucket=bucket,
        Key=f"{PREFIX}/{SECOND}",
        Body=b"half",
        Metadata={"sha256": SECOND_HASH},
    )
    code, lines = run(hub, s3, bucket)
    assert (code, sorted(hub.fetched)) == (0, [("config.json", None), (SECOND, None)])
    assert s3.objects(bucket, PREFIX) == FILES
    assert lines[-1].endswith("; 3 of them existed already")


def test_a_killed_run_is_resumed_and_its_uploads_are_aborted(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.stall_after = {FIRST: [3 * MIB]}
    options = arguments(large_hub, bucket, "--progress-seconds", "0.05")
    with started(SCRIPT, options, s3.env, no_disk=False) as first:
        # A line for each of four files, and then regular progress lines of a run that makes no progress.
        reported = [next(first.said)]
        while not (reported[-1].endswith("MB/s\n") and reported[-1].split("] ")[1].startswith("4 of 5 files")):
            reported.append(next(first.said))
    assert all(re.match(r"\[ +\d+ s\] \d of 5 files", line) for line in reported)
    assert FIRST not in s3.objects(bucket, PREFIX)
    s3.client.create_multipart_upload(Bucket=bucket, Key=f"{PREFIX}/{FIRST}")
    s3.client.create_multipart_upload(Bucket=bucket, Key="another/model")
    large_hub.fetched.clear()
    code, lines = run(large_hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, LARGE_FILES)
    assert [one["Key"] for one in s3.unfinished(bucket)] == ["another/model"]
    assert large_hub.fetched == [(FIRST, None)], "the others were there"
    assert re.fullmatch(r"done: 5 files, .+; 4 of them existed already", lines[-1])


def ending(running: Running) -> tuple[int | None, str]:
    """Send SIGTERM, and return the exit status and the last line."""
    os.kill(running.process.pid or 0, signal.SIGTERM)
    running.process.join(LIMIT_SECONDS)
    code = running.process.exitcode
    running.process.kill()
    return code, running.said.read().splitlines()[-1]


def test_a_stopped_run_aborts_its_uploads(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.slow_from = {FIRST: 5 * MIB + 1000}
    with started(SCRIPT, arguments(large_hub, bucket), s3.env, no_disk=False) as one:
        until(lambda: bool(s3.unfinished(bucket)))
        assert ending(one) == (1, STOPPED)
    assert nothing_is_left(s3, bucket, FIRST)


def test_a_run_that_waits_for_the_hub_aborts_its_uploads_too(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.stall_after = {FIRST: [5 * MIB + 1000]}
    with started(SCRIPT, arguments(large_hub, bucket, "--stop-seconds", "0.2"), s3.env, no_disk=False) as one:
        until(lambda: bool(s3.unfinished(bucket)))
        assert ending(one) == (1, STOPPED)
    assert nothing_is_left(s3, bucket, FIRST)


def test_a_failed_run_aborts_the_upload_of_a_stalled_file(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.stall_after = {FIRST: [5 * MIB + 1000]}

    def refuse_second(method: str, path: str) -> bool:
        is_second = method == "PUT" and path.startswith(f"/{bucket}/{PREFIX}/{SECOND}?")
        if is_second:
            until(lambda: bool(s3.unfinished(bucket)))
        return is_second

    s3.refuses = refuse_second
    code, lines = run(large_hub, s3, bucket, "--stop-seconds", "0.2")
    assert (code, nothing_is_left(s3, bucket, FIRST)) == (1, True)
    assert lines[-1].startswith(f"FAILED: S3 refuses access to s3://{bucket} (AccessDenied). ")


@contextmanager
def hanging(s3: S3Stub, words: str) -> Iterator[threading.Event]:
    """Let S3 hang at requests with these words, until the block ends. The event is set at the first one."""
    asked, released = threading.Event(), threading.Event()

    def hang(method: str, path: str) -> bool:
        if words not in path:
            return False
        asked.set()
        return released.wait()

    s3.refuses = hang
    try:
        yield asked
    finally:
        s3.refuses = lambda method, path: False
        released.set()


def test_a_stopped_run_does_not_repeat_a_request_that_hangs(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    options = arguments(hub, bucket, "--end-seconds", "3600")
    with hanging(s3, bucket) as asked, started(SCRIPT, options, s3.env, no_disk=False) as one:
        until(asked.is_set)
        assert ending(one) == (1, STOPPED)


def test_a_stopped_run_ends_in_time_even_if_s3_hangs(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.stall_after = {FIRST: [5 * MIB + 1000]}
    options = arguments(large_hub, bucket, "--stop-seconds", "0.2", "--end-seconds", "1")
    with started(SCRIPT, options, s3.env, no_disk=False) as one:
        until(lambda: bool(s3.unfinished(bucket)))
        with hanging(s3, f"{bucket}?uploads"):
            assert ending(one) == (1, STOPPED)


def test_a_full_disk_does_not_affect_the_copy(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    code, lines = run(large_hub, s3, bucket, no_disk=True, TMPDIR="/nowhere")
    assert (code, s3.objects(bucket, PREFIX)) == (0, LARGE_FILES), lines


# --- S3


def test_a_missing_bucket_is_reported(s3: S3Stub, hub: HubStub) -> None:
    assert run(hub, s3, "no-such-bucket") == (
        3,
        ["FAILED: there is no bucket no-such-bucket: run pulumi refresh, then pulumi up."],
    )


def test_changes_in_the_bucket_during_the_copy_are_detected(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    def lose(method: str, path: str) -> bool:
        if method == "PUT" and path.startswith(f"/{bucket}/{PREFIX}/tokenizer.model"):
            s3.client.delete_object(Bucket=bucket, Key=f"{PREFIX}/config.json")
        return False

    s3.refuses = lose
    code, lines = run(hub, s3, bucket, "--parallel", "1")
    assert (code, nothing_is_left(s3, bucket, "config.json")) == (1, True)
    assert lines[-1] == "FAILED: config.json changed in the bucket during the copy: run pulumi up again."


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_role_that_may_not_list_or_write_is_named(s3: S3Stub, bucket: str, large_hub: HubStub, method: str) -> None:
    s3.refuses = lambda asked, path: asked == method and "?uploads&" not in path
    code, lines = run(large_hub, s3, bucket)
    s3.refuses = lambda asked, path: False
    assert (code, nothing_is_left(s3, bucket, FIRST)) == (1, True)
    assert lines[-1] == (
        f"FAILED: S3 refuses access to s3://{bucket} (AccessDenied). The Job's Pod Identity role, *-write-role, is "
        "missing or lacks a permission: run pulumi up."
    )


def test_a_role_that_cannot_list_unfinished_uploads_still_copies(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    s3.refuses = lambda method, path: method == "GET" and "uploads" in path
    code, lines = run(hub, s3, bucket)
    s3.refuses = lambda method, path: False
    assert (code, s3.objects(bucket, PREFIX)) == (0, FILES)
    assert lines[0] == "unfinished uploads were not deleted: the role may not list them"


def test_a_pod_without_credentials_is_reported(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    assert run(hub, s3, bucket, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="") == (
        1,
        [
            "FAILED: the pod has no AWS credentials. Its Pod Identity association is missing, or the add-on "
            "eks-pod-identity-agent does not run on its node: run pulumi up."
        ],
    )
