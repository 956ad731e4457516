"""A model repository of the Hugging Face Hub at one commit: its file names, JSON files and safetensors headers."""

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import (
    build_hf_headers,  # pyright: ignore[reportUnknownVariableType]  (a bare dict among its parameters)
    get_session,
    hf_raise_for_status,
)

from vllm_eks.errors import WrongQuestion
from vllm_eks.json_values import is_object

TIMEOUT_SECONDS = 10.0
"""Time without data after which a request is aborted."""
DEADLINE_SECONDS = 60.0
"""Limit for one response, even if data arrives steadily."""
ATTEMPTS = 3
PAUSE_SECONDS = 0.3
LENGTH_BYTES = 8
"""A safetensors file begins with the length of its header, little-endian."""
MAX_HEADER_BYTES = 100_000_000
"""The limit in the safetensors format."""
MAX_JSON_BYTES = 64_000_000


class MissingFile(WrongQuestion):
    """The repository has no such file."""


@dataclass(frozen=True, kw_only=True)
class HubRepository:
    """One commit of a repository."""

    api: HfApi
    id: str
    commit: str
    gated: bool
    files: tuple[str, ...]
    """The names of all files. Empty if the endpoint does not list them."""
    timeout_seconds: float = TIMEOUT_SECONDS

    def holds(self, name: str) -> bool:
        """Return whether the repository has a file.

        Raises:
            WrongQuestion: The files are not listed, and the Hub does not answer.
        """
        if self.files:
            return name in self.files
        try:
            self._fetch(name, 0, 1, may_end_early=True)
        except MissingFile:
            return False
        return True

    def read_json(self, name: str) -> dict[str, Any]:
        """Return a JSON object of the repository.

        Raises:
            WrongQuestion: The file cannot be downloaded, or contains no JSON object.
        """
        content = self._fetch(name, 0, MAX_JSON_BYTES, may_end_early=True)
        try:
            document: object = json.loads(content)
        except ValueError:
            document = None
        if not is_object(document):
            raise WrongQuestion(f"{self.id}: {name} is not a JSON object")
        return document

    def read_header(self, name: str) -> dict[str, tuple[str, list[int]]]:
        """Return name -> (dtype, shape) of all tensors in a safetensors file. Only its header is downloaded.

        Raises:
            WrongQuestion: The header cannot be downloaded, or is not a safetensors header.
        """
        length = int.from_bytes(self._fetch(name, 0, LENGTH_BYTES), "little")
        if not 0 < length <= MAX_HEADER_BYTES:
            raise WrongQuestion(f"{self.id}: {name} is not a safetensors file: its header would have {length} bytes")
        content = self._fetch(name, LENGTH_BYTES, length)
        try:
            header = json.loads(content)
            return {
                tensor: (str(facts["dtype"]), [int(size) for size in facts["shape"]])
                for tensor, facts in header.items()
                if tensor != "__metadata__"
            }
        except (ValueError, TypeError, KeyError, AttributeError):
            raise WrongQuestion(f"{self.id}: the header of {name} is not a safetensors header") from None

    def _fetch(self, name: str, start: int, length: int, *, may_end_early: bool = False) -> bytes:
        """Return `length` bytes of a file, and never more, even if the server ignores the range."""
        url = hf_hub_url(self.id, name, revision=self.commit, endpoint=self.api.endpoint)
        headers = {**build_hf_headers(token=self.api.token), "Range": f"bytes={start}-{start + length - 1}"}
        with hub_errors_explained(self.api, self.id, self.commit, what=name):
            content = self._try_again(url, headers, start, length)
        if len(content) < length and not may_end_early:
            raise WrongQuestion(f"{self.id}: {name} ends after {start + len(content)} bytes, within its header")
        return content

    def _try_again(self, url: str, headers: dict[str, str], start: int, length: int) -> bytes:
        for _ in range(ATTEMPTS - 1):
            try:
                return self._stream(url, headers, start, length)
            except httpx.TimeoutException:
                raise  # the user has waited long enough
            except httpx.TransportError:
                time.sleep(PAUSE_SECONDS)
        return self._stream(url, headers, start, length)

    def _stream(self, url: str, headers: dict[str, str], start: int, length: int) -> bytes:
        begun, content = time.monotonic(), bytearray()
        with get_session().stream("GET", url, headers=headers, timeout=self.timeout_seconds) as response:
            if response.is_error:
                response.read()
            hf_raise_for_status(response)
            skip = 0 if response.status_code == HTTPStatus.PARTIAL_CONTENT else start
            for piece in response.iter_bytes():
                content += piece
                if len(content) >= skip + length:
                    break
                if time.monotonic() - begun > max(DEADLINE_SECONDS, self.timeout_seconds):
                    raise httpx.ReadTimeout("too slow")
        return bytes(content[skip : skip + length])


