"""Runs the copy Job's script with the stubs: the files, the command line, and the result."""

import hashlib
import os
from typing import Any

from tests.fakes.forked_script import started
from tests.fakes.hub_stub import COMMIT, HubStub
from tests.fakes.moto_s3 import S3Stub
from vllm_eks.pods import PODS

SCRIPT = PODS / "copy_weights.py"
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
"""A file too large for a single request to S3. Each of these takes a tenth of a second."""
LARGE_FILES = {**FILES, FIRST: IN_PARTS}
SECOND_HASH = hashlib.sha256(FILES[SECOND]).hexdigest()
PASSED_OVER = {
    "README.md": b"#",
    "pytorch_model.bin": b"pickle",
    "original/params.json": b"x",
    "metal/model.safetensors": b"y",
    "consolidated.safetensors": b"z",
}
STOPPED = "FAILED: the Job was stopped, perhaps at its deadline. Run pulumi up again: the copy resumes."
NETWORK = "Check NAT and routes of the private subnets"


def arguments(hub: HubStub, bucket: str, *options: str) -> list[str]:
    return [
        *("--model", "org/model", "--revision", COMMIT, "--bucket", bucket, "--prefix", PREFIX),
        *("--hub-url", hub.url, "--retry-seconds", "0.01", "--part-mib", "5", *options),
    ]


def run(hub: HubStub, s3: S3Stub, bucket: str, *options: str, no_disk: bool = False, **env: str) -> tuple[int, Any]:
    """Run the script, and return its exit status and its lines."""
    with started(SCRIPT, arguments(hub, bucket, *options), {**s3.env, **env}, no_disk=no_disk) as one:
        lines = one.said.read().splitlines()
        one.process.join(60)
        return one.process.exitcode or 0, lines


def nothing_is_left(s3: S3Stub, bucket: str, name: str) -> bool:
    """Return whether neither the file nor a part of it exists, and no complete copy was logged."""
    manifests = s3.objects(bucket, "manifests")
    return name not in s3.objects(bucket, PREFIX) and not s3.unfinished(bucket) and not manifests
