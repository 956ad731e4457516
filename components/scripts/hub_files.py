"""Files of one commit on the Hugging Face Hub: which there are, and their bytes with the hash checked on the way.

Standard library only: this runs in an image that has Python and boto3 and nothing else.
"""

from __future__ import annotations

import email.message
import fnmatch
import hashlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

WANTED = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "*.py", "*.tiktoken")
"""What vLLM reads of a repository. No pickled weights: runai_streamer reads safetensors alone."""
UNWANTED = ("original/*", "metal/*", "*/*.safetensors")
TIMEOUT_SECONDS = 60
LONGEST_WAIT_SECONDS = 60


class CopyError(Exception):
    """A fault that another try does not mend; its text is what to say and what to do."""


class CorruptFileError(Exception):
    """What came is not what the Hub promised."""


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """One file of the commit."""

    name: str
    size: int
    algorithm: str
    """`sha256`, or `git-sha1` for a file that git itself holds."""
    digest: str


@dataclass(frozen=True, kw_only=True)
class Hub:
    """One commit of one repository, and how patiently it is asked."""

    url: str
    model: str
    revision: str
    token: str | None
    attempts: int
    retry_seconds: float

    def files(self) -> list[HubFile]:
        """Return what vLLM needs of the commit. Raises CopyError."""
        model, revision = (urllib.parse.quote(text) for text in (self.model, self.revision))
        with self.open(f"{self.url}/api/models/{model}/revision/{revision}?blobs=true") as answer:
            listed = json.load(answer)["siblings"]
        files = [file_of(entry) for entry in listed if is_wanted(entry["rfilename"])]
        if any(fnmatch.fnmatch(file.name, "model*.safetensors") for file in files):
            # Some repositories hold the weights twice, in the form of the one who trained them too.
            files = [file for file in files if not fnmatch.fnmatch(file.name, "consolidated*.safetensors")]
        if not any(file.name.endswith(".safetensors") for file in files):
            raise CopyError(
                f"{self.model} has no safetensors at {self.revision}, and nothing else can be streamed. "
                "Write weights.source: huggingFace"
            )
        return files

    def open_file(self, name: str, start: int) -> http.client.HTTPResponse:
        """Open a file at a byte. Raises CopyError, or OSError where another try may do."""
        path = urllib.parse.quote(f"{self.model}/resolve/{self.revision}/{name}")
        return self.open(f"{self.url}/{path}", start)

    def open(self, url: str, start: int = 0) -> http.client.HTTPResponse:
        """Ask, again and again where that may help. Raises CopyError."""
        request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
        if self.token:
            # urllib drops headers added this way when it is sent to another place: the Hub's storage must not see it.
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        said = "nothing was tried"
        for attempt in range(self.attempts):
            try:
                return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
            except urllib.error.HTTPError as error:
                if error.code != 429 and error.code < 500:
                    raise CopyError(self.refusal(error.code)) from error
                said, asked = f"HTTP {error.code}", error.headers
            except (OSError, http.client.HTTPException) as error:
                said, asked = str(getattr(error, "reason", error) or type(error).__name__), None
            if attempt + 1 < self.attempts:
                time.sleep(self.wait_seconds(attempt, asked))
        raise CopyError(
            f"the Hub at {self.url} does not answer after {self.attempts} tries ({said}). "
            "Look at NAT and routes of the private subnets, or wait for the Hub"
        )

    def wait_seconds(self, attempt: int, headers: email.message.Message | None) -> float:
        """Return how long to wait: what the Hub asks for, else twice as long each time, within limits."""
        asked = (headers or {}).get("Retry-After") or ""
        wished = float(asked) if asked.isdecimal() else self.retry_seconds * 2**attempt
        return min(wished, LONGEST_WAIT_SECONDS)

    def refusal(self, status: int) -> str:
        """Say what a refusal means."""
        what = f"HTTP {status} of the Hub for {self.model}"
        if status == 401:
            return f"{what}: no token, or not a valid one. Run: pulumi config set --secret huggingFaceToken"
        if status == 403:
            return f"{what}: the token's account may not have it. Accept the model's terms on its page"
        if status == 404:
            return f"{what}: there is no revision {self.revision}, or no such repository. Mend model and revision"
        return f"{what}. Mend model and revision"


def is_wanted(name: str) -> bool:
    """Tell whether vLLM reads a file."""
    return any(fnmatch.fnmatch(name, one) for one in WANTED) and not any(fnmatch.fnmatch(name, one) for one in UNWANTED)


def file_of(entry: Mapping[str, Any]) -> HubFile:
    """Read one entry of the Hub's list."""
    large = entry.get("lfs")
    if large:
        return HubFile(name=entry["rfilename"], size=large["size"], algorithm="sha256", digest=large["sha256"])
    return HubFile(name=entry["rfilename"], size=entry["size"], algorithm="git-sha1", digest=entry["blobId"])


class CheckedFile:
    """A file of the Hub to read from its beginning to its end, once; it lives in memory only.

    A cut connection goes on where it was cut. The end is only told once size and hash are right, so whoever stores what
    is read here never completes a wrong file.
    """

    def __init__(self, hub: Hub, file: HubFile, on_bytes: Any) -> None:  # noqa: ANN401  (a callable of one int)
        self._hub, self._file, self._on_bytes = hub, file, on_bytes
        self._answer: IO[bytes] | None = None
        self._at = 0
        self._failures = 0
        self._hash = hashlib.sha256() if file.algorithm == "sha256" else hashlib.sha1(usedforsecurity=False)
        if file.algorithm != "sha256":
            self._hash.update(f"blob {file.size}\0".encode())

    def read(self, size: int = -1) -> bytes:
        """Return so many bytes, fewer at the end only. Raises CopyError and CorruptFileError."""
        left = self._file.size - self._at
        wanted = left if size < 0 else min(size, left)
        parts: list[bytes] = []
        while wanted:
            part = self._some(wanted)
            parts.append(part)
            wanted -= len(part)
        if self._at == self._file.size and self._hash.hexdigest() != self._file.digest:
            raise CorruptFileError(f"{self._file.name} came with another {self._file.algorithm} than the Hub lists")
        return b"".join(parts)

    def _some(self, size: int) -> bytes:
        while True:
            try:
                if self._answer is None:
                    self._answer = self._opened()
                part = self._answer.read(min(size, 1 << 20))
                if part:
                    break
                raise OSError("the connection was cut")
            except (OSError, http.client.HTTPException) as error:
                self._answer = None
                self._failures += 1
                if self._failures >= self._hub.attempts:
                    raise CopyError(
                        f"{self._file.name} breaks off at byte {self._at:,} of {self._file.size:,} for the "
                        f"{self._failures}th time ({error}). Look at NAT and routes of the private subnets"
                    ) from error
                time.sleep(self._hub.wait_seconds(self._failures - 1, None))
        self._failures = 0
        self._hash.update(part)
        self._at += len(part)
        self._on_bytes(len(part))
        return part

    def _opened(self) -> IO[bytes]:
        answer = self._hub.open_file(self._file.name, self._at)
        if self._at and answer.status != 206:
            # It sends everything again: what we have is passed over.
            skip = self._at
            while skip:
                passed = answer.read(min(skip, 1 << 20))
                if not passed:
                    raise OSError("the connection was cut")
                skip -= len(passed)
        return answer


def total_size(files: Sequence[HubFile]) -> int:
    """Return the bytes of all files."""
    return sum(file.size for file in files)
