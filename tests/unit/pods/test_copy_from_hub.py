"""The copy Job's script with the Hub: lost connections, wrong bytes, refusals, and the token."""

import os
from pathlib import Path

import pytest

from tests.fakes.forked_script import started
from tests.fakes.hub_stub import COMMIT, TOKEN, HubStub
from tests.fakes.moto_s3 import S3Stub
from tests.support.copy_runs import (
    FILES,
    FIRST,
    LARGE_FILES,
    MIB,
    NETWORK,
    PREFIX,
    SCRIPT,
    SECOND,
    arguments,
    nothing_is_left,
    run,
)

pytestmark = pytest.mark.emulated_aws


# --- the network


def test_a_lost_connection_resumes(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.cut_after = {FIRST: [MIB + 5, 0, 3 * MIB]}
    # Three lost connections, but never three in a row.
    code, lines = run(large_hub, s3, bucket, "--attempts", "3")
    assert (code, s3.objects(bucket, PREFIX)) == (0, LARGE_FILES)
    ranges = [asked for name, asked in large_hub.fetched if name == FIRST]
    assert ranges == [None, f"bytes={MIB + 5}-", f"bytes={MIB + 5}-", f"bytes={4 * MIB + 5}-"]
    assert f"{FIRST} stopped at byte 1,048,581 of 6,291,473: retry in 0 s" in lines


def test_a_stalled_connection_is_opened_again(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.stall_after = {FIRST: [2 * MIB], "config.json": [0]}
    code, lines = run(large_hub, s3, bucket, "--timeout-seconds", "1")
    assert (code, s3.objects(bucket, PREFIX)) == (0, LARGE_FILES)
    assert any(line.startswith(f"{FIRST} stopped at byte ") for line in lines)


@pytest.mark.parametrize("ranges", ["ignored", "wrong"])
def test_a_response_with_another_range_is_harmless(s3: S3Stub, bucket: str, hub: HubStub, ranges: str) -> None:
    hub.ranges, hub.cut_after = ranges, {FIRST: [MIB // 4]}
    code, lines = run(hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, FILES)
    assert not [line for line in lines if "from its beginning" in line]


def test_a_repeatedly_lost_connection_fails_with_the_position(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.cut_after = {FIRST: [5 * MIB + MIB // 2, 0, 0, 0, 0]}
    code, lines = run(large_hub, s3, bucket, "--attempts", "3")
    assert (code, nothing_is_left(s3, bucket, FIRST)) == (1, True)
    assert lines[-1] == (
        f"FAILED: {FIRST} stopped at byte 5,767,168 of 6,291,473, 3 times in a row (the connection was lost). "
        f"{NETWORK}."
    )


def test_a_busy_hub_and_its_storage_are_retried(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.api_status, hub.status = [503, 429], {FIRST: [503, 500, 403], "config.json": [503]}
    code, lines = run(hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, FILES)
    assert lines[:2] == [f"HTTP {status} from {hub.url}: retry in 0 s" for status in (503, 429)]
    assert f"HTTP 403 from {hub.storage_url}: retry in 0 s" in lines


def test_the_hub_says_how_long_to_wait_within_limits(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.api_status, hub.retry_after = [429], "1000"
    with started(SCRIPT, arguments(hub, bucket), s3.env, no_disk=False) as one:
        assert next(one.said) == f"HTTP 429 from {hub.url}: retry in 60 s\n"


def test_a_truncated_list_is_requested_again(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.api_says = [b'{"siblings": ']
    code, lines = run(hub, s3, bucket)
    assert (code, lines[0]) == (0, "IncompleteRead(13 bytes read, 1 more expected): retry in 0 s")


def test_an_unreachable_hub_is_reported(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.url = "http://127.0.0.1:9"
    code, lines = run(hub, s3, bucket, "--attempts", "2")
    assert (code, lines[-1]) == (
        1,
        "FAILED: the Hub at http://127.0.0.1:9 does not answer after 2 attempts ([Errno 111] Connection refused). "
        f"{NETWORK}, or wait for the Hub.",
    )


# --- corrupt files


def test_a_corrupt_file_is_downloaded_again(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.corrupt = {FIRST: 2, "config.json": 1}
    hub.files[FIRST] = bytes(20 * MIB)
    code, lines = run(hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, {**FILES, FIRST: hub.files[FIRST]})
    assert " 5 of 5 files, 0.0 of 0.0 GB, " in lines[-2], "60 MiB came, 20 of them are done"
    assert lines.count(f"the sha256 of {FIRST} differs from the Hub's: retry from its start") == 2
    assert lines.count("the git-sha1 of config.json differs from the Hub's: retry from its start") == 1


@pytest.mark.parametrize(("name", "hash_name"), [(FIRST, "sha256"), ("config.json", "git-sha1")])
def test_a_corrupt_file_is_never_stored(s3: S3Stub, bucket: str, large_hub: HubStub, name: str, hash_name: str) -> None:
    large_hub.corrupt = {name: 99}
    code, lines = run(large_hub, s3, bucket)
    assert (code, nothing_is_left(s3, bucket, name)) == (1, True)
    assert [asked for asked, _ in large_hub.fetched if asked == name] == [name] * 3
    assert lines[-1] == (
        f"FAILED: the {hash_name} of {name} differs from the Hub's, 3 times. Check for a proxy that changes files."
    )


def test_a_truncated_file_is_never_stored(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.listed_sizes = {"config.json": 30}
    code, lines = run(hub, s3, bucket)
    assert (code, nothing_is_left(s3, bucket, "config.json")) == (1, True)
    assert lines[-1] == (
        "FAILED: a file of org/model is shorter than the Hub lists, 3 times. Check for a proxy that changes files."
    )


def test_the_first_failure_stops_the_others_soon(s3: S3Stub, bucket: str, large_hub: HubStub) -> None:
    large_hub.slow_from, large_hub.status = {FIRST: 5 * MIB + 1000}, {"tokenizer.model": [404]}
    large_hub.files[FIRST] = os.urandom(40 * MIB)
    large_hub.files[SECOND] = os.urandom(2 * MIB)
    code, lines = run(large_hub, s3, bucket, "--parallel", "2")
    assert large_hub.slow_to_the_end == [], "it was waited for"
    assert (code, nothing_is_left(s3, bucket, FIRST)) == (3, True)
    assert lines[-1].startswith("FAILED: HTTP 404 from the Hub for org/model: ")


# --- refusals


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            401,
            "a token is required, or the repository does not exist. Run: pulumi config set --secret huggingFaceToken.",
        ),
        (403, "the token's account has no access. Accept the model's terms on its page."),
        (404, f"revision {COMMIT} or the repository does not exist. Correct model and revision."),
    ],
)
def test_a_refusal_of_the_hub_is_final_and_has_a_fix(
    s3: S3Stub, bucket: str, hub: HubStub, status: int, words: str
) -> None:
    hub.api_status = [status]
    assert run(hub, s3, bucket) == (3, [f"FAILED: HTTP {status} from the Hub for org/model: {words}"])


def test_the_token_is_only_sent_to_the_hub_and_never_logged(
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


def test_a_wrong_token_is_reported(s3: S3Stub, bucket: str, hub: HubStub, tmp_path: Path) -> None:
    hub.needs_token = True
    (tmp_path / "token").write_text("hf_another")
    code, lines = run(hub, s3, bucket, "--token-file", str(tmp_path / "token"))
    assert (code, len(lines)) == (3, 1)
    assert lines[0].startswith("FAILED: HTTP 401 from the Hub for org/model: the token is not valid, or ")


@pytest.mark.parametrize("content", ["", f"{TOKEN}\r\nX: y", f"{TOKEN}\u00e9"])
def test_a_token_that_cannot_be_sent_is_not_shown(
    s3: S3Stub, bucket: str, hub: HubStub, tmp_path: Path, content: str
) -> None:
    token = tmp_path / "token"
    token.write_text(content)
    said = f"FAILED: the token in {token} is empty or has invalid characters. "
    assert run(hub, s3, bucket, "--token-file", str(token)) == (
        3,
        [f"{said}Run: pulumi config set --secret huggingFaceToken."],
    )


def test_weights_in_another_form_are_refused_before_anything_is_copied(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.files = {"pytorch_model.bin": b"pickle", "config.json": b"{}"}
    assert run(hub, s3, bucket) == (
        3,
        [
            f"FAILED: org/model has no safetensors files at {COMMIT}, and vLLM can stream only those from S3. "
            "Set weights.source: huggingFace."
        ],
    )
    assert s3.objects(bucket, PREFIX) == {}


def test_a_repository_with_mistral_s_form_alone_keeps_it(s3: S3Stub, bucket: str, hub: HubStub) -> None:
    hub.files = {"consolidated.safetensors": b"weights", "params.json": b"{}"}
    code, _ = run(hub, s3, bucket)
    assert (code, s3.objects(bucket, PREFIX)) == (0, hub.files)
