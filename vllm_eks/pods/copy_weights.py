"""Copies one commit of a Hugging Face repository to S3.

Runs in a Job on a system node, with only Python and boto3. Data passes only through memory, so it needs no disk space.
An object exists only if its hash was right, so a new run copies only the missing files.
Exit status 0: all files are in S3. 1: some are missing, and another run may succeed. 3: some are missing, and another
run would fail too. The last line has the cause and a fix.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":
    # Run as a script: the package is two folders up, both here and in the pod.
    sys.path[0] = str(Path(__file__).absolute().parents[2])

from vllm_eks.pods.checked_file import CheckedFile
from vllm_eks.pods.hub_files import CopyError, CorruptFileError, Hub, HubFile, RefusedError, say, total_size
from vllm_eks.pods.s3_files import S3_ERRORS, Bucket, is_permanent, s3_cause

MIB = 1 << 20
MAX_CORRUPT_COPIES = 3
PERMANENT_FAILURE = 3
"""Exit status if another run would fail too, so that the Job is not retried (components/weights/copy_job.py)."""
STOPPED = "FAILED: the Job was stopped, perhaps at its deadline. Run pulumi up again: the copy resumes."


class StopSignal(BaseException):
    """SIGTERM. Not an Exception, because boto3 retries a request after any of those."""


class Progress:
    """Counts copied files and bytes, and logs them regularly. Shared by all threads."""

    def __init__(self, files: Sequence[HubFile], every_seconds: float) -> None:
        self._lock = threading.Lock()
        self._began = self._logged_at = time.monotonic()
        self._files, self._bytes = len(files), total_size(files)
        self._every = every_seconds
        self.found_files = self._done_files = self._done_bytes = self._copied_bytes = 0

    def add_bytes(self, count: int) -> None:
        """Count bytes received from the Hub. Negative when they are discarded as corrupt."""
        with self._lock:
            self._copied_bytes += count
            self._done_bytes += count

    def add_file(self, file: HubFile, *, existed: bool) -> None:
        """Count a file that is now in S3."""
        with self._lock:
            self._done_files += 1
            self.found_files += existed
            self._done_bytes += file.size if existed else 0
        self._log(f"; {file.name}{' exists already' if existed else ''}")

    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._began

    def log_if_due(self) -> float:
        """Log the progress if it is due, and return the seconds until it is next due."""
        if time.monotonic() - self._logged_at >= self._every:
            self._log("")
        return max(0.01, self._logged_at + self._every - time.monotonic())

    def _log(self, what: str) -> None:
        with self._lock:
            self._logged_at = time.monotonic()
            seconds = self.seconds()
            rate = self._copied_bytes / 1e6 / max(seconds, 1e-3)
            say(
                f"[{seconds:5.0f} s] {self._done_files} of {self._files} files, {self._done_bytes / 1e9:.1f} of "
                f"{self._bytes / 1e9:.1f} GB, {rate:,.0f} MB/s{what}"
            )


def copy(hub: Hub, bucket: Bucket, file: HubFile, progress: Progress, *, is_listed: bool) -> None:
    """Copy one file unless it exists. Raises CopyError, StoppedError, or an error of boto3."""
    if is_listed and bucket.has(file):
        progress.add_file(file, existed=True)
        return
    for tries_left in reversed(range(MAX_CORRUPT_COPIES)):
        source = CheckedFile(hub, file, progress.add_bytes)
        try:
            bucket.put(file, source)
            break
        except CorruptFileError as error:
            progress.add_bytes(-source.at)
            if not tries_left:
                raise CopyError(f"{error}, {MAX_CORRUPT_COPIES} times. Check for a proxy that changes files") from error
            say(f"{error}: retry from its start")
    progress.add_file(file, existed=False)


def copy_all(hub: Hub, bucket: Bucket, options: argparse.Namespace) -> str:
    """Copy all files and return the final message. Raises CopyError, or an error of boto3."""
    files = hub.files()
    sizes = bucket.sizes()
    bucket.abort_unfinished()
    progress = Progress(files, options.progress_seconds)
    pool = ThreadPoolExecutor(options.parallel)
    # Largest first, so that no thread is still busy alone at the end.
    futures = [
        pool.submit(copy, hub, bucket, file, progress, is_listed=sizes.get(file.name) == file.size)
        for file in sorted(files, key=lambda file: -file.size)
    ]
    try:
        wait_for(futures, progress)
    finally:
        hub.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        if wait(futures, timeout=options.stop_seconds).not_done:
            # The others wait for data from the Hub, and abort their own uploads only after that.
            with suppress(*S3_ERRORS):
                bucket.abort_unfinished()
    sizes = bucket.sizes()
    wrong = sorted(file.name for file in files if sizes.get(file.name) != file.size)
    if wrong:
        raise CopyError(f"{', '.join(wrong)} changed in the bucket during the copy: run pulumi up again")
    bucket.put_manifest(hub, files)
    size, where = f"{total_size(files) / 1e9:.1f} GB", f"at s3://{options.bucket}/{options.prefix}"
    if progress.found_files == len(files):
        return f"done: all {len(files)} files exist already, {size} {where}"
    resumed = f"; {progress.found_files} of them existed already" if progress.found_files else ""
    return f"done: {len(files)} files, {size} in {progress.seconds():.0f} s {where}{resumed}"


def wait_for(futures: Sequence[Future[None]], progress: Progress) -> None:
    """Wait until all copies are done, and log the progress. Raises the first error at once."""
    left = set(futures)
    while left:
        done, left = wait(left, timeout=progress.log_if_due(), return_when=FIRST_EXCEPTION)
        for one in done:
            one.result()


def read_token(path: Path | None) -> str | None:
    """Return the token, or None without a token file. Raises CopyError."""
    if path is None:
        return None
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise CopyError(f"the token file {path} cannot be read ({error.strerror}). Run pulumi up") from error
    # http.client would print a token that it cannot send.
    if not token or not all(0x20 < byte < 0x7F for byte in token):
        raise RefusedError(
            f"the token in {path} is empty or has invalid characters. Run: pulumi config set --secret huggingFaceToken"
        )
    return token.decode()


def cause_of(error: BaseException, options: argparse.Namespace) -> str:
    """Return what an error means, with a fix."""
    if isinstance(error, CopyError):
        return str(error)
    if isinstance(error, S3_ERRORS):
        return s3_cause(error, options.bucket)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the node's disk is full ({error.strerror}). The copy itself writes nothing: check what fills it"
    return f"{type(error).__name__}: {error}. Run pulumi up again: the copy resumes"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the copy and return the process's exit status."""
    options = parse_arguments(arguments)
    try:
        stop_on_signal(options.end_seconds)
        hub = Hub(
            url=options.hub_url.rstrip("/"),
            model=options.model,
            revision=options.revision,
            token=read_token(options.token_file),
            attempts=options.attempts,
            retry_seconds=options.retry_seconds,
            timeout_seconds=options.timeout_seconds,
        )
        part = options.part_mib * MIB
        bucket = Bucket(options.bucket, options.prefix, part_bytes=part, parallel=options.parallel)
        say(copy_all(hub, bucket, options))
        return 0
    except StopSignal:
        say(STOPPED)
        return 1
    except (CopyError, OSError, *S3_ERRORS) as error:
        say(f"FAILED: {cause_of(error, options)}.")
        return PERMANENT_FAILURE if isinstance(error, RefusedError) or is_permanent(error) else 1


