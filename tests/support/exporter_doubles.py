"""Exporters with the series that a test gives them, and a real Prometheus that scrapes them.

Time runs sixty times as fast: each minute of a rule is a second here.
"""

import json
import re
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

FASTER = 60
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
REAL_VLLM = (Path(__file__).parents[1] / "data" / "metrics" / "0.27.0.txt").read_text()
SCRAPING = {"scrape_interval": "500ms", "scrape_timeout": "450ms"}


@dataclass(frozen=True, kw_only=True)
class Value:
    """The value of a series: constant, or growing each second from the moment that it is set."""

    base: float
    per_second: float = 0.0
    since: float = 0.0

    def at(self, now: float) -> float:
        return self.base + self.per_second * (now - self.since)


@dataclass(kw_only=True)
class Doubles:
    """The series of all exporters. A test changes them while Prometheus scrapes."""

    values: dict[str, Value] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def set(self, series: str, value: float, per_second: float = 0.0) -> None:
        with self.lock:
            self.values[series] = Value(base=value, per_second=per_second, since=time.monotonic())

    def freeze(self, series: str) -> None:
        """Let a counter keep its value."""
        self.set(series, self.values[series].at(time.monotonic()))

    def grow(self, series: str, per_second: float) -> None:
        """Let a counter grow at another rate from its value on."""
        self.set(series, self.values[series].at(time.monotonic()), per_second)

    def remove(self, series: str) -> None:
        with self.lock:
            del self.values[series]

    def text(self) -> str:
        """Return all series in the exposition format, after the text of a real vLLM without what they replace."""
        now = time.monotonic()
        with self.lock:
            lines = [f"{series} {value.at(now):.10g}" for series, value in self.values.items()]
            names = {series.partition("{")[0] for series in self.values}
        real = [line for line in REAL_VLLM.splitlines() if line[:1] != "#" and re.split(r"[{ ]", line)[0] not in names]
        return "\n".join([*real, *lines]) + "\n"


def faster(rules: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the rules with every duration divided by sixty."""

    def duration(found: re.Match[str]) -> str:
        seconds = int(found["number"]) * UNITS[found["unit"]] / FASTER
        return f"{found['before']}{round(seconds * 1000)}ms{found['after']}"

    text = json.dumps(rules)
    text = re.sub(r"(?P<before>\[)(?P<number>\d+)(?P<unit>[smhd])(?P<after>\])", duration, text)
    text = re.sub(r"(?P<before>offset )(?P<number>\d+)(?P<unit>[smhd])(?P<after>)", duration, text)
    text = re.sub(r'(?P<before>"(?:for|interval)": ")(?P<number>\d+)(?P<unit>s)(?P<after>")', duration, text)
    return json.loads(text)


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """A real Prometheus."""

    url: str
    folder: Path

    def load(self, rules: Mapping[str, Any]) -> None:
        """Replace the rules."""
        (self.folder / "rules.json").write_text(json.dumps(faster(rules)))
        urllib.request.urlopen(f"{self.url}/-/reload", data=b"", timeout=30).close()

    def get(self, path: str, **parameters: str) -> Any:
        query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
        with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=10) as answer:
            return json.load(answer)["data"]

    def alerts(self) -> list[Mapping[str, Any]]:
        return self.get("/api/v1/alerts")["alerts"]

    def ready(self) -> bool:
        """Return whether it evaluates rules."""
        try:
            return bool(self.get("/api/v1/query", query="vllm_eks:groups_ready")["result"])
        except OSError:
            return False

    def firing(self) -> set[str]:
        return {alert["labels"]["alertname"] for alert in self.alerts() if alert["state"] == "firing"}


@contextmanager
def served(answer: Callable[[str], str | None]) -> Iterator[int]:
    """Serve metrics on a free port.

    Args:
        answer: The text for a request's target, or None if nothing answers there. A request through a proxy has the
            whole URL as its target. A text that begins with a bracket is JSON.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = answer(self.path)
            body = (text or "").encode()
            self.send_response(504 if text is None else 200)
            self.send_header("Content-Type", "application/json" if body[:1] == b"[" else "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def static_scrape(job: str, port: int, **labels: str) -> Mapping[str, Any]:
    """Return the configuration to scrape one address, whose series keep their own labels."""
    targets = [{"targets": [f"127.0.0.1:{port}"], "labels": labels}]
    return {"job_name": job, "honor_labels": True, "static_configs": targets}


def wait_for(condition: Callable[[], bool], seconds: float, state: Callable[[], object]) -> None:
    """Wait until a condition is true. Fail with the state when it takes longer."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, state()
        time.sleep(0.5)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextmanager
def running_prometheus(
    program: str, folder: Path, rules: Mapping[str, Any], scrapes: Sequence[Mapping[str, Any]]
) -> Iterator[Prometheus]:
    """Run Prometheus with the rules and scrape configurations, all durations divided by sixty or more."""
    port = free_port()
    (folder / "rules.json").write_text(json.dumps(faster(rules)))
    config = {
        "global": {**SCRAPING, "evaluation_interval": "1s"},
        "rule_files": ["rules.json"],
        "scrape_configs": [{**scrape, **SCRAPING} for scrape in scrapes],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--query.lookback-delta=5s",
        "--web.enable-lifecycle",
        "--log.level=warn",
    ]
    with (folder / "prometheus.log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Prometheus(url=f"http://127.0.0.1:{port}", folder=folder)
    finally:
        process.terminate()
        process.wait(timeout=30)
