"""The wire between boto3 and AWS, as the tests of `leftovers` hold it: every call is seen, some are answered here.

It hangs on botocore's own event `before-call`: what a handler returns there stands for AWS's answer. So a permission
can be taken away, and answered what moto cannot: placement groups, and answers of more than one page.
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
    """What went over the wire, as service.Operation, and what is answered in AWS's place."""

    calls: list[str] = field(default_factory=list)
    pages: dict[str, Sequence[Answer]] = field(default_factory=dict)
    """By operation: one answer after the other; the last again and again."""
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By operation: what the request must hold, and the code it is refused with."""

    def before_call(self, event_name: str, params: dict[str, Any], model: Any, **_: Any) -> Any:
        """Record a call, and answer it or let it go on to moto."""
        call = event_name.removeprefix("before-call.")
        self.calls.append(call)
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


@contextmanager
def held(session: Any, wire: Wire) -> Iterator[Wire]:
    """Put the wire between a session's new clients and AWS."""
    session.events.register("before-call", wire.before_call, unique_id="wire")
    try:
        yield wire
    finally:
        session.events.unregister("before-call", unique_id="wire")


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
