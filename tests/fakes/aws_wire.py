"""Intercepts the calls of boto3 in the tests of `leftovers`: all are recorded, and some are answered here.

It uses botocore's event `before-call`: a handler's result replaces AWS's response. So a permission can be removed, and
there are answers that moto lacks: placement groups, and responses with several pages.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.aws_shapes import must_fit

Answer = dict[str, Any]


@dataclass
class Wire:
    """The calls, as service.Operation, and the answers that replace AWS's."""

    calls: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    """The requests, call by call."""
    pages: dict[str, Sequence[Answer]] = field(default_factory=dict)
    """By operation: the answers in order. The last one is repeated."""
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By operation: what the request must contain, and the code that denies it."""

    def before_call(self, event_name: str, params: dict[str, Any], model: Any, **_: Any) -> Any:
        """Record a call, and answer it or pass it to moto."""
        call = event_name.removeprefix("before-call.")
        self.calls.append(call)
        self.bodies.append(str(params.get("body", "")))
        held, code = self.refused.get(call, ("", ""))
        if code and held in _text(params):
            return _Status(400), {"Error": {"Code": code, "Message": "Text of AWS."}, "ResponseMetadata": {}}
        if call in self.pages:
            answers = self.pages[call]
            number = min(self.calls.count(call), len(answers)) - 1
            must_fit(answers[number], model.output_shape, f"answer to {call}")
            return _Status(200), {**answers[number], "ResponseMetadata": {}}
        return None


@dataclass
class _Status:
    status_code: int


def _text(params: dict[str, Any]) -> str:
    body = params.get("body", "")
    return f"{params.get('url_path')} {body.decode() if isinstance(body, bytes) else body}"


class WiredSession:
    """A boto3 session whose clients' calls can be intercepted.

    Each service of a region has one client for all tests, because creating one takes as long as ten calls.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._clients: dict[tuple[str, str], Any] = {}
        self._wire: Wire | None = None

    def client(self, service: str, region_name: str, **others: Any) -> Any:
        """Return a client, created with the options of the first request for its service and region."""
        if (service, region_name) not in self._clients:
            client = self._session.client(service, region_name=region_name, **others)
            client.meta.events.register("before-call", self._before_call)
            self._clients[service, region_name] = client
        return self._clients[service, region_name]

    @contextmanager
    def held(self, wire: Wire) -> Iterator[None]:
        """Intercept the calls of the clients."""
        self._wire = wire
        try:
            yield
        finally:
            self._wire = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def _before_call(self, **asked: Any) -> Any:
        return self._wire.before_call(**asked) if self._wire else None


def written(text: str) -> str:
    """Return a text with moto's random IDs replaced by numbered ones of the same length.

    Trailing spaces, which pad tables, are removed.
    """
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    for pattern in (
        r"(?<=[a-z]-)[0-9a-f]{17}\b",
        r"(?<=k8s-vllm-scout/)[0-9a-f]+|(?<=k8s-vllm-scout-tg/)[0-9a-f]+"
        r"|(?<=dev-endpoint/)[0-9a-f]+|(?<=dev-scout/)[0-9a-f]+",
        r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b",
    ):
        numbers: dict[str, str] = {}
        for found in re.findall(pattern, text):
            numbers.setdefault(found, f"{len(numbers) + 1:0{len(found)}d}")
        for found, number in numbers.items():
            text = text.replace(found, number)
    return re.sub(r"gone on \d{4}-\d\d-\d\d", "gone on 2026-12-01", text)