def open_repository(
    model_id: str, revision: str | None, *, api: HfApi | None = None, timeout_seconds: float = TIMEOUT_SECONDS
) -> HubRepository:
    """Return a model's repository at the commit that `revision` (or main) currently refers to.

    Raises:
        WrongQuestion: The name is invalid, or the Hub does not show the repository or revision. The message has a fix.
    """
    # HF_ENDPOINT and HF_TOKEN are read by huggingface_hub itself.
    api = api or HfApi()
    with hub_errors_explained(api, model_id, revision, what="model information"):
        info = api.model_info(model_id, revision=revision, timeout=timeout_seconds)
    return HubRepository(
        api=api,
        id=model_id,
        commit=str(info.sha),
        gated=bool(info.gated),
        files=tuple(sorted(file.rfilename for file in info.siblings or ())),
        timeout_seconds=timeout_seconds,
    )


@contextmanager
def hub_errors_explained(api: HfApi, model_id: str, revision: str | None, *, what: str) -> Generator[None]:
    """Turn errors of huggingface_hub and the network into one sentence, which never contains a token."""
    try:
        yield
    except HFValidationError:
        raise WrongQuestion(f"{model_id!r} is not a Hub model ID: use <organization>/<name>") from None
    except GatedRepoError:
        raise WrongQuestion(
            f"{model_id} is gated: request access at {api.endpoint}/{model_id}, then set HF_TOKEN to a token of an "
            f"account with access"
        ) from None
    except RevisionNotFoundError:
        raise WrongQuestion(f"{model_id} has no revision {revision!r} at {api.endpoint}") from None
    except RepositoryNotFoundError as error:
        raise WrongQuestion(_not_found(api, model_id, error)) from None
    except RemoteEntryNotFoundError:
        raise MissingFile(f"{model_id} has no {what} at {api.endpoint}") from None
    except HfHubHTTPError as error:
        raise WrongQuestion(_refused(api, model_id, what, error)) from None
    except httpx.TimeoutException:
        raise WrongQuestion(
            f"{api.endpoint} did not answer in time for {what} of {model_id}: try again later"
        ) from None
    except httpx.TransportError as error:
        raise WrongQuestion(
            f"{api.endpoint} cannot be reached, or lost the connection, for {what} of {model_id} "
            f"({type(error).__name__}): check the network and HF_ENDPOINT"
        ) from None


def _not_found(api: HfApi, model_id: str, error: RepositoryNotFoundError) -> str:
    if error.response.status_code == HTTPStatus.NOT_FOUND:
        return f"{api.endpoint} has no model {model_id}, or this account has no access: check the name"
    return f"{api.endpoint} has no public model {model_id}: check the name; for a private or gated model set HF_TOKEN"


def _refused(api: HfApi, model_id: str, what: str, error: HfHubHTTPError) -> str:
    status = error.response.status_code
    if status == HTTPStatus.UNAUTHORIZED:
        return (
            f"{api.endpoint} does not accept the token in HF_TOKEN: create a new one at {api.endpoint}/settings/tokens"
        )
    if status == HTTPStatus.FORBIDDEN:
        return f"{api.endpoint} denies this token access to {what} of {model_id}: give it read access to the repository"
    return f"{api.endpoint} answered {status} for {what} of {model_id}: try again later"
