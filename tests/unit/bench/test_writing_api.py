"""Creating and deleting objects over HTTP."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.kube_server import write_kubeconfig
from vllm_eks.bench.writing_api import WritingApi
from vllm_eks.doctor.api import UnreadableAnswerError


class Server:
    """An API server that remembers its requests and gives one answer."""

    def __init__(self) -> None:
        self.status = 201
        self.asked: list[tuple[str, str, str, Any]] = []


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Server, WritingApi]]:
    world = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            world.asked.append((self.command, self.path, self.headers["Content-Type"], json.loads(body)))
            text = json.dumps({"metadata": {"uid": "7"}}).encode()
            self.send_response(world.status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_DELETE(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep tests quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield world, WritingApi(write_kubeconfig(tmp_path / "kubeconfig", served.server_address[1]), None)
        served.shutdown()
        thread.join()


def test_an_object_is_created_as_json_and_comes_back_as_stored(server: tuple[Server, WritingApi]) -> None:
    world, api = server
    made = api.create("/apis/batch/v1/namespaces/x/jobs", {"kind": "Job"})

    assert made == {"metadata": {"uid": "7"}}
    assert world.asked == [("POST", "/apis/batch/v1/namespaces/x/jobs", "application/json", {"kind": "Job"})]


def test_an_object_is_deleted_with_what_it_owns(server: tuple[Server, WritingApi]) -> None:
    world, api = server
    world.status = 200
    api.delete("/apis/batch/v1/namespaces/x/jobs/y")

    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
    assert world.asked == [("DELETE", "/apis/batch/v1/namespaces/x/jobs/y", "application/json", options)]


def test_an_object_that_is_gone_is_no_error(server: tuple[Server, WritingApi]) -> None:
    world, api = server
    world.status = 404
    api.delete("/apis/batch/v1/namespaces/x/jobs/y")


@pytest.mark.parametrize("status", [403, 409, 500])
def test_a_refusal_has_its_status(server: tuple[Server, WritingApi], status: int) -> None:
    world, api = server
    world.status = status
    for change in (lambda: api.create("/apis/batch/v1/namespaces/x/jobs", {}), lambda: api.delete("/x")):
        with pytest.raises(UnreadableAnswerError) as caught:
            change()
        assert caught.value.status == status
