"""The copy Job's script, as the process that runs in the cluster: a stub of the Hub, and moto's S3 behind HTTP."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked_script import started
from hub_stub import COMMIT, TOKEN, HubStub, git_hash, hub_stub
from moto_s3 import S3Stub, moto_s3

SCRIPT = Path(__file__).parent.parent / "components" / "scripts" / "copy_weights.py"
MIB = 1 << 20
PREFIX = f"org/model/{COMMIT}"
FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
FILES = {
    FIRST: os.urandom(MIB // 2),
    SECOND: os.urandom(MIB // 4),
    "config.json": b'{"architectures": []}',
    "tokenizer.model": b"tokens",
    "added_tokens.json": b"",
}
IN_PARTS = os.urandom(6 * MIB + 17)
"""A file too large to be sent to S3 at once; each of these costs a tenth of a second."""
LARGE_FILES = {**FILES, FIRST: IN_PARTS}
SECOND_HASH = hashlib.sha256(FILES[SECOND]).hexdigest()
PASSED_OVER = {
    "README.md": b"#",
    "pytorch_model.bin": b"pickle",
    "original/params.json": b"x",
    "metal/model.safetensors": b"y",
    "consolidated.safetensors": b"z",
}
NETWORK = "Look at NAT and routes of the private subnets"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Stub]:
    with moto_s3() as stub:
        yield stub


@pytest.fixture
def bucket(s3: S3Stub, request: pytest.FixtureRequest) -> str:
    return s3.new_bucket(f"weights-{hashlib.sha1(request.node.name.encode()).hexdigest()[:12]}")


@pytest.fixture
def hub() -> Iterator[HubStub]:
    with hub_stub({**FILES, **PASSED_OVER}) as stub:
        yield stub


@pytest.fixture
def large_hub() -> Iterator[HubStub]:
    with hub_stub({**LARGE_FILES, **PASSED_OVER}) as stub:
        yield stub


def arguments(hub: HubStub, bucket: str, *options: str) -> list[str]:
    return [
        *("--model", "org/model", "--revision", COMMIT, "--bucket", bucket, "--prefix", PREFIX),
        *("--hub-url", hub.url, "--retry-seconds", "0.01", "--part-mib", "5", *options),
    ]


def run(hub: HubStub, s3: S3Stub, bucket: str, *options: str, no_disk: bool = False, **env: str) -> tuple[int, Any]:
    """Run the script; return its exit status and its lines."""
    with started(SCRIPT, arguments(hub, bucket, *options), {**s3.env, **env}, no_disk=no_disk) as one:
        lines = one.said.read().splitlines()
        one.process.join(10)
        return one.process.exitcode or 0, lines


def nothing_is_left(s3: S3Stub, bucket: str, name: str) -> bool:
    """Tell that there is neither a file nor a part of one, and no word of a copy that is whole."""
    manifests = s3.objects(bucket, "manifests")
    return name not in s3.objects(bucket, PREFIX) and not s3.unfinished(bucket) and not manifests


# --- it ends well


def test_what_vllm_needs_is_copied_with_its_hashes_and_a_manifest_beside_it(
    s3: S3Stub, bucket: str, large_hub: HubStub
) -> None:
    # S3 answers 403, not 404, to a HEAD of what is not there, where the right to list is for a prefix.
    s3.refuses = lambda method, path: method == "HEAD"
    command = [sys.executable, "-u", str(SCRIPT), *arguments(large_hub, bucket)]
    env = {**s3.env, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=env)
    s3.refuses = lambda method, path: False
    assert (done.returncode, done.stderr, s3.objects(bucket, PREFIX)) == (0, "", LARGE_FILES)
    *told, last = done.stdout.splitlines()
    assert re.fullmatch(rf"done: 5 files, 0\.0 GB in \d+ s at s3://{bucket}/{PREFIX}", last)
    line = re.compile(r"\[ +\d+ s\] (\d) of 5 files, 0\.0 of 0\.0 GB, \d+ MB/s; (.+)")
    found = [line.fullmatch(one) for one in told]
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


def test_a_second_run_copies_nothing_but_what_is_not_the_same(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    run(hub, s3, bucket)
    hub.fetched.clear()
    code, lines = run(hub, s3, bucket)
    assert (code, hub.fetched) == (0, [])
    assert lines[-1] == f"done: all 5 files were there already, 0.0 GB at s3://{bucket}/{PREFIX}"
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
    assert lines[-1].endswith("; 3 of them were there already")


def test_a_killed_run_is_gone_on_with_and_its_parts_are_dropped(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.stop_at = FIRST
    options = arguments(large_hub, bucket, "--progress-seconds", "0.05")
    with started(SCRIPT, options, s3.env, no_disk=False) as first:
        told = [next(first.said) for _ in range(8)]
    assert all(re.match(r"\[ +\d+ s\] \d of 5 files", line) for line in told)
    assert told[-1].endswith("MB/s\n"), "a sign of life of a run that stands still"
    assert FIRST not in s3.objects(bucket, PREFIX)
    s3.client.create_multipart_upload(Bucket=bucket, Key=f"{PREFIX}/{FIRST}")
    s3.client.create_multipart_upload(Bucket=bucket, Key="another/model")
    large_hub.stop_at = ""
    large_hub.fetched.clear()
    code, lines = run(large_hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, LARGE_FILES)
    assert [one["Key"] for one in s3.unfinished(bucket)] == ["another/model"]
    assert large_hub.fetched == [(FIRST, None)], "the others were there"
    assert re.fullmatch(r"done: 5 files, .+; 4 of them were there already", lines[-1])


def test_a_run_that_is_told_to_stop_drops_its_parts(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.slow_from = {FIRST: 5 * MIB + 1000}
    with started(SCRIPT, arguments(large_hub, bucket), s3.env, no_disk=False) as one:
        while not s3.unfinished(bucket):
            time.sleep(0.01)
        os.kill(one.process.pid or 0, signal.SIGTERM)
        last = one.said.read().splitlines()[-1]
        one.process.join(10)
        assert one.process.exitcode == 1
    assert last == (
        "FAILED: it was told to stop, perhaps since its time was over. Run pulumi up: it goes on where it stopped."
    )
    assert nothing_is_left(s3, bucket, FIRST)


def test_a_full_disk_stops_nothing_because_nothing_is_written(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    code, lines = run(large_hub, s3, bucket, no_disk=True, TMPDIR="/nowhere")
    assert (code, s3.objects(bucket, PREFIX)) == (0, LARGE_FILES), lines


# --- the network


def test_a_cut_connection_goes_on_where_it_was_cut(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.cut_after = {FIRST: [MIB + 5, 0, 3 * MIB]}
    # Three cuts, but never three in a row.
    code, lines = run(large_hub, s3, bucket, "--attempts", "3")
    assert (code, s3.objects(bucket, PREFIX)) == (0, LARGE_FILES)
    ranges = [asked for name, asked in large_hub.fetched if name == FIRST]
    assert ranges == [None, f"bytes={MIB + 5}-", f"bytes={MIB + 5}-", f"bytes={4 * MIB + 5}-"]
    assert f"{FIRST} breaks off at byte 1,048,581 of 6,291,473: once more in 0 s" in lines


@pytest.mark.parametrize("ranges", ["ignored", "wrong"])
def test_an_answer_from_another_byte_than_asked_for_does_no_harm(
    s3: S3Stub, bucket: str, hub: HubStub, ranges: str
) -> None:
    hub.ranges, hub.cut_after = ranges, {FIRST: [MIB // 4]}
    code, lines = run(hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, FILES)
    assert not [line for line in lines if "from its beginning" in line]


def test_a_connection_that_is_always_cut_fails_with_the_place(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.cut_after = {FIRST: [5 * MIB + MIB // 2, 0, 0, 0, 0]}
    code, lines = run(large_hub, s3, bucket, "--attempts", "3")
    assert (code, nothing_is_left(s3, bucket, FIRST)) == (1, True)
    assert lines[-1] == (
        f"FAILED: {FIRST} breaks off at byte 5,767,168 of 6,291,473, 3 times in a row (the connection was cut). "
        f"{NETWORK}."
    )


def test_a_busy_hub_and_its_storage_are_asked_again(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.api_status, hub.status = [503, 429], {FIRST: [503, 500, 403], "config.json": [503]}
    code, lines = run(hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, FILES)
    assert lines[:2] == [f"HTTP {status} of {hub.url}: once more in 0 s" for status in (503, 429)]
    assert f"HTTP 403 of {hub.storage_url}: once more in 0 s" in lines


def test_the_hub_says_how_long_to_wait_within_limits(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.api_status, hub.retry_after = [429], "1000"
    with started(SCRIPT, arguments(hub, bucket), s3.env, no_disk=False) as one:
        assert next(one.said) == f"HTTP 429 of {hub.url}: once more in 60 s\n"


def test_a_list_that_breaks_off_is_asked_for_again(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.api_says = [b'{"siblings": ']
    code, lines = run(hub, s3, bucket)
    assert (code, lines[0]) == (0, "IncompleteRead(13 bytes read, 1 more expected): once more in 0 s")


def test_a_hub_that_is_not_reached_is_told_of(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.url = "http://127.0.0.1:9"
    code, lines = run(hub, s3, bucket, "--attempts", "2")
    assert (code, lines[-1]) == (
        1,
        "FAILED: the Hub at http://127.0.0.1:9 does not answer after 2 tries ([Errno 111] Connection refused). "
        f"{NETWORK}, or wait for the Hub.",
    )


# --- what came is not what was promised


def test_a_corrupt_file_is_fetched_again_from_its_beginning(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.corrupt = {FIRST: 2, "config.json": 1}
    hub.files[FIRST] = bytes(20 * MIB)
    code, lines = run(hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, {**FILES, FIRST: hub.files[FIRST]})
    assert " 5 of 5 files, 0.0 of 0.0 GB, " in lines[-2], "60 MiB came, 20 of them are done"
    assert lines.count(f"{FIRST} came with another sha256 than the Hub lists: once more from its beginning") == 2
    assert lines.count("config.json came with another git-sha1 than the Hub lists: once more from its beginning") == 1


@pytest.mark.parametrize(("name", "hash_name"), [(FIRST, "sha256"), ("config.json", "git-sha1")])
def test_a_file_that_stays_corrupt_is_never_there(
    s3: S3Stub, bucket: str, large_hub: HubStub, name: str, hash_name: str
) -> None:
    large_hub.corrupt = {name: 99}
    code, lines = run(large_hub, s3, bucket)
    assert (code, nothing_is_left(s3, bucket, name)) == (1, True)
    assert [asked for asked, _ in large_hub.fetched if asked == name] == [name] * 3
    assert lines[-1] == (
        f"FAILED: {name} came with another {hash_name} than the Hub lists, 3 times. "
        "Look for a proxy that changes files."
    )


def test_a_file_that_is_shorter_than_listed_is_never_there(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.listed_sizes = {"config.json": 30}
    code, lines = run(hub, s3, bucket)
    assert (code, nothing_is_left(s3, bucket, "config.json")) == (1, True)
    assert lines[-1] == (
        "FAILED: a file of org/model is shorter than the Hub lists, 3 times. Look for a proxy that changes files."
    )


def test_the_first_failure_stops_the_others_soon(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.slow_from, large_hub.status = {FIRST: 5 * MIB + 1000}, {"tokenizer.model": [404]}
    large_hub.files[FIRST] = os.urandom(40 * MIB)
    large_hub.files[SECOND] = os.urandom(2 * MIB)
    began = time.monotonic()
    code, lines = run(large_hub, s3, bucket, "--parallel", "2")
    assert time.monotonic() - began < 5, "at its pace it takes 20 s"
    assert (code, nothing_is_left(s3, bucket, FIRST)) == (1, True)
    assert lines[-1].startswith("FAILED: HTTP 404 of the Hub for org/model: ")


# --- refusals


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            401,
            "it needs a token, or there is no such repository. Run: pulumi config set --secret huggingFaceToken.",
        ),
        (403, "the token's account may not have it. Accept the model's terms on its page."),
        (404, f"there is no revision {COMMIT}, or no such repository. Mend model and revision."),
    ],
)
def test_a_refusal_of_the_hub_is_final_and_says_what_to_do(
    s3: S3Stub, bucket: str, hub: HubStub, status: int, words: str
) -> None:
    hub.api_status = [status]
    assert run(hub, s3, bucket) == (1, [f"FAILED: HTTP {status} of the Hub for org/model: {words}"])


def test_the_token_is_for_the_hub_alone_and_is_never_said(
    s3: S3Stub, bucket: str, hub: HubStub, tmp_path: Path
) -> None:
    hub.needs_token = True
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    hub.status = {FIRST: [503]}
    code, lines = run(hub, s3, bucket, "--token-file", str(tmp_path / "token"))
    assert (code, s3.objects(bucket, PREFIX)) == (0, FILES)
    assert set(hub.hub_tokens) == {f"Bearer {TOKEN}"}, "also where the Hub sends on to itself"
    assert set(hub.storage_tokens) == {None}
    assert TOKEN not in "".join(lines)


def test_a_wrong_token_is_told_of(s3: S3Stub, bucket: str, hub: HubStub, tmp_path: Path) -> None:
    hub.needs_token = True
    (tmp_path / "token").write_text("hf_another")
    code, lines = run(hub, s3, bucket, "--token-file", str(tmp_path / "token"))
    assert (code, len(lines)) == (1, 1)
    assert lines[0].startswith("FAILED: HTTP 401 of the Hub for org/model: the token is not valid, or ")


@pytest.mark.parametrize("content", ["", f"{TOKEN}\r\nX: y", f"{TOKEN}\u00e9"])
def test_a_token_that_cannot_be_sent_is_not_shown(
    s3: S3Stub, bucket: str, hub: HubStub, tmp_path: Path, content: str
) -> None:
    token = tmp_path / "token"
    token.write_text(content)
    said = f"FAILED: the token in {token} is empty, or has characters that no token has. "
    assert run(hub, s3, bucket, "--token-file", str(token)) == (
        1,
        [f"{said}Run: pulumi config set --secret huggingFaceToken."],
    )


def test_weights_in_another_form_are_refused_before_anything_is_copied(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.files = {"pytorch_model.bin": b"pickle", "config.json": b"{}"}
    assert run(hub, s3, bucket) == (
        1,
        [
            f"FAILED: org/model has no safetensors at {COMMIT}, and nothing else can be streamed. "
            "Write weights.source: huggingFace."
        ],
    )
    assert s3.objects(bucket, PREFIX) == {}


def test_a_repository_with_mistral_s_form_alone_keeps_it(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.files = {"consolidated.safetensors": b"weights", "params.json": b"{}"}
    code, _ = run(hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, hub.files)


# --- S3


def test_a_bucket_that_is_gone_is_told_of(s3: S3Stub, hub: HubStub) -> None:
    assert run(hub, s3, "no-such-bucket") == (
        1,
        ["FAILED: there is no bucket no-such-bucket. Run pulumi refresh, then pulumi up."],
    )


def test_what_changes_in_the_bucket_meanwhile_is_noticed(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    def lose(method: str, path: str) -> bool:
        if method == "PUT" and path.startswith(f"/{bucket}/{PREFIX}/tokenizer.model"):
            s3.client.delete_object(Bucket=bucket, Key=f"{PREFIX}/config.json")
        return False

    s3.refuses = lose
    code, lines = run(hub, s3, bucket, "--parallel", "1")
    assert (code, nothing_is_left(s3, bucket, "config.json")) == (1, True)
    assert lines[-1] == "FAILED: config.json changed in the bucket meanwhile. Run it again."


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_role_that_may_not_list_or_write_is_named(s3: S3Stub, bucket: str, large_hub: HubStub, method: str) -> None:
    s3.refuses = lambda asked, path: asked == method and "?uploads&" not in path
    code, lines = run(large_hub, s3, bucket)
    s3.refuses = lambda asked, path: False
    assert (code, nothing_is_left(s3, bucket, FIRST)) == (1, True)
    assert lines[-1] == (
        f"FAILED: S3 refuses access to s3://{bucket} (AccessDenied). The Job's Pod Identity role, *-write-role, is "
        "missing or lacks a right: run pulumi up."
    )


def test_a_role_that_may_not_look_for_unfinished_uploads_copies_all_the_same(
    s3: S3Stub, bucket: str, hub: HubStub
) -> None:
    s3.refuses = lambda method, path: method == "GET" and "uploads" in path
    code, lines = run(hub, s3, bucket)
    s3.refuses = lambda method, path: False
    assert (code, s3.objects(bucket, PREFIX)) == (0, FILES)
    assert lines[0] == "the role may not look for uploads that an earlier run left unfinished: they stay"


def test_a_pod_without_credentials_is_told_of(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    assert run(hub, s3, bucket, AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="") == (
        1,
        [
            "FAILED: the pod has no AWS credentials. Its Pod Identity association is missing, or the add-on "
            "eks-pod-identity-agent does not run on its node: run pulumi up."
        ],
    )
