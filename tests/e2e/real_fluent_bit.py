"""A real Fluent Bit with the configuration of the chart's values, on log files as the kubelet writes them."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from components.logs.fluent_bit import FILTERS, PARSERS, SERVICE, FluentBitConfig, outputs

NODE = "ip-10-0-1-2.us-west-2.compute.internal"
REGION = "us-west-2"


@dataclass(frozen=True)
class Node:
    """The folders of a node, below a temporary folder."""

    root: Path

    def write(self, folder: str, container: str, *lines: str, restart: int = 0) -> Path:
        """Append lines in the kubelet's format to a container's log file. `folder` is <namespace>_<pod>_<uid>."""
        file = self.root / "var/log/pods" / folder / container / f"{restart}.log"
        file.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.now(UTC).isoformat().replace("+00:00", "000Z")
        with file.open("a") as log:
            log.writelines(f"{now} stdout {line}\n" for line in lines)
        return file


def write_config(node: Node, config: FluentBitConfig, log_group: str, *, port: int) -> Path:
    """Write the configuration for the folders of a node and for an endpoint on 127.0.0.1."""
    conf = node.root / "fluent-bit/etc/conf"
    state = node.root / config.state_folder.lstrip("/")
    for folder in (conf, state):
        folder.mkdir(parents=True, exist_ok=True)
    to_moto = f"    endpoint  127.0.0.1\n    port  {port}\n    tls.verify  Off\n"
    text = SERVICE.replace("2020", str(free_port())) + config.inputs + FILTERS + outputs(REGION, log_group) + to_moto
    # The paths of the regular expressions have the same prefix as those of the files.
    for path in ("/var/log/pods", config.state_folder, "/fluent-bit/etc/conf"):
        text = text.replace(path, f"{node.root}{path}")
    (conf / "custom_parsers.conf").write_text(PARSERS.replace("/var/log/pods", f"{node.root}/var/log/pods"))
    file = conf / "fluent-bit.conf"
    file.write_text(text)
    return file


def free_port() -> int:
    """Return a port that no process listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(binary: str, config: Path) -> Iterator[Path]:
    """Run Fluent Bit, and stop it as the kubelet does. Yields the file of its own log."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(config.parent),
        "NODE_NAME": NODE,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    log = config.with_name("own.log")
    with log.open("ab") as own:
        process = subprocess.Popen(
            [binary, f"--config={config}"], stdout=own, stderr=subprocess.STDOUT, env=environment
        )
        try:
            yield log
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


@contextmanager
def moto_over_tls() -> Iterator[int]:
    """Serve moto on 127.0.0.1 with a self-signed certificate. Yields the port."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:
            """Keep tests quiet."""

    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet, ssl_context="adhoc")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
