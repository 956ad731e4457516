"""The port for metrics (metrics_server.py), and the supervisor's own metrics (start_metrics.py)."""

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.fakes.vllm_server import Double
from vllm_eks.pods import metrics_server
from vllm_eks.pods.container_log import ContainerLog
from vllm_eks.pods.engine import read_engine, state_of
from vllm_eks.pods.group import Group
from vllm_eks.pods.metrics_server import MetricsServer
from vllm_eks.pods.progress import PHASES
from vllm_eks.pods.start_metrics import StartMetrics


class Start:
    """A start in progress: what the supervisor knows of it."""

    def __init__(self) -> None:
        self.group = SimpleNamespace(whole=False, serving=False)
        self.log = SimpleNamespace(said="", tail=lambda: self.log.said)
        self.metrics = StartMetrics(
            cast(Group, self.group), cast(ContainerLog, self.log), budget_seconds=2400, clock=lambda: 1000.5
        )

    @property
    def phase(self) -> str:
        """The one phase whose value is 1."""
        values = values_of(self.metrics.text(False))
        (phase,) = [phase for phase in PHASES if values["vllm_eks_startup_phase", phase] == 1]
        assert sum(values["vllm_eks_startup_phase", phase] for phase in PHASES) == 1
        return phase


def values_of(text: str) -> dict[tuple[str, ...], float]:
    """Parse metrics with Prometheus's own parser."""
    return {
        (one.name, *one.labels.values()): one.value
        for metric in text_string_to_metric_families(text)
        for one in metric.samples
    }


@contextmanager
def served(vllm: Double, start: Start) -> Iterator[str]:
    with MetricsServer(("127.0.0.1", 0), vllm.url, start.metrics.text) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_the_engines_metrics_come_with_the_supervisors_own(vllm: Double) -> None:
    start = Start()
    start.group.whole = start.group.serving = True
    vllm.running = 3
    with served(vllm, start) as url:
        status, text = get(f"{url}/metrics")
        assert status == 200
        assert state_of(text).running == 3
        found = values_of(text)
        assert found["vllm_eks_engine_up",] == 1
        assert found["vllm_eks_start_time_seconds",] == 1000.5
        assert found["vllm_eks_startup_budget_seconds",] == 2400
        assert found["vllm_eks_startup_phase", "serving"] == 1
        assert get(f"{url}/load") == (200, json.dumps({"server_load": 3}))
        # What the drain of another pod reads.
        assert read_engine(vllm.url, timeout_seconds=30, metrics_url=url).requests == 3


def test_before_the_engine_answers_there_are_only_own_metrics(vllm: Double) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        vllm.port = free.getsockname()[1]
    with served(vllm, Start()) as url:
        status, text = get(f"{url}/metrics")
        assert status == 200
        assert {name for name, *_ in values_of(text)} == {
            *("vllm_eks_engine_up", "vllm_eks_start_time_seconds"),
            *("vllm_eks_startup_budget_seconds", "vllm_eks_startup_phase"),
        }
        assert values_of(text)["vllm_eks_engine_up",] == 0
        assert get(f"{url}/load")[0] == 502


def test_a_hung_engine_hangs_no_scrape(vllm: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "ENGINE_SECONDS", 0.05)
    vllm.hangs = True
    with served(vllm, Start()) as url:
        assert values_of(get(f"{url}/metrics")[1])["vllm_eks_engine_up",] == 0
        assert get(f"{url}/load")[0] == 504


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/metrics/", "/metrics?x=1"])
def test_only_metrics_are_served(vllm: Double, path: str) -> None:
    with served(vllm, Start()) as url:
        assert get(f"{url}{path}")[0] == 404
    assert vllm.asked == []


def test_too_many_connections_are_closed_and_later_ones_are_served(
    vllm: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "MAX_CONNECTIONS", 2)
    with served(vllm, Start()) as url:
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        # Clients that connect and say nothing.
        silent = [socket.create_connection(address, timeout=30) for _ in range(2)]
        # A thread would close it too, but only after CLIENT_SECONDS.
        with socket.create_connection(address, timeout=metrics_server.CLIENT_SECONDS / 2) as third:
            assert third.recv(1) == b""
        for one in silent:
            one.close()
        until_served(url)


def until_served(url: str) -> None:
    """Scrape until a thread is free again. The server needs a moment to notice that a client has left."""
    for _ in range(1000):
        try:
            assert get(f"{url}/metrics")[0] == 200
            return
        except OSError:
            continue
    raise AssertionError("no connection is served any more")


def test_a_phase_is_kept_until_a_later_one() -> None:
    start = Start()
    assert start.phase == "group"
    start.group.whole = True
    phases: list[str] = []
    for line in (
        "vllm-eks: the group is complete: vLLM starts",
        "Initializing a V1 LLM engine (v0.27.0)",
        "Loading safetensors checkpoint shards:  50% Completed | 1/2",
        "a line that says nothing",
        "Starting to load model again",
        "Capturing CUDA graphs (decode): 10%",
        "Application startup complete",
    ):
        start.log.said = line
        phases.append(start.phase)
    assert phases == ["engine", "engine", "load", "load", "load", "graphs", "serving"]
    start.group.serving = True
    assert start.phase == "serving"


def test_the_supervisor_serves_them_and_does_without_a_port_that_is_taken(vllm: Double) -> None:
    from vllm_eks.pods.supervise import serve_metrics

    said: list[str] = []
    log: Any = SimpleNamespace(say=said.append, tail=lambda: "")
    with socket.create_server(("0.0.0.0", 0)) as taken:
        options: Any = SimpleNamespace(start_seconds=600, metrics_port=taken.getsockname()[1], port=vllm.port)
        serve_metrics(options, Group(lambda: 0.0), log)
    assert said == [f"the metrics port {options.metrics_port} cannot be opened ([Errno 98] Address already in use)"]
