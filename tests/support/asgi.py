"""Requests to an ASGI application without a server."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Application = Callable[[Any, Any, Any], Awaitable[None]]


@dataclass
class Seen:
    """What a client sees of a response."""

    messages: list[Any] = field(default_factory=list)

    @property
    def status(self) -> Any:
        """The status, or the websocket's close event."""
        return self.messages[0].get("status", self.messages[0]["type"])

    @property
    def body(self) -> bytes:
        return b"".join(one.get("body", b"") for one in self.messages)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer 200 to everything."""
    await send({"type": "http.response.start", "status": 200})


def serve(served: Application, seen: Seen, path: str = "/v1/completions", key: str | None = None, **scope: Any) -> None:
    """Send one request. Its client then waits, and stays connected."""
    run(request(served, seen, path, key, **scope))


async def request(
    served: Application, seen: Seen, path: str = "/v1/completions", key: str | None = None, **scope: Any
) -> None:
    headers = [(b"authorization", key.encode())] if key else []
    asked = {"type": "http", "method": "POST", "path": path, "headers": headers, **scope}

    async def send(message: Any) -> None:
        seen.messages.append(message)

    async def receive() -> Any:
        return scope.get("said", {"type": "http.request"})

    await served(asked, receive, send)


def answer(served: Application, path: str = "/v1/completions", key: str | None = None, **scope: Any) -> Any:
    """Return the status, or the websocket's close event. 200 is the application's own."""
    seen = Seen()
    serve(served, seen, path, key, **scope)
    return seen.status


def run(coroutine: Any) -> Any:
    """Run a coroutine. Not asyncio.run, which closes the loop that other tests use."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
