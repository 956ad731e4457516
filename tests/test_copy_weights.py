"""The copy Job's script, as the process that runs in the cluster: a stub of the Hub, and moto's S3 behind HTTP."""

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hub_stub import COMMIT, TOKEN, HubStub, hub_stub

SCRIPT = Path(__file__).parent.parent / "components" / "scripts" / "copy_weights.py"
MIB = 1 << 20
PREFIX = f"org/model/{COMMIT}"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
FILES = {
    FIRST: os.urandom(6 * MIB + 17),
    SECOND: os.urandom(2 * MIB),
    "config.json": b'{"architectures": []}',
    "tokenizer.model": b"tokens",
}
PASSED_OVER = {
    "README.md": b"#",
    "pytorch_model.bin": b"pickle",
    "original/a.safetensors": b"x",
    "consolidated.safetensors": b"y",
}


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of moto's S3 server."""
    from moto.server import ThreadedMotoServer  # loaded only where it is needed: it takes a second

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-west-2")
        patch.delenv("AWS_PROFILE", raising=False)
        server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        yield boto3.client("s3")
        server.stop()


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    name = f"weights-{hashlib.sha1(request.node.name.encode()).hexdigest()[:12]}"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    return name


@pytest.fixture
def hub() -> Iterator[HubStub]:
    with hub_stub({**FILES, **PASSED_OVER}) as stub:
        yield stub


def command(hub: HubStub, bucket: str, *options: str) -> list[str]:
    return [
        *(sys.executable, "-u", str(SCRIPT), "--model", "org/model", "--revision", COMMIT, "--bucket", bucket),
        *("--prefix", PREFIX, "--hub-url", hub.url, "--retry-seconds", "0.01", "--part-mib", "5"),
        *options,
    ]


def run(hub: HubStub, bucket: str, *options: str, **settings: Any) -> tuple[int, list[str]]:
    """Run the script; return its exit status and its lines."""
    done = subprocess.run(command(hub, bucket, *options), capture_output=True, text=True, timeout=60, **settings)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines()


def stored(s3: Any, bucket: str) -> dict[str, bytes]:
    """Return all objects below the prefix, by name."""
    found = s3.list_objects_v2(Bucket=bucket, Prefix=PREFIX).get("Contents", [])
    keys = [entry["Key"] for entry in found]
    return {key.removeprefix(f"{PREFIX}/"): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}


def unfinished(s3: Any, bucket: str) -> list[Any]:
    return s3.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


def test_what_vllm_needs_is_copied_with_its_hashes_and_a_manifest_beside_it(s3: Any, bucket: str, hub: HubStub) -> None:
    code, lines = run(hub, bucket)
    assert (code, stored(s3, bucket)) == (0, FILES)
    assert lines[-1].startswith("done: 4 copied in ")
    assert lines[-1].endswith(f"4 files, 0.0 GB at s3://{bucket}/{PREFIX}")
    assert len([line for line in lines if " of 4 files, " in line]) == 4
    head = s3.head_object(Bucket=bucket, Key=f"{PREFIX}/{FIRST}")
    assert head["Metadata"] == {"sha256": hashlib.sha256(FILES[FIRST]).hexdigest()}
    key = f"manifests/org-model-{COMMIT}.json"
    manifest = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())
    assert (manifest["model"], manifest["revision"]) == ("org/model", COMMIT)
    assert {entry["name"]: entry["size"] for entry in manifest["files"]} == {n: len(d) for n, d in FILES.items()}


def test_a_second_run_copies_nothing(s3: Any, bucket: str, hub: HubStub) -> None:
    run(hub, bucket)
    hub.ranges.clear()
    code, lines = run(hub, bucket)
    assert (code, hub.ranges) == (0, [])
    assert lines[-1] == f"done: all was there already, 4 files, 0.0 GB at s3://{bucket}/{PREFIX}"


