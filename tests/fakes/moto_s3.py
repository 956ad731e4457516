"""moto's S3 over HTTP on 127.0.0.1, with its requests and denials."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_REGION": "us-west-2",
    "AWS_DEFAULT_REGION": "us-west-2",
    "AWS_EC2_METADATA_DISABLED": "true",
    "HOME": "/nowhere",
}


@dataclass
class S3Stub:
    """Its address and its errors."""

    url: str
    client: Any
    refuses: Callable[[str, str], bool] = lambda method, path: False
    """By method, and path with query: whether the answer is AccessDenied."""
    asked: list[tuple[str, str]] = field(default_factory=list)

    @property
    def env(self) -> dict[str, str]:
        """The environment variables for a process that uses it."""
        return {**ENVIRONMENT, "AWS_ENDPOINT_URL": self.url}

    def new_bucket(self, name: str) -> str:
        """Create a bucket and forget earlier requests."""
        self.refuses = lambda method, path: False
        self.client.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        self.asked.clear()
        return name

    def objects(self, bucket: str, prefix: str) -> dict[str, bytes]:
        """Return all objects below a prefix, by their relative names."""
        found = self.client.list_objects_v2(Bucket=bucket, Prefix=f"{prefix}/").get("Contents", [])
        keys = [entry["Key"] for entry in found]
        return {
            key.removeprefix(f"{prefix}/"): self.client.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in keys
        }

    def unfinished(self, bucket: str) -> list[Any]:
        """Return the unfinished multipart uploads."""
        return self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])


@contextmanager
def moto_s3() -> Iterator[S3Stub]:
    """Serve S3 until the block ends."""
    # Imported only when needed, because it takes a second.
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            """Keep tests quiet."""

    moto = DomainDispatcherApplication(create_backend_app)

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}"
        stub.asked.append((method, path))
        if not stub.refuses(method, path):
            return moto(environ, start_response)
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("403 Forbidden", [("Content-Type", "application/xml")])
        return [
            b"" if method == "HEAD" else b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        ]

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    url = f"http://127.0.0.1:{server.server_port}"
    s3 = boto3.client("s3", "us-west-2", endpoint_url=url, aws_access_key_id="testing", aws_secret_access_key="testing")
    stub = S3Stub(url, s3)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
