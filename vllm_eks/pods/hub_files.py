"""Files of one commit on the Hugging Face Hub: which there are, and how each is opened.

Standard library only: this runs in an image that has Python and boto3 and nothing else.
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
"""What vLLM reads of a repository. No pickled weights: runai_streamer reads safetensors alone."""
UNWANTED = ("original/*", "metal/*", "*/*.safetensors")
"""The same weights in other forms; and vLLM takes every safetensors file below the prefix for the model's own."""
TIMEOUT_SECONDS = 60
LONGEST_WAIT_SECONDS = 60
PASSING_STATUSES = (408, 429)
PASSING_ERRORS = (OSError, http.client.HTTPException, ValueError)
"""What an exchange may raise without meaning more than: not now. A page that is no JSON is a ValueError."""
T = TypeVar("T")


class CopyError(Exception):
    """A fault that another try does not mend; its text is what to say and what to do."""


class RefusedError(CopyError):
    """A fault that another run does not change either: only an edit of the stack, or of the Hub's settings, does."""


class CorruptFileError(Exception):
    """What came is not what the Hub promised."""


class StoppedError(Exception):
    """Another file failed for good."""


@dataclass(frozen=True, kw_only=True)
class HubFile:
    """One file of the commit."""

    name: str
    size: int
    algorithm: str
    """`sha256`, or `git-sha1` for a file that git itself holds."""
    digest: str


class _TokenStaysAtTheHub(urllib.request.HTTPRedirectHandler):
    """The Hub sends on to itself, where a gated model needs the token, and to storage, which must not see it."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the next request. urllib has dropped the token, as it drops all that was added `unredirected`."""
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        token = req.unredirected_hdrs.get("Authorization")
        if following and token and origin_of(following.full_url) == origin_of(req.full_url):
            following.add_unredirected_header("Authorization", token)
        return following


_OPENER = urllib.request.build_opener(_TokenStaysAtTheHub)


@dataclass(frozen=True, kw_only=True)
class Hub:
    """One commit of one repository, and how patiently it is asked."""

    url: str
    model: str
    revision: str
    token: str | None
    attempts: int
    retry_seconds: float
    stop: threading.Event = field(default_factory=threading.Event)
    """Once set, nothing is waited for and no file is read further."""

    def files(self) -> list[HubFile]:
        """Return what vLLM needs of the commit. Raises CopyError."""
        model, revision = (urllib.parse.quote(text) for text in (self.model, self.revision))
        url = f"{self.url}/api/models/{model}/revision/{revision}?blobs=true"
        listed = self._patiently(lambda: _json_of(self._open(url)))
        try:
            files = [file_of(entry) for entry in listed["siblings"] if is_wanted(entry["rfilename"])]
        except (KeyError, TypeError) as error:
            raise CopyError(f"{self.url} lists no {error} of files. Ask the Hub itself, not a mirror") from error
        if any(fnmatch.fnmatch(file.name, "model*.safetensors") for file in files):
            # Some repositories hold the weights twice, in the form of the one who trained them too.
            files = [file for file in files if not fnmatch.fnmatch(file.name, "consolidated*.safetensors")]
        if not any(file.name.endswith(".safetensors") for file in files):
            raise RefusedError(
                f"{self.model} has no safetensors at {self.revision}, and nothing else can be streamed. "
                "Write weights.source: huggingFace"
            )
        return files

    def open_file(self, name: str, start: int) -> http.client.HTTPResponse:
        """Open a file at a byte. Raises CopyError and CorruptFileError."""
        path = urllib.parse.quote(f"{self.model}/resolve/{self.revision}/{name}")
        return self._patiently(lambda: self._open(f"{self.url}/{path}", start))

    def pause(self, tries: int, said: str, asked: str | None = None) -> None:
        """Wait before another try: twice as long each time, or what the Hub asks for. Raises StoppedError."""
        wished = float(asked) if asked and asked.isdecimal() else 0.0
        seconds = min(max(wished, self.retry_seconds * 2**tries), LONGEST_WAIT_SECONDS)
        say(f"{said}: once more in {seconds:.0f} s")
        if self.stop.wait(seconds):
            raise StoppedError

    def _open(self, url: str, start: int = 0) -> http.client.HTTPResponse:
        headers = {"User-Agent": "vllm-eks"} | ({"Range": f"bytes={start}-"} if start else {})
        request = urllib.request.Request(url, headers=headers)
        if self.token:
            request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        return _OPENER.open(request, timeout=TIMEOUT_SECONDS)

    def _patiently(self, exchange: Callable[[], T]) -> T:
        """Ask, again and again where that may help. Raises CopyError, CorruptFileError and StoppedError."""
        said = "nothing was tried"
        for tried in range(self.attempts):
            asked = None
            try:
                return exchange()
            except urllib.error.HTTPError as error:
                self._refuse(error)
                said, asked = f"HTTP {error.code} of {origin_of(error.url)}", error.headers.get("Retry-After")
            except PASSING_ERRORS as error:
                said = str(getattr(error, "reason", error)) or type(error).__name__
            if tried + 1 < self.attempts:
                self.pause(tried, said, asked)
        raise CopyError(
            f"the Hub at {self.url} does not answer after {self.attempts} tries ({said}). "
            "Look at NAT and routes of the private subnets, or wait for the Hub"
        )

    def _refuse(self, error: urllib.error.HTTPError) -> None:
        """Raise RefusedError, or CorruptFileError, where another try gives the same answer."""
        code, what = error.code, f"HTTP {error.code} of the Hub for {self.model}"
        if code == 416:
            raise CorruptFileError(f"a file of {self.model} is shorter than the Hub lists") from error
        # What the storage refuses was signed for by the Hub, and is signed anew for another try.
        if code >= 500 or code in PASSING_STATUSES or origin_of(error.url) != origin_of(self.url):
            return
        if code == 401:
            token = "the token is not valid" if self.token else "it needs a token"
            raise RefusedError(
                f"{what}: {token}, or there is no such repository. Run: pulumi config set --secret huggingFaceToken"
            ) from error
        if code == 403:
            said = "the token's account may not have it. Accept the model's terms on its page"
            raise RefusedError(f"{what}: {said}") from error
        if code == 404:
            said = f"there is no revision {self.revision}, or no such repository"
            raise RefusedError(f"{what}: {said}. Correct model and revision") from error
        raise RefusedError(f"{what}. Correct model and revision") from error


def say(line: str) -> None:
    """Write a line at once: print writes its end apart from it, and lines of several threads ran together."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def origin_of(url: str | None) -> str:
    """Return scheme, host and port."""
    parts = urllib.parse.urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}"


def is_wanted(name: str) -> bool:
    """Tell whether vLLM reads a file."""
    return any(fnmatch.fnmatch(name, one) for one in WANTED) and not any(fnmatch.fnmatch(name, one) for one in UNWANTED)


def file_of(entry: Mapping[str, Any]) -> HubFile:
    """Read one entry of the Hub's list."""
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
