"""The check of API keys before vLLM's server (vllm_eks_keys.py, client_keys.py)."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.asgi import Seen, answer, application, serve
from tests.support.mounted_secrets import replace
from vllm_eks.pods.client_keys import stored_digest
from vllm_eks.pods.vllm_eks_keys import ApiKeys

KEY = "a-key-of-team-a-1"
OUTSIDE = ("10.0.3.7", 40112)


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
    replace(keys, {"apiKey": "old"})
    guard = ApiKeys(application)
    assert answer(guard, key="Bearer old") == 200
    replace(keys, {"apiKey": "new"})
    assert [answer(guard, key=f"Bearer {key}") for key in ("old", "new")] == [401, 200]


def test_a_named_key_is_valid_until_it_is_revoked_and_its_digest_never_is(keys: Path) -> None:
    digest = stored_digest("vllm-scout", KEY)
    replace(keys, {"apiKey": "first", "client.team-a": digest})
    guard = ApiKeys(application)
    assert [answer(guard, key=f"Bearer {key}") for key in ("first", KEY, digest, KEY[:-1], KEY + "x")] == [
        *(200, 200),
        *(401, 401, 401),
    ]
    raw = b"Bearer " + bytes.fromhex(digest.rpartition(":")[2])
    assert answer(guard, headers=[(b"authorization", raw)]) == 401
    replace(keys, {"apiKey": "first"})
    assert [answer(guard, key=f"Bearer {key}") for key in ("first", KEY)] == [200, 401]


def test_a_client_of_other_models_gets_403(keys: Path) -> None:
    replace(keys, {"apiKey": "first", "denied.team-b": stored_digest("vllm-scout", KEY)})
    seen = Seen()
    serve(ApiKeys(application), seen, key=f"Bearer {KEY}")
    assert (seen.status, seen.body) == (403, b'{"error": "The client team-b may not use this model"}')
    assert answer(ApiKeys(application), key=f"Bearer {KEY}", type="websocket") == "websocket.close"


def test_the_digest_of_one_model_is_not_valid_on_another() -> None:
    one, other = stored_digest("vllm-scout", KEY), stored_digest("vllm-qwen", KEY)
    assert one.startswith("sha256:vllm-scout:")
    assert one.rpartition(":")[2] != other.rpartition(":")[2]
    assert KEY not in one


OF_ANOTHER_FORM = stored_digest("salt", KEY).replace("sha256", "sha512")


@pytest.mark.parametrize("entry", ["", "\n", KEY, "sha256:salt", "sha256:salt:xyz", OF_ANOTHER_FORM, "::"])
def test_a_wrong_entry_of_a_named_client_is_no_key(keys: Path, entry: str) -> None:
    replace(keys, {"apiKey": "first", "client.team-a": entry})
    guard = ApiKeys(application)
    assert [answer(guard, key=f"Bearer {key}") for key in ("first", entry or "x", KEY)] == [200, 401, 401]


def test_anthropic_clients_keys_are_accepted(keys: Path) -> None:
    def status(*headers: tuple[bytes, bytes]) -> Any:
        return answer(ApiKeys(application), "/v1/messages", headers=list(headers))

    assert status((b"x-api-key", b"first")) == 200
    assert status((b"X-Api-Key", b"wrong")) == 401
    assert status((b"x-api-key", b"first"), (b"authorization", b"Basic eA==")) == 401


def test_without_keys_all_requests_fail(keys: Path) -> None:
    (keys / "apiKey").write_text("\n")
    assert [answer(ApiKeys(application), key=key) for key in (None, "Bearer ", "Bearer first")] == [401] * 3


@pytest.mark.parametrize(
    "path", ["/tokenize", "/invocations", "/health/../v1/models", "/docs", "/health/", "/ping", "/version"]
)
def test_only_health_is_open(keys: Path, path: str) -> None:
    guard = ApiKeys(application)
    assert [answer(guard, path, client=peer) for peer in (OUTSIDE, ("127.0.0.1", 40112))] == [401, 401]
    assert answer(guard, "/health", client=OUTSIDE) == 200


@pytest.mark.parametrize("path", ["/metrics", "/load"])
def test_the_pod_itself_reads_its_metrics_without_a_key(keys: Path, path: str) -> None:
    guard = ApiKeys(application)
    own = ("127.0.0.1", 40112)
    assert [answer(guard, path, client=peer) for peer in (own, ("::1", 40112), OUTSIDE, None)] == [200, 200, 401, 401]
    assert answer(guard, path, client=OUTSIDE, key="Bearer first") == 200
    # uvicorn can take the address from these headers, and a proxy in the pod forwards requests of others.
    for header in (b"X-Forwarded-For", b"x-real-ip", b"Forwarded"):
        assert answer(guard, path, client=own, headers=[(header, b"127.0.0.1")]) == 401
    # vLLM answers these spellings too: its mount is ^/metrics(?P<path>.*)$.
    assert [answer(guard, other, client=own) for other in (f"/{path}", f"{path}/", f"{path}x")] == [401] * 3


def test_the_root_path_is_not_part_of_the_path(keys: Path) -> None:
    guard = ApiKeys(application)
    assert answer(guard, "/models/health", root_path="/models", client=OUTSIDE) == 200
    assert answer(guard, "/models/metrics", root_path="/models", client=OUTSIDE) == 401


def test_a_browsers_preflight_needs_no_key_and_other_options_do(keys: Path) -> None:
    guard = ApiKeys(application)
    preflight = [(b"Origin", b"https://chat.example.com"), (b"Access-Control-Request-Method", b"POST")]
    assert answer(guard, method="OPTIONS", headers=preflight) == 200
    # vLLM's /metrics answers every method with the metrics.
    for headers in ([], preflight[:1], preflight[1:]):
        assert answer(guard, "/metrics", method="OPTIONS", headers=headers, client=OUTSIDE) == 401
    assert answer(guard, method="POST", headers=preflight) == 401


def test_websockets_are_closed_and_the_servers_own_messages_pass(keys: Path) -> None:
    guard = ApiKeys(application)
    assert answer(guard, "/v1/realtime", type="websocket") == "websocket.close"
    assert answer(guard, type="lifespan") == 200
