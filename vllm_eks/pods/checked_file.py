"""Reads a file from the Hugging Face Hub in memory, and checks its hash.

Standard library only, because the copy Job's image has only Python and boto3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import IO

from vllm_eks.pods.hub_files import TEMPORARY_ERRORS, CopyError, CorruptFileError, Hub, HubFile, StoppedError

READ_BYTES = 1 << 18


class CheckedFile:
    """A file of the Hub that can be read once, from start to end. It is never on disk.

    After a lost connection it resumes at the same byte. The last read fails if the size or hash is wrong, so the caller
    never stores a complete but corrupt file.
    """

    def __init__(self, hub: Hub, file: HubFile, on_bytes: Callable[[int], None]) -> None:
        self._hub, self._file, self._on_bytes = hub, file, on_bytes
        self._answer: IO[bytes] | None = None
        self.at = 0
        self._failures = 0
        self._hash = hashlib.sha256() if file.algorithm == "sha256" else hashlib.sha1(usedforsecurity=False)
        if file.algorithm != "sha256":
            self._hash.update(f"blob {file.size}\0".encode())

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes, or fewer at the end. Raises CopyError, CorruptFileError and StoppedError."""
        left = self._file.size - self.at
        wanted = left if size < 0 else min(size, left)
        parts: list[bytes] = []
        while wanted:
            part = self._some(wanted)
            parts.append(part)
            wanted -= len(part)
        if self.at == self._file.size and self._hash.hexdigest() != self._file.digest:
            raise CorruptFileError(f"the {self._file.algorithm} of {self._file.name} differs from the Hub's")
        return b"".join(parts)

    def _some(self, size: int) -> bytes:
        part = b""
        while not part:
            if self._hub.stop.is_set():
                raise StoppedError
            part = self._try_read(min(size, READ_BYTES))
        self._failures = 0
        self._hash.update(part)
        self.at += len(part)
        self._on_bytes(len(part))
        return part

    def _try_read(self, size: int) -> bytes:
        """Return some bytes, or none if a retry is needed."""
        try:
            self._answer = self._answer or self._opened()
            if part := self._answer.read(size):
                return part
            raise OSError("the connection was lost")
        except TEMPORARY_ERRORS as error:
            self._answer = None
            self._failures += 1
            message = f"{self._file.name} stopped at byte {self.at:,} of {self._file.size:,}"
            if self._failures >= self._hub.attempts:
                raise CopyError(
                    f"{message}, {self._failures} times in a row ({error}). Check NAT and routes of the private subnets"
                ) from error
            self._hub.pause(self._failures - 1, message)
            return b""

    def _opened(self) -> IO[bytes]:
        answer = self._hub.open_file(self._file.name, self.at)
        begins = answer.headers.get("Content-Range", "") if answer.status == 206 else "bytes 0-"
        if self.at and begins.startswith("bytes 0-"):
            # The server sends the file from its start: skip the bytes that were already read.
            skip = self.at
            while skip:
                skipped = answer.read(min(skip, READ_BYTES))
                if not skipped:
                    raise OSError("the connection was lost")
                skip -= len(skipped)
        elif self.at and not begins.startswith(f"bytes {self.at}-"):
            raise OSError(f"requested byte {self.at:,}, but received {begins or 'another range'}")
        return answer
