"""An S3 server (moto) on this machine that counts what it is asked, and can be told to refuse."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import boto3
from botocore.config import Config
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "papers"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
}
"""The environment in which the server's own account is used."""
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass
class S3Server:
    """A running server.

    Attributes:
        url: where it listens.
        client: a client to put and delete objects by.
        asked: how often each kind of request came: `list`, `get`, `head` or `other`.
        refusals: answers, given out one by one instead of the server's own: for which kind of
            request, the status, the S3 error code, and further headers.
        bytes_sent_last: the length of the last answer's body.
    """

    url: str = ""
    client: Any = None
    asked: Counter[str] = field(default_factory=Counter)
    refusals: list[tuple[str, int, str, dict[str, str]]] = field(default_factory=list)
    bytes_sent_last: int = 0

    def put(self, key: str, text: str) -> None:
        """Upload an object."""
        self.client.put_object(Bucket=BUCKET, Key=key, Body=text.encode())

    def fill(self, count: int) -> None:
        """Put many objects beneath `docs/`, past the protocol: uploading takes most of the time."""
        stored = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for number in range(count):
            stored.put_object(BUCKET, f"docs/{number:05}.md", f"text {number}".encode())

    def reset(self) -> None:
        """Start again with an empty bucket."""
        urlopen(Request(f"{self.url}/moto-api/reset", method="POST")).close()
        self.client.create_bucket(Bucket=BUCKET)
        self.asked.clear()
        self.refusals = []


def _counting(server: S3Server, application: Wsgi) -> Wsgi:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        kind = _kind(environ)
        server.asked[kind] += 1
        if server.refusals and server.refusals[0][0] == kind:
            _, status, code, headers = server.refusals.pop(0)
            body = f"<Error><Code>{code}</Code><Message>told so</Message></Error>".encode()
            told = {"Content-Type": "application/xml", "Content-Length": str(len(body)), **headers}
            start_response(f"{status} Refused", list(told.items()))
            return [body]
        body = b"".join(application(environ, start_response))
        server.bytes_sent_last = len(body)
        return [body]

    return answer


def _kind(environ: dict[str, Any]) -> str:
    if environ["REQUEST_METHOD"] == "GET":
        return "list" if "list-type=" in environ.get("QUERY_STRING", "") else "get"
    return "head" if environ["REQUEST_METHOD"] == "HEAD" else "other"


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with one empty bucket, `BUCKET`."""
    server = S3Server()
    application = DomainDispatcherApplication(create_backend_app)
    counting = _counting(server, application)
    http = make_server("127.0.0.1", 0, counting, threaded=True, request_handler=_Quiet)
    thread = Thread(target=http.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}"
    server.client = boto3.client(
        "s3",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    try:
        # moto's objects outlive its server.
        server.reset()
        yield server
    finally:
        server.client.close()
        http.shutdown()
        thread.join()
        http.server_close()
