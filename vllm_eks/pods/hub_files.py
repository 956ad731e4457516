"""Lists and opens the files of one commit on the Hugging Face Hub.

Standard library only, because the copy Job's image has only Python and boto3.
"""

from __future__ import annotations

import fnmatch
import http.client
import json
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, TypeVar

WANTED = ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja", "*.py", "*.tiktoken")
"""The files of a repository that vLLM reads. No pickled weights, because runai_streamer reads only safetensors."""
UNWANTED = ("original/*", "metal/*", "*/*.safetensors")
"""The same weights in other formats. vLLM would load every safetensors file below the prefix."""
MAX_WAIT_SECONDS = 60
TEMPORARY_STATUSES = (408, 429)
TEMPORARY_ERRORS = (OSError, http.client.HTTPException, ValueError)
"""Errors that a retry may resolve. A page that is not JSON raises ValueError."""
T = TypeVar("T")


class CopyError(Exception):
    """An error that a retry does not resolve. The text has the error and a fix."""


class RefusedError(CopyError):
    """An error that another run does not resolve either, but only a change of the stack or of the Hub's settings."""


class CorruptFileError(Exception):
    """The content does not match the Hub's size or hash."""


class StoppedError(Exception):
    """The copy of another file failed, so this one stops."""


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """One file of the commit."""

    name: str
    size: int
    algorithm: str
    """`sha256`, or `git-sha1` for a file stored in git itself (not in LFS)."""
    digest: str


