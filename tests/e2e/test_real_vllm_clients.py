"""Named keys and counts by client with a real vLLM: streams, disconnects, revoked keys, the metrics port.

One pod of each version. Counts are compared with vLLM's own `usage`, and with its own counters.
"""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.real_clients import (
    ANSWER,
    CHAT,
    KEY,
    MESSAGE,
    OTHER,
    SECRET,
    TEXT,
    Counts,
    engine_tokens,
    expect,
    gained,
    log_lines,
    pod_ip_request,
    posted,
    settled,
    streamed,
)
from tests.e2e.real_pods import CHOSEN, LATE_SECONDS, QUICK, START_SECONDS, pods, rendered_for, until
from vllm_eks.pods.client_keys import stored_digest


@pytest.fixture(scope="module", params=CHOSEN)
def version(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def pod(version: str) -> Iterator[Any]:
    secrets = {"llama-api-key": SECRET}
    with pods.running_pod(rendered_for(version), version=version, env=QUICK, secrets=secrets) as pod:
        until(LATE_SECONDS, lambda: "vllm_eks_startup_phase" in pod_ip_request(pod, 8001, "/metrics")[1])
        status, text = pod_ip_request(pod, 8001, "/metrics")
        assert (status, "vllm_eks_engine_up 0.0" in text) == (200, True), "metrics before vLLM answers"
        pod.wait_ready(START_SECONDS)
        yield pod


def test_metrics_are_closed_to_others_on_the_apis_port_and_open_on_their_own(pod: Any) -> None:
    assert [pod_ip_request(pod, 8000, path)[0] for path in ("/health", "/metrics", "/load", "/version", "/ping")] == [
        *(200, 401),
        *(401, 401, 401),
    ]
    # Paths that vLLM answers too, and a client that claims to be the pod.
    assert [pod_ip_request(pod, 8000, path)[0] for path in ("//metrics", "/metrics/", "/%6detrics", "/metricsx")] == [
        401
    ] * 4
    claims = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1", "X-Real-IP": "127.0.0.1"}
    assert pod_ip_request(pod, 8000, "/metrics", claims)[0] == 401
    for method in ("OPTIONS", "HEAD", "POST"):
        assert pod_ip_request(pod, 8000, "/metrics", {"Origin": "https://a"}, method)[0] == 401
    preflight = {"Origin": "https://a", "Access-Control-Request-Method": "GET"}
    # CORSMiddleware alone answers. 0.32.0 allows no origin by default.
    said = pod_ip_request(pod, 8000, "/metrics", preflight, "OPTIONS")
    assert said in ((200, "OK"), (400, "Disallowed CORS origin"))
    assert pod.request("/metrics")[0] == 200, "the pod's own probe"
    assert pod_ip_request(pod, 8000, "/metrics", {"Authorization": f"Bearer {KEY}"})[0] == 200
    status, text = pod_ip_request(pod, 8001, "/metrics")
    assert status == 200
    for name in ("vllm:num_requests_running", "vllm_eks_client_requests_total", "vllm_eks_engine_up 1.0"):
        assert name in text
    assert 'vllm_eks_startup_phase{phase="serving"} 1.0' in text


def test_a_key_is_for_its_models_and_the_log_has_the_client(pod: Any) -> None:
    before = settled(pod)
    assert pod.request("/v1/models", key=KEY)[0] == 200
    assert pod.request("/v1/models", key=OTHER) == (403, '{"error": "The client team-b may not use this model"}')
    assert pod.request("/v1/models", key=SECRET["client.team-a"])[0] == 401
    assert pod.request("/v1/models")[0] == 401
    expect(
        pod,
        before,
        {
            ("requests", "team-a", "200"): 1,
            ("requests", "team-b", "403"): 1,
            ("requests", "unknown", "401"): 2,
            ("refusals", "team-b", "model"): 1,
            ("refusals", "unknown", "unknown_key"): 1,
            ("refusals", "unknown", "no_key"): 1,
        },
    )
    assert any("client=team-a from=127.0.0.1 method=GET path=/v1/models status=200" in line for line in log_lines(pod))
    log = pod.log()
    assert [key for key in (KEY, OTHER, "key-one") if key in log] == []


def one_answer(prompt: float, generation: float) -> Counts:
    """Return what one answered request of team-a adds to the counts."""
    return {
        ("requests", "team-a", "200"): 1,
        ("tokens", "team-a", "prompt"): prompt,
        ("tokens", "team-a", "generation"): generation,
    }


ENDPOINTS: dict[str, tuple[str, dict[str, Any]]] = {
    "completion": ("/v1/completions", TEXT),
    "two answers": ("/v1/completions", {**TEXT, "n": 2, "temperature": 1}),
    "two prompts": ("/v1/completions", {**TEXT, "prompt": ["Hello", "Hello world"]}),
    "stop string": ("/v1/completions", {**TEXT, "max_tokens": 40, "stop": ["a", "e", "o"]}),
    "chat": ("/v1/chat/completions", CHAT),
    "response": ("/v1/responses", ANSWER),
    "message": ("/v1/messages", MESSAGE),
}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_tokens_equal_the_usage_of_each_endpoint(pod: Any, name: str) -> None:
    path, body = ENDPOINTS[name]
    before = settled(pod)
    prompt, generation = posted(pod, path, body)
    expect(pod, before, one_answer(prompt, generation))
    # The same as a stream, which shows no usage. Chunks are not tokens: one may have several or none.
    before = settled(pod)
    assert b'"usage":{' not in streamed(pod, path, {**body, "stream": True}) or path not in (
        "/v1/completions",
        "/v1/chat/completions",
    )
    expect(pod, before, one_answer(prompt, generation))


def test_a_beam_search_counts_what_the_engine_did(pod: Any) -> None:
    before, engine = settled(pod), engine_tokens(pod)
    body = {**TEXT, "use_beam_search": True, "n": 2, "max_tokens": 4}
    assert pod.request("/v1/completions", key=KEY, body=body, timeout=300)[0] == 200
    prompt, generation = (now - start for now, start in zip(engine_tokens(pod), engine, strict=True))
    assert generation >= 7, "two answers of four tokens, which share the first one"
    expect(pod, before, one_answer(prompt, generation))


def test_counts_equal_the_engines_own_when_clients_leave_at_any_time(pod: Any) -> None:
    before, engine = settled(pod), engine_tokens(pod)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    streams: list[Any] = []
    for n in (1, 2, 1, 3):
        connection = pod.connect(LATE_SECONDS)
        body = {**TEXT, "max_tokens": 300, "n": n, "temperature": 1, "stream": True}
        connection.request("POST", "/v1/completions", json.dumps(body), headers)
        streams.append((connection, connection.getresponse()))
    for lines, (connection, answer) in zip((1, 30, 90), streams, strict=False):
        for _ in range(lines):
            answer.readline()
        answer.close()
        connection.close()
    connection, answer = streams[-1]
    assert answer.read().endswith(b"data: [DONE]\n\n")
    connection.close()
    prompt, generation = (now - start for now, start in zip(engine_tokens(pod), engine, strict=True))
    assert generation > 900
    # vLLM counts the prompt of each answer of a request, and this counts it once, as `usage` does.
    assert prompt == 2 * (1 + 2 + 1 + 3)
    expect(
        pod,
        before,
        {
            ("requests", "team-a", "499"): 3,
            ("requests", "team-a", "200"): 1,
            ("tokens", "team-a", "prompt"): 8,
            ("tokens", "team-a", "generation"): generation,
        },
    )


@pytest.mark.parametrize("is_stream", [True, False], ids=["stream", "no stream"])
def test_what_a_client_that_leaves_has_used_is_counted(pod: Any, is_stream: bool) -> None:
    before = settled(pod)
    connection = pod.connect()
    body = {**TEXT, "max_tokens": 3000, "stream": is_stream}
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    connection.request("POST", "/v1/completions", json.dumps(body), headers)
    answer = connection.getresponse() if is_stream else None
    if answer:
        for _ in range(40):
            assert answer.readline()
    else:
        # The engine has made some tokens when its own counter moves.
        _, start = engine_tokens(pod)
        until(LATE_SECONDS, lambda: engine_tokens(pod)[1] > start + 20)
    if answer:
        answer.close()
    connection.close()
    left = ("requests", "team-a", "499")
    until(LATE_SECONDS, lambda: gained(pod, before).get(left) == 1)
    found = gained(pod, before)
    assert found["tokens", "team-a", "prompt"] == 2
    assert 15 <= found["tokens", "team-a", "generation"] < 3000


def test_a_revoked_key_ends_no_stream_and_is_refused_afterwards(pod: Any) -> None:
    connection = pod.connect()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    connection.request("POST", "/v1/completions", json.dumps({**TEXT, "max_tokens": 200, "stream": True}), headers)
    answer = connection.getresponse()
    assert answer.readline()
    pod.rotate_keys({"apiKey": "key-one", "client.team-b": stored_digest("vllm-llama-4-scout", OTHER)})
    until(LATE_SECONDS, lambda: pod.request("/v1/models", key=KEY)[0] == 401)
    assert answer.read().endswith(b"data: [DONE]\n\n"), "the stream ends normally"
    connection.close()
    assert pod.request("/v1/models", key=OTHER)[0] == 200, "a client that got the model meanwhile"
    pod.rotate_keys(SECRET)
    until(LATE_SECONDS, lambda: pod.request("/v1/models", key=KEY)[0] == 200)


def test_a_hung_server_delays_a_scrape_by_seconds_only(pod: Any) -> None:
    with hung_api_server(pod):
        status, text = pod_ip_request(pod, 8001, "/metrics")
    assert (status, "vllm_eks_engine_up 0.0" in text) == (200, True)
    until(LATE_SECONDS, lambda: "vllm_eks_engine_up 1.0" in pod_ip_request(pod, 8001, "/metrics")[1])


@contextmanager
def hung_api_server(pod: Any) -> Iterator[None]:
    """Stop vLLM's API server, the supervisor's child, without ending it."""
    (supervisor,) = pod.pids("server")
    (server,) = pods.children(supervisor)
    os.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server, signal.SIGCONT)
