"""Copy one commit of a Hugging Face repository into S3, once.

Runs in a Job on a system node, with Python and boto3 alone. Bytes go through memory only, so a full disk stops nothing.
An object is only there once its hash was right; so a run after a broken one goes on with what is not there yet.
Exit status 0: all is there. 1: not; the last line names the cause and what to do.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from hub_files import CheckedFile, CopyError, CorruptFileError, Hub, HubFile, total_size

MIB = 1 << 20
MOST_PARTS = 9000
"""S3 takes 10,000 parts of an object."""
CORRUPT_TRIES = 3


class Progress:
    """What is done so far, told now and then; shared by all threads."""

    def __init__(self, files: Sequence[HubFile], every_seconds: float) -> None:
        self._lock = threading.Lock()
        self._began = self._told_at = time.monotonic()
        self._files, self._bytes = len(files), total_size(files)
        self._every = every_seconds
        self.done_files = self.done_bytes = self.copied_files = self.copied_bytes = 0

    def add_bytes(self, count: int) -> None:
        """Count bytes that came from the Hub."""
        with self._lock:
            self.copied_bytes += count
            self.done_bytes += count
            if time.monotonic() - self._told_at >= self._every:
                self._tell("")

    def add_file(self, file: HubFile, *, was_there: bool) -> None:
        """Count a file that is there."""
        with self._lock:
            self.done_files += 1
            self.copied_files += not was_there
            self.done_bytes += file.size if was_there else 0
            self._tell(f"; {file.name}{' was there already' if was_there else ''}")

    def seconds(self) -> float:
        """Return how long it has been going."""
        return time.monotonic() - self._began

    def _tell(self, what: str) -> None:
        self._told_at = time.monotonic()
        seconds = self.seconds()
        rate = self.copied_bytes / 1e6 / max(seconds, 1e-3)
        print(
            f"[{seconds:5.0f} s] {self.done_files} of {self._files} files, {self.done_bytes / 1e9:.1f} of "
            f"{self._bytes / 1e9:.1f} GB, {rate:,.0f} MB/s{what}",
            flush=True,
        )


class Bucket:
    """One prefix of a bucket."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._part_bytes = options.part_mib * MIB
        self._name, self._prefix = options.bucket, options.prefix
        self._s3 = boto3.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 8}))

    def drop_unfinished(self) -> None:
        """Give up what a killed run left half uploaded: it is billed, and cannot be gone on with."""
        pages = self._s3.get_paginator("list_multipart_uploads").paginate(Bucket=self._name, Prefix=f"{self._prefix}/")
        for page in pages:
            for upload in page.get("Uploads", []):
                self._s3.abort_multipart_upload(Bucket=self._name, Key=upload["Key"], UploadId=upload["UploadId"])

    def has(self, file: HubFile) -> bool:
        """Tell whether the file is there, with the right size and hash."""
        try:
            found = self._s3.head_object(Bucket=self._name, Key=f"{self._prefix}/{file.name}")
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return False
            raise
        return found["ContentLength"] == file.size and found["Metadata"].get(file.algorithm) == file.digest

    def put(self, file: HubFile, source: CheckedFile) -> None:
        """Store a file; where reading it fails there is no object, and no part of one."""
        part = max(self._part_bytes, -(-file.size // MOST_PARTS))
        self._s3.upload_fileobj(
            source,
            self._name,
            f"{self._prefix}/{file.name}",
            ExtraArgs={"Metadata": {file.algorithm: file.digest}, "ChecksumAlgorithm": "SHA256"},
            # A file at a time holds at most so many parts in memory.
            Config=TransferConfig(multipart_threshold=part, multipart_chunksize=part, max_concurrency=2),
        )

    def put_manifest(self, hub: Hub, files: Sequence[HubFile]) -> None:
        """Write down what was copied, beside the weights: what lies below their prefix, vLLM takes for its own."""
        manifest = {
            "model": hub.model,
            "revision": hub.revision,
            "total_bytes": total_size(files),
            "files": [{"name": one.name, "size": one.size, one.algorithm: one.digest} for one in files],
        }
        key = f"manifests/{self._prefix.replace('/', '-')}.json"
        self._s3.put_object(Bucket=self._name, Key=key, Body=json.dumps(manifest, indent=1).encode())

    def sizes(self) -> dict[str, int]:
        """Return the size of every object below the prefix, by its name there."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=f"{self._prefix}/")
        found = [entry for page in pages for entry in page.get("Contents", [])]
        return {entry["Key"].removeprefix(f"{self._prefix}/"): entry["Size"] for entry in found}


def copy(hub: Hub, bucket: Bucket, file: HubFile, progress: Progress) -> None:
    """Copy one file, unless it is there. Raises CopyError, or what boto3 raises."""
    if bucket.has(file):
        progress.add_file(file, was_there=True)
        return
    for attempt in range(CORRUPT_TRIES):
        try:
            bucket.put(file, CheckedFile(hub, file, progress.add_bytes))
            break
        except CorruptFileError as error:
            print(f"{error}: once more from its beginning", flush=True)
            if attempt + 1 == CORRUPT_TRIES:
                raise CopyError(
                    f"{file.name} came with a wrong hash {CORRUPT_TRIES} times. Look for a proxy that changes files"
                ) from error
    progress.add_file(file, was_there=False)


def copy_all(hub: Hub, bucket: Bucket, options: argparse.Namespace) -> str:
    """Copy every file and return what to say at the end. Raises CopyError, or what boto3 raises."""
    files = hub.files()
    bucket.drop_unfinished()
    progress = Progress(files, options.progress_seconds)
    # The largest first, so that no thread is left alone with one at the end.
    ordered = sorted(files, key=lambda file: -file.size)
    pool = ThreadPoolExecutor(options.parallel)
    running = [pool.submit(copy, hub, bucket, file, progress) for file in ordered]
    finished, _ = wait(running, return_when=FIRST_EXCEPTION)
    failed = [error for one in finished if not one.cancelled() and (error := one.exception())]
    pool.shutdown(wait=not failed, cancel_futures=True)
    if failed:
        raise failed[0]
    wrong = {file.name for file in files if bucket.sizes().get(file.name) != file.size}
    if wrong:
        raise CopyError(f"{', '.join(sorted(wrong))} changed in the bucket meanwhile. Run it again")
    bucket.put_manifest(hub, files)
    where = f"{len(files)} files, {total_size(files) / 1e9:.1f} GB at s3://{options.bucket}/{options.prefix}"
    if not progress.copied_files:
        return f"done: all was there already, {where}"
    return f"done: {progress.copied_files} copied in {progress.seconds():.0f} s, {where}"


def cause_of(error: BaseException, options: argparse.Namespace) -> str:
    """Say what an error means and what to do."""
    if isinstance(error, CopyError):
        return str(error)
    inner = error.__cause__ or error.__context__ if isinstance(error, Boto3Error) else error
    code = inner.response["Error"]["Code"] if isinstance(inner, ClientError) else ""
    if code in ("AccessDenied", "403"):
        return f"S3 refuses access to s3://{options.bucket}. Look at the Job's Pod Identity role, whose name has -write"
    if code in ("NoSuchBucket",):
        return f"there is no bucket {options.bucket}. Run pulumi refresh, then pulumi up"
    return f"S3: {str(error)[:300]}. Run it again: it goes on where it stopped"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the copy and return the process's exit status."""
    options = parse_arguments(arguments)
    try:
        token = options.token_file.read_text().strip() if options.token_file else None
        hub = Hub(
            url=options.hub_url,
            model=options.model,
            revision=options.revision,
            token=token,
            attempts=options.attempts,
            retry_seconds=options.retry_seconds,
        )
        print(copy_all(hub, Bucket(options), options), flush=True)
        return 0
    except (CopyError, Boto3Error, BotoCoreError, ClientError, OSError) as error:
        print(f"FAILED: {cause_of(error, options)}.", flush=True)
        return 1


def parse_arguments(arguments: Sequence[str] | None) -> Any:  # noqa: ANN401  (argparse.Namespace)
    """Read the options; the Job gives those without a default."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--model", "--revision", "--bucket", "--prefix"):
        parser.add_argument(name, required=True)
    parser.add_argument("--token-file", type=Path)
    parser.add_argument("--hub-url", default="https://huggingface.co")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--part-mib", type=int, default=16)
    parser.add_argument("--attempts", type=int, default=8)
    parser.add_argument("--retry-seconds", type=float, default=2)
    parser.add_argument("--progress-seconds", type=float, default=15)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Threads in the middle of a file would go on to its end after a failure.
    os._exit(code)