class _TokenOnlyForTheHub(urllib.request.HTTPRedirectHandler):
    """Sends the token only to the Hub. The Hub redirects to itself and to storage, which must not see the token."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next request. urllib drops the token, because it is an unredirected header."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        token = req.unredirected_hdrs.get("Authorization")
        if following and token and origin_of(following.full_url) == origin_of(req.full_url):
            following.add_unredirected_header("Authorization", token)
        return following


_OPENER = urllib.request.build_opener(_TokenOnlyForTheHub)


@dataclass(frozen=True, kw_only=True)
class Hub:
    """One commit of a repository, and how requests for it are retried."""

    url: str
    model: str
    revision: str
    token: str | None
    attempts: int
    retry_seconds: float
    timeout_seconds: float
    """The time without any data after which a request is retried."""
    stop: threading.Event = field(default_factory=threading.Event)
    """When set, all waits and reads stop."""

    def files(self) -> list[HubFile]:
        """Return the files of the commit that vLLM needs. Raises CopyError."""
        model, revision = (urllib.parse.quote(text) for text in (self.model, self.revision))
        url = f"{self.url}/api/models/{model}/revision/{revision}?blobs=true"
        listed = self._with_retries(lambda: _json_of(self._open(url)))
        try:
            files = [file_of(entry) for entry in listed["siblings"] if is_wanted(entry["rfilename"])]
        except (KeyError, TypeError) as error:
            raise CopyError(f"{self.url} lists files without {error}. Use the Hub itself, not a mirror") from error
        if any(fnmatch.fnmatch(file.name, "model*.safetensors") for file in files):
            # Some repositories have the weights twice, the second time in the original training format.
            files = [file for file in files if not fnmatch.fnmatch(file.name, "consolidated*.safetensors")]
        if not any(file.name.endswith(".safetensors") for file in files):
            raise RefusedError(
                f"{self.model} has no safetensors files at {self.revision}, and vLLM can stream only those from S3. "
                "Set weights.source: huggingFace"
            )
        return files

    def open_file(self, name: str, start: int) -> http.client.HTTPResponse:
        """Open a file at a byte offset. Raises CopyError and CorruptFileError."""
        path = urllib.parse.quote(f"{self.model}/resolve/{self.revision}/{name}")
        return self._with_retries(lambda: self._open(f"{self.url}/{path}", start))

    def pause(self, tries: int, error: str, retry_after: str | None = None) -> None:
        """Wait before a retry: twice as long each time, or as long as the Hub asks. Raises StoppedError."""
        requested = float(retry_after) if retry_after and retry_after.isdecimal() else 0.0
        seconds = min(max(requested, self.retry_seconds * 2**tries), MAX_WAIT_SECONDS)
        say(f"{error}: retry in {seconds:.0f} s")
        if self.stop.wait(seconds):
            raise StoppedError

    def _open(self, url: str, start: int = 0) -> http.client.HTTPResponse:
        headers = {"User-Agent": "vllm-eks"} | ({"Range": f"bytes={start}-"} if start else {})
        request = urllib.request.Request(url, headers=headers)
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        return _OPENER.open(request, timeout=self.timeout_seconds)

    def _with_retries(self, exchange: Callable[[], T]) -> T:
        """Run an exchange, and retry it after temporary errors. Raises CopyError, CorruptFileError and StoppedError."""
        message = "no attempt was made"
        for tried in range(self.attempts):
            retry_after = None
            try:
                return exchange()
            except urllib.error.HTTPError as error:
                self._refuse(error)
                message = f"HTTP {error.code} from {origin_of(error.url)}"
                retry_after = error.headers.get("Retry-After")
            except TEMPORARY_ERRORS as error:
                message = str(getattr(error, "reason", error)) or type(error).__name__
            if tried + 1 < self.attempts:
                self.pause(tried, message, retry_after)
        raise CopyError(
            f"the Hub at {self.url} does not answer after {self.attempts} attempts ({message}). "
            "Check NAT and routes of the private subnets, or wait for the Hub"
        )

    def _refuse(self, error: urllib.error.HTTPError) -> None:
        """Raise RefusedError or CorruptFileError if a retry would get the same answer."""
        code, what = error.code, f"HTTP {error.code} from the Hub for {self.model}"
        if code == 416:
            raise CorruptFileError(f"a file of {self.model} is shorter than the Hub lists") from error
        # Storage URLs are signed by the Hub, which signs a new one for a retry.
        if code >= 500 or code in TEMPORARY_STATUSES or origin_of(error.url) != origin_of(self.url):
            return
        if code == 401:
            token = "the token is not valid" if self.token else "a token is required"
            raise RefusedError(
                f"{what}: {token}, or the repository does not exist. Run: pulumi config set --secret huggingFaceToken"
            ) from error
        if code == 403:
            advice = "the token's account has no access. Accept the model's terms on its page"
            raise RefusedError(f"{what}: {advice}") from error
        if code == 404:
            missing = f"revision {self.revision} or the repository does not exist"
            raise RefusedError(f"{what}: {missing}. Correct model and revision") from error
        raise RefusedError(f"{what}. Correct model and revision") from error


def say(line: str) -> None:
    """Write a line in one call. print writes the line end separately, so lines of several threads can mix."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def origin_of(url: str | None) -> str:
    """Return scheme, host and port."""
    parts = urllib.parse.urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}"


def is_wanted(name: str) -> bool:
    """Return whether vLLM reads a file."""
    return any(fnmatch.fnmatch(name, one) for one in WANTED) and not any(fnmatch.fnmatch(name, one) for one in UNWANTED)


def file_of(entry: Mapping[str, Any]) -> HubFile:
    """Parse one entry of the Hub's list."""
    large = entry.get("lfs")
    if large:
        return HubFile(name=entry["rfilename"], size=large["size"], algorithm="sha256", digest=large["sha256"])
    return HubFile(name=entry["rfilename"], size=entry["size"], algorithm="git-sha1", digest=entry["blobId"])


def total_size(files: Sequence[HubFile]) -> int:
    """Return the bytes of all files."""
    return sum(file.size for file in files)


def _json_of(answer: http.client.HTTPResponse) -> Any:  # noqa: ANN401  (JSON)
    with answer:
        return json.load(answer)
