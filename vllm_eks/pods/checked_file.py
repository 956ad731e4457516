"""A file of the Hugging Face Hub, read through memory with its hash checked on the way.

Standard library only: this runs in an image that has Python and boto3 and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import IO

from vllm_eks.pods.hub_files import PASSING_ERRORS, CopyError, CorruptFileError, Hub, HubFile, StoppedError

READ_BYTES = 1 << 18


class CheckedFile:
    """A file of the Hub to read from its beginning to its end, once; it lives in memory only.

    A cut connection goes on where it was cut. The end is only told once size and hash are right, so whoever stores what
    is read here never completes a wrong file.
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
        """Return so many bytes, fewer at the end only. Raises CopyError, CorruptFileError and StoppedError."""
        left = self._file.size - self.at
        wanted = left if size < 0 else min(size, left)
        parts: list[bytes] = []
        while wanted:
            part = self._some(wanted)
            parts.append(part)
            wanted -= len(part)
        if self.at == self._file.size and self._hash.hexdigest() != self._file.digest:
            raise CorruptFileError(f"{self._file.name} came with another {self._file.algorithm} than the Hub lists")
        return b"".join(parts)

    def _some(self, size: int) -> bytes:
        part = b""
        while not part:
            if self._hub.stop.is_set():
                raise StoppedError
            part = self._tried(min(size, READ_BYTES))
        self._failures = 0
        self._hash.update(part)
        self.at += len(part)
        self._on_bytes(len(part))
        return part

    def _tried(self, size: int) -> bytes:
        """Return some bytes, or none where another try is due."""
        try:
            self._answer = self._answer or self._opened()
            if part := self._answer.read(size):
                return part
            raise OSError("the connection was cut")
        except PASSING_ERRORS as error:
            self._answer = None
            self._failures += 1
            said = f"{self._file.name} breaks off at byte {self.at:,} of {self._file.size:,}"
            if self._failures >= self._hub.attempts:
                raise CopyError(
                    f"{said}, {self._failures} times in a row ({error}). Look at NAT and routes of the private subnets"
                ) from error
            self._hub.pause(self._failures - 1, said)
            return b""

    def _opened(self) -> IO[bytes]:
        answer = self._hub.open_file(self._file.name, self.at)
        begins = answer.headers.get("Content-Range", "") if answer.status == 206 else "bytes 0-"
        if self.at and begins.startswith("bytes 0-"):
            # It sends everything again: what we have is passed over.
            skip = self.at
            while skip:
                passed = answer.read(min(skip, READ_BYTES))
                if not passed:
                    raise OSError("the connection was cut")
                skip -= len(passed)
        elif self.at and not begins.startswith(f"bytes {self.at}-"):
            raise OSError(f"asked for byte {self.at:,}, it sends {begins or 'some other'}")
        return answer
