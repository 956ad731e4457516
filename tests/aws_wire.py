"""The wire between boto3 and AWS, as the tests of `leftovers` hold it: every call is seen, some are answered here.

It hangs on botocore's own event `before-call`: what a handler returns there stands for AWS's answer. So a permission
can be taken away, and answered what moto cannot: placement groups, and answers of more than one page.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aws_shapes import must_fit

Answer = dict[str, Any]


@dataclass
class Wire:
    """What went over the wire, as service.Operation, and what is answered in AWS's place."""

    calls: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    """Of the requests, call by call."""
    pages: dict[str, Sequence[Answer]] = field(default_factory=dict)
    """By operation: one answer after the other; the last again and again."""
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By operation: what the request must hold, and the code it is refused with."""

    def before_call(self, event_name: str, params: dict[str, Any], model: Any, **_: Any) -> Any:
        """Record a call, and answer it or let it go on to moto."""
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
    """A boto3 session whose clients have a wire between them and AWS while one is held there.

    Each service of a region has one client for all tests: to make one takes as long as ten questions.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._clients: dict[tuple[str, str], Any] = {}
        self._wire: Wire | None = None

    def client(self, service: str, region_name: str, **others: Any) -> Any:
        """Return a client, made as the first that asked for its service and region wanted it."""
        if (service, region_name) not in self._clients:
            client = self._session.client(service, region_name=region_name, **others)
            client.meta.events.register("before-call", self._before_call)
            self._clients[service, region_name] = client
        return self._clients[service, region_name]

    @contextmanager
    def held(self, wire: Wire) -> Iterator[None]:
        """Put a wire between the clients and AWS."""
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
    """Return a text with every id that moto makes up replaced by one of the same length, numbered as they come.

    Blanks at the ends of lines, which fill up tables, go.
    """
    text = re.sub(r" +$", "", text, flags=re.MULTILINE)
    for pattern in (r"(?<=[a-z]-)[0-9a-f]{17}\b", r"(?<=k8s-vllm-scout/)[0-9a-f]+|(?<=k8s-vllm-scout-tg/)[0-9a-f]+",
                    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"):  # fmt: skip
        numbers: dict[str, str] = {}
        for found in re.findall(pattern, text):
            numbers.setdefault(found, f"{len(numbers) + 1:0{len(found)}d}")
        for found, number in numbers.items():
            text = text.replace(found, number)
    return re.sub(r"gone on \d{4}-\d\d-\d\d", "gone on 2026-12-01", text)