def stop_on_signal(end_seconds: float) -> None:
    """Raise StopSignal at SIGTERM, and end the process some seconds later even if S3 or the Hub does not answer."""

    def stop(*_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, end_seconds)
        raise StopSignal

    def end(*_: object) -> None:
        os.write(sys.stdout.fileno(), f"{STOPPED}\n".encode())
        os._exit(1)

    signal.signal(signal.SIGALRM, end)
    # PID 1 ignores SIGTERM without a handler, and would leave its uploads behind.
    signal.signal(signal.SIGTERM, stop)


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the options. The Job sets those without a default."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--model", "--revision", "--bucket", "--prefix"):
        parser.add_argument(name, required=True)
    parser.add_argument("--token-file", type=Path)
    parser.add_argument("--hub-url", default="https://huggingface.co")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--part-mib", type=int, default=32)
    parser.add_argument("--attempts", type=int, default=8)
    parser.add_argument("--retry-seconds", type=float, default=2)
    parser.add_argument("--timeout-seconds", type=float, default=60, help="without data from the Hub")
    parser.add_argument("--stop-seconds", type=float, default=10, help="for other files, after an error or SIGTERM")
    # Kubernetes kills the pod 30 seconds after SIGTERM.
    parser.add_argument("--end-seconds", type=float, default=25, help="until the process ends, after SIGTERM")
    parser.add_argument("--progress-seconds", type=float, default=15)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Not sys.exit, which would wait for a thread with a hung connection.
    os._exit(code)
