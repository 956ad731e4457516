"""The check of API keys before vLLM's server (vllm_eks_keys.py)."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from vllm_eks.pods.vllm_eks_keys import ApiKeys


def answer(guard: ApiKeys, path: str = "/v1/completions", key: str | None = None, **scope: Any) -> Any:
    """Return the status, or the websocket's close event. 200 is the application's own."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", key.encode())] if key else []
    request = {"type": "http", "method": "POST", "path": path, "headers": headers, **scope}
    # Not asyncio.run, which closes the loop that other tests use.
    loop = asyncio.new_event_loop()
    loop.run_until_complete(guard(request, lambda: asyncio.sleep(0), send))
    loop.close()
    return sent[0].get("status", sent[0]["type"])


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200})


# --- vllm_eks_keys.py


def test_a_request_needs_a_key(keys: Path) -> None:
    guard = ApiKeys(application)
    assert answer(guard, key="Bearer first") == 200
    assert [answer(guard, key=wrong) for wrong in (None, "Bearer", "Bearer ", "Bearer firs", "Basic first")] == [
        401
    ] * 5


def test_each_of_two_keys_is_valid_and_a_change_needs_no_restart(keys: Path) -> None:
    guard = ApiKeys(application)
    assert answer(guard, key="Bearer second") == 401
    (keys / "secondApiKey").write_text("second")
    assert [answer(guard, key=f"Bearer {key}") for key in ("first", "second")] == [200, 200]
    (keys / "apiKey").unlink()
    assert [answer(guard, key=f"Bearer {key}") for key in ("first", "second")] == [401, 200]


def test_the_kubelet_s_links_to_keys_are_followed(keys: Path) -> None:
    (keys / "apiKey").unlink()
    for name, key in (("..1", "old"), ("..2", "new")):
        (keys / name).mkdir()
        (keys / name / "apiKey").write_text(key)
    (keys / "..data").symlink_to("..1")
    (keys / "apiKey").symlink_to("..data/apiKey")
    guard = ApiKeys(application)
    assert answer(guard, key="Bearer old") == 200
    (keys / "swap").symlink_to("..2")
    (keys / "swap").rename(keys / "..data")
    assert [answer(guard, key=f"Bearer {key}") for key in ("old", "new")] == [401, 200]


def test_anthropic_clients_keys_are_accepted(keys: Path) -> None:
    def status(*headers: tuple[bytes, bytes]) -> Any:
        return answer(ApiKeys(application), "/v1/messages", headers=list(headers))

    assert status((b"x-api-key", b"first")) == 200
    assert status((b"X-Api-Key", b"wrong")) == 401
    assert status((b"x-api-key", b"first"), (b"authorization", b"Basic eA==")) == 401


def test_without_keys_all_requests_fail(keys: Path) -> None:
    (keys / "apiKey").write_text("\n")
    assert [answer(ApiKeys(application), key=key) for key in (None, "Bearer ", "Bearer first")] == [401] * 3


@pytest.mark.parametrize("path", ["/tokenize", "/invocations", "/health/../v1/models", "/docs"])
def test_only_health_and_metrics_are_open(keys: Path, path: str) -> None:
    guard = ApiKeys(application)
    assert answer(guard, path) == 401
    assert [answer(guard, open_path) for open_path in ("/health", "/load", "/metrics", "/ping", "/version")] == [
        200
    ] * 5


def test_websockets_are_closed_and_the_servers_own_messages_pass(keys: Path) -> None:
    guard = ApiKeys(application)
    assert answer(guard, "/v1/realtime", type="websocket") == "websocket.close"
    assert answer(guard, type="lifespan") == 200
    assert answer(guard, method="OPTIONS") == 200
