"""Copy one commit of a Hugging Face repository into S3, once.

Runs in a Job on a system node, with Python and boto3 alone. Bytes go through memory only, so a full disk stops nothing.
An object is only there once its hash was right; so a run after a broken one goes on with what is not there yet.
Exit status 0: all is there. 1: not; another run may get further. 3: not, and no other run will. The last line names
the cause and what to do.
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
from pathlib import Path

if __name__ == "__main__":
    # Run as a file: the package is two folders up, here and where pods mount it.
    sys.path[0] = str(Path(__file__).absolute().parents[2])

from vllm_eks.pods.checked_file import CheckedFile
from vllm_eks.pods.hub_files import CopyError, CorruptFileError, Hub, HubFile, RefusedError, say, total_size
from vllm_eks.pods.s3_files import S3_ERRORS, Bucket, is_lasting, s3_cause

MIB = 1 << 20
CORRUPT_TRIES = 3
REFUSED = 3
"""Exit status of a run that no other run can better: the Job is not tried again (components/weights/copy_job.py)."""
STOP_SECONDS = 10
"""How long files that are under way may take to give up, with what they uploaded."""


class Progress:
    """What is done so far, told now and then; shared by all threads."""

    def __init__(self, files: Sequence[HubFile], every_seconds: float) -> None:
        self._lock = threading.Lock()
        self._began = self._told_at = time.monotonic()
        self._files, self._bytes = len(files), total_size(files)
        self._every = every_seconds
        self.found_files = self._done_files = self._done_bytes = self._copied_bytes = 0

    def add_bytes(self, count: int) -> None:
        """Count bytes that came from the Hub; fewer than none where they turned out wrong."""
        with self._lock:
            self._copied_bytes += count
            self._done_bytes += count

    def add_file(self, file: HubFile, *, was_there: bool) -> None:
        """Count a file that is there."""
        with self._lock:
            self._done_files += 1
            self.found_files += was_there
            self._done_bytes += file.size if was_there else 0
        self._tell(f"; {file.name}{' was there already' if was_there else ''}")

    def seconds(self) -> float:
        """Return how long it has been going."""
        return time.monotonic() - self._began

    def due_in(self) -> float:
        """Return in how many seconds a sign of life is due; gives it where it is."""
        if time.monotonic() - self._told_at >= self._every:
            self._tell("")
        return max(0.01, self._told_at + self._every - time.monotonic())

    def _tell(self, what: str) -> None:
        with self._lock:
            self._told_at = time.monotonic()
            seconds = self.seconds()
            rate = self._copied_bytes / 1e6 / max(seconds, 1e-3)
            say(
                f"[{seconds:5.0f} s] {self._done_files} of {self._files} files, {self._done_bytes / 1e9:.1f} of "
                f"{self._bytes / 1e9:.1f} GB, {rate:,.0f} MB/s{what}"
            )


def copy(hub: Hub, bucket: Bucket, file: HubFile, progress: Progress, *, is_listed: bool) -> None:
    """Copy one file, unless it is there. Raises CopyError, StoppedError, or what boto3 raises."""
    if is_listed and bucket.has(file):
        progress.add_file(file, was_there=True)
        return
    for tries_left in reversed(range(CORRUPT_TRIES)):
        source = CheckedFile(hub, file, progress.add_bytes)
        try:
            bucket.put(file, source)
            break
        except CorruptFileError as error:
            progress.add_bytes(-source.at)
            if not tries_left:
                raise CopyError(f"{error}, {CORRUPT_TRIES} times. Look for a proxy that changes files") from error
            say(f"{error}: once more from its beginning")
    progress.add_file(file, was_there=False)


def copy_all(hub: Hub, bucket: Bucket, options: argparse.Namespace) -> str:
    """Copy every file and return what to say at the end. Raises CopyError, or what boto3 raises."""
    files = hub.files()
    there = bucket.sizes()
    bucket.drop_unfinished()
    progress = Progress(files, options.progress_seconds)
    pool = ThreadPoolExecutor(options.parallel)
    # The largest first, so that no thread is left alone with one at the end.
    futures = [
        pool.submit(copy, hub, bucket, file, progress, is_listed=there.get(file.name) == file.size)
        for file in sorted(files, key=lambda file: -file.size)
    ]
    try:
        wait_for(futures, progress)
    finally:
        hub.stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        wait(futures, timeout=STOP_SECONDS)
    there = bucket.sizes()
    wrong = sorted(file.name for file in files if there.get(file.name) != file.size)
    if wrong:
        raise CopyError(f"{', '.join(wrong)} changed in the bucket meanwhile. Run it again")
    bucket.put_manifest(hub, files)
    size, where = f"{total_size(files) / 1e9:.1f} GB", f"at s3://{options.bucket}/{options.prefix}"
    if progress.found_files == len(files):
        return f"done: all {len(files)} files were there already, {size} {where}"
    resumed = f"; {progress.found_files} of them were there already" if progress.found_files else ""
    return f"done: {len(files)} files, {size} in {progress.seconds():.0f} s {where}{resumed}"


def wait_for(futures: Sequence[Future[None]], progress: Progress) -> None:
    """Wait until all are done, with a sign of life now and then. Raises the first failure as soon as there is one."""
    left = set(futures)
    while left:
        done, left = wait(left, timeout=progress.due_in(), return_when=FIRST_EXCEPTION)
        for one in done:
            one.result()


def read_token(path: Path | None) -> str | None:
    """Return the token, if there is one. Raises CopyError."""
    if path is None:
        return None
    try:
        token = path.read_bytes().strip()
    except OSError as error:
        raise CopyError(f"the token file {path} cannot be read ({error.strerror}). Run pulumi up") from error
    # http.client would show a token that it cannot send.
    if not token or not all(0x20 < byte < 0x7F for byte in token):
        raise RefusedError(
            f"the token in {path} is empty, or has characters that no token has. "
            "Run: pulumi config set --secret huggingFaceToken"
        )
    return token.decode()


def cause_of(error: BaseException, options: argparse.Namespace) -> str:
    """Say what an error means and what to do."""
    if isinstance(error, CopyError):
        return str(error)
    if isinstance(error, S3_ERRORS):
        return s3_cause(error, options.bucket)
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the node's disk is full ({error.strerror}). The copy itself writes nothing: look at what fills it"
    return f"{type(error).__name__}: {error}. Run it again: it continues where it stopped"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the copy and return the process's exit status."""
    options = parse_arguments(arguments)
    signal.signal(signal.SIGTERM, _told_to_stop)
    try:
        hub = Hub(
            url=options.hub_url.rstrip("/"),
            model=options.model,
            revision=options.revision,
            token=read_token(options.token_file),
            attempts=options.attempts,
            retry_seconds=options.retry_seconds,
        )
        part = options.part_mib * MIB
        bucket = Bucket(options.bucket, options.prefix, part_bytes=part, parallel=options.parallel)
        say(copy_all(hub, bucket, options))
        return 0
    except (CopyError, OSError, *S3_ERRORS) as error:
        say(f"FAILED: {cause_of(error, options)}.")
        return REFUSED if isinstance(error, RefusedError) or is_lasting(error) else 1


def _told_to_stop(*_: object) -> None:
    # As the container's first process it would otherwise not hear the signal at all, and leave its uploads behind.
    raise CopyError(
        "it received a stop signal, perhaps because its time was over. Run pulumi up: it continues where it stopped"
    )


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the options; the Job gives those without a default."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--model", "--revision", "--bucket", "--prefix"):
        parser.add_argument(name, required=True)
    parser.add_argument("--token-file", type=Path)
    parser.add_argument("--hub-url", default="https://huggingface.co")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--part-mib", type=int, default=32)
    parser.add_argument("--attempts", type=int, default=8)
    parser.add_argument("--retry-seconds", type=float, default=2)
    parser.add_argument("--progress-seconds", type=float, default=15)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # A thread in the middle of an exchange that does not end would be waited for.
    os._exit(code)
