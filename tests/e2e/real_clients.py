"""Requests of named clients to a real vLLM, and what its metrics count."""

import json
import time
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from vllm_eks.pods.client_keys import stored_digest

NAME = "llama-4-scout"
TEXT = {"model": NAME, "prompt": "Hello world", "max_tokens": 12, "ignore_eos": True, "temperature": 0}
CHAT = {"model": NAME, "messages": [{"role": "user", "content": "Hello there"}], "max_tokens": 12, "ignore_eos": True}
ANSWER = {"model": NAME, "input": "Hello there", "max_output_tokens": 12}
MESSAGE = {"model": NAME, "messages": CHAT["messages"], "max_tokens": 12}
KEY, OTHER = "a-key-of-team-a-1", "a-key-of-team-b-1"
SECRET = {
    "apiKey": "key-one",
    "client.team-a": stored_digest("vllm-llama-4-scout", KEY),
    "denied.team-b": stored_digest("vllm-llama-4-scout", OTHER),
}
ASK = """
import sys, os, json, urllib.request, urllib.error
port, path, headers = int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
try:
    url = f"http://{os.environ['POD_IP']}:{port}{path}"
    request = urllib.request.Request(url, headers=headers, method=sys.argv[4])
    with urllib.request.urlopen(request, timeout=120) as answer:
        print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error:
    print(error.code, error.read().decode())
"""
Counts = dict[tuple[str, ...], float]


def pod_ip_request(
    pod: Any, port: int, path: str, headers: dict[str, str] | None = None, method: str = "GET"
) -> tuple[int, str]:
    """Ask the pod at its own address, which is not the loopback's, as other pods do. (0, "") without an answer."""
    try:
        done = pod.run(["python3", "-c", ASK, str(port), path, json.dumps(headers or {}), method])
    except IndexError:
        return 0, ""  # the container has not started
    status, _, text = done.stdout.partition(" ")
    return (int(status), text.strip()) if status else (0, "")


def counted(pod: Any) -> Counts:
    """Return what the pod has counted, as {(metric, label values...): number}."""
    status, text = pod.request("/metrics")
    assert status == 200
    return {
        (one.name.removeprefix("vllm_eks_client_").removesuffix("_total"), *one.labels.values()): one.value
        for metric in text_string_to_metric_families(text)
        for one in metric.samples
        if one.name.startswith("vllm_eks_client_") and one.name.endswith("_total")
    }


def settled(pod: Any) -> Counts:
    """Return what the pod has counted when two looks agree: the server counts a request just after its client has the
    response, so that one look may come before the count of the request before it."""
    first, second = counted(pod), counted(pod)
    while first != second:
        time.sleep(0.1)
        first, second = second, counted(pod)
    return second


def gained(pod: Any, before: Counts) -> Counts:
    now = counted(pod)
    return {key: value - before.get(key, 0) for key, value in now.items() if value != before.get(key, 0)}


def expect(pod: Any, before: Counts, expected: Counts) -> None:
    """Check what was counted since a look, some time after the last response: see `settled`."""
    until = time.monotonic() + 30
    while (found := gained(pod, before)) != expected and time.monotonic() < until:
        time.sleep(0.1)
    assert found == expected


def posted(pod: Any, path: str, body: dict[str, Any], key: str = KEY) -> tuple[int, int]:
    """Send a request, and return the tokens of its prompt and of its answer, as vLLM reports them."""
    status, text = pod.request(path, key=key, body=body, timeout=300)
    assert status == 200, text
    usage = json.loads(text)["usage"]
    prompt, generation = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if prompt is None:
        prompt, generation = usage["input_tokens"], usage["output_tokens"]
    return prompt, generation


def streamed(pod: Any, path: str, body: dict[str, Any], key: str = KEY) -> bytes:
    """Send a request for a stream, and return the whole stream."""
    connection = pod.connect(300)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    connection.request("POST", path, json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status == 200, text
    return text


def log_lines(pod: Any) -> list[str]:
    """Return the log's lines of requests."""
    return [line for line in pod.log().splitlines() if "client=" in line]


def engine_tokens(pod: Any) -> tuple[float, float]:
    """Return vLLM's own counters of tokens: of prompts, and generated."""
    lines = pod.request("/metrics")[1].splitlines()
    prompt, generation = (
        sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"vllm:{kind}_tokens_total"))
        for kind in ("prompt", "generation")
    )
    return prompt, generation