def test_a_killed_run_is_gone_on_with_and_leaves_no_parts(s3: Any, bucket: str, hub: HubStub) -> None:
    hub.stop_at = FIRST
    with subprocess.Popen(command(hub, bucket), stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        told = [next(first.stdout) for _ in range(3)]
        assert all(" of 4 files" in line for line in told)
        first.kill()
    assert FIRST not in stored(s3, bucket)
    s3.create_multipart_upload(Bucket=bucket, Key=f"{PREFIX}/{FIRST}")
    hub.stop_at = ""
    hub.ranges.clear()
    code, lines = run(hub, bucket)
    assert (code, stored(s3, bucket), unfinished(s3, bucket)) == (0, FILES, [])
    assert hub.ranges == [(FIRST, None)], "the others were there"
    assert lines[-1].startswith("done: 1 copied in ")


def test_a_cut_connection_goes_on_where_it_was_cut(s3: Any, bucket: str, hub: HubStub) -> None:
    hub.cut_after = {FIRST: [MIB + 5, 0, 3 * MIB]}
    code, _ = run(hub, bucket)
    assert (code, stored(s3, bucket)) == (0, FILES)
    ranges = [asked for name, asked in hub.ranges if name == FIRST]
    assert ranges == [None, f"bytes={MIB + 5}-", f"bytes={MIB + 5}-", f"bytes={4 * MIB + 5}-"]


def test_a_storage_that_knows_no_ranges_is_read_anew_up_to_there(s3: Any, bucket: str, hub: HubStub) -> None:
    hub.ignores_ranges, hub.cut_after = True, {FIRST: [MIB]}
    code, _ = run(hub, bucket)
    assert (code, stored(s3, bucket)) == (0, FILES)


def test_a_connection_that_is_always_cut_fails_with_the_place(s3: Any, bucket: str, hub: HubStub) -> None:
    hub.cut_after = {FIRST: [MIB, 0, 0, 0, 0]}
    code, lines = run(hub, bucket, "--attempts", "3")
    assert (code, FIRST in stored(s3, bucket), unfinished(s3, bucket)) == (1, False, [])
    assert lines[-1] == (
        f"FAILED: {FIRST} breaks off at byte 1,048,576 of 6,291,473 for the 3th time (the connection was cut). "
        "Look at NAT and routes of the private subnets."
    )


def test_a_corrupt_part_is_fetched_again(s3: Any, bucket: str, hub: HubStub) -> None:
    hub.corrupt = {FIRST: 1, "config.json": 0}
    code, lines = run(hub, bucket)
    assert (code, stored(s3, bucket)) == (0, FILES)
    assert f"{FIRST} came with another sha256 than the Hub lists: once more from its beginning" in lines


def test_a_file_that_stays_corrupt_is_never_there(s3: Any, bucket: str, hub: HubStub) -> None:
    hub.corrupt = {FIRST: 99}
    code, lines = run(hub, bucket)
    assert (code, FIRST in stored(s3, bucket), unfinished(s3, bucket)) == (1, False, [])
    assert lines[-1] == (f"FAILED: {FIRST} came with a wrong hash 3 times. Look for a proxy that changes files.")
    assert not s3.list_objects_v2(Bucket=bucket, Prefix="manifests/").get("Contents")


def test_a_full_disk_stops_nothing_because_nothing_is_written(
    s3: Any, bucket: str, hub: HubStub, tmp_path: Path
) -> None:
    def no_file_may_grow() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    env = {**os.environ, "TMPDIR": "/nowhere", "HOME": "/nowhere", "PYTHONDONTWRITEBYTECODE": "1"}
    code, _ = run(hub, bucket, preexec_fn=no_file_may_grow, env=env, cwd=tmp_path)
    assert (code, stored(s3, bucket)) == (0, FILES)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "no token, or not a valid one. Run: pulumi config set --secret huggingFaceToken."),
        (403, "the token's account may not have it. Accept the model's terms on its page."),
        (404, f"there is no revision {COMMIT}, or no such repository. Mend model and revision."),
    ],
)
def test_a_refusal_of_the_hub_is_final_and_says_what_to_do(bucket: str, hub: HubStub, status: int, words: str) -> None:
    hub.api_status = [status]
    assert run(hub, bucket) == (1, [f"FAILED: HTTP {status} of the Hub for org/model: {words}"])


def test_a_busy_hub_is_asked_again(s3: Any, bucket: str, hub: HubStub) -> None:
    hub.api_status = [503, 429]
    assert run(hub, bucket)[0] == 0


def test_a_hub_that_is_not_reached_is_told_of(bucket: str, hub: HubStub) -> None:
    hub.url = "http://127.0.0.1:9"
    code, lines = run(hub, bucket, "--attempts", "2")
    assert (code, lines) == (
        1,
        [
            "FAILED: the Hub at http://127.0.0.1:9 does not answer after 2 tries ([Errno 111] Connection refused). "
            "Look at NAT and routes of the private subnets, or wait for the Hub."
        ],
    )


def test_weights_in_another_form_are_refused_before_anything_is_copied(s3: Any, bucket: str, hub: HubStub) -> None:
    hub.files = {"pytorch_model.bin": b"pickle", "config.json": b"{}"}
    code, lines = run(hub, bucket)
    assert (code, stored(s3, bucket)) == (1, {})
    assert lines[-1] == (
        f"FAILED: org/model has no safetensors at {COMMIT}, and nothing else can be streamed. "
        "Write weights.source: huggingFace."
    )


def test_a_bucket_that_is_gone_is_told_of(s3: Any, hub: HubStub) -> None:
    assert run(hub, "no-such-bucket") == (
        1,
        ["FAILED: there is no bucket no-such-bucket. Run pulumi refresh, then pulumi up."],
    )


def test_the_token_is_for_the_hub_alone_and_is_never_said(bucket: str, hub: HubStub, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    started = time.monotonic()
    code, lines = run(hub, bucket, "--token-file", str(tmp_path / "token"))
    assert code == 0, started
    assert set(hub.hub_tokens) == {f"Bearer {TOKEN}"}
    assert set(hub.storage_tokens) == {None}
    assert TOKEN not in "".join(lines)
