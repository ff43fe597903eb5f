"""A web server on this machine that answers as a test tells it and remembers what it was asked."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it came in, and how long the body was that went out."""

    path: str
    headers: Mapping[str, str]
    status: int
    body_bytes: int
    method: str = "GET"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is sent.

    Attributes:
        body: bytes, sent with their length; or parts, sent one by one until the connection closes.
        etag: makes the answer conditional.
    """

    body: bytes | Callable[[], Iterable[bytes]] = b""
    status: int = 200
    content_type: str = "text/html"
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: str = ""


def page(text: str, *links: str, title: str = "", head: str = "", etag: str = "") -> Answer:
    """A small page with a text and links."""
    listed = "".join(f'<p>See <a href="{link}">the next one</a> as well.</p>' for link in links)
    body = (
        f"<html><head><title>{title or text[:20]}</title>{head}</head><body>"
        f"<h1>{text[:20]}</h1><p>{text}</p>{listed}</body></html>"
    )
    return Answer(body=body.encode(), content_type="text/html; charset=utf-8", etag=etag)


def redirect(target: str, status: int = 302) -> Answer:
    """A redirect."""
    return Answer(status=status, headers={"Location": target})


class WebServer:
    """Answers by path (query included); `asked` holds the requests in order."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self.answers: dict[str, Answer | Callable[[Mapping[str, str]], Answer]] = {}
        self.asked: list[Asked] = []

    def url(self, path: str = "/") -> str:
        return f"http://{self.host}{path}"

    def paths(self) -> list[str]:
        """What was asked for, without robots.txt."""
        return [each.path for each in self.asked if each.path != "/robots.txt"]

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        found = self.answers.get(path)
        if found is None:
            return Answer(status=404, body=b"nothing here")
        answer = found(headers) if callable(found) else found
        if answer.etag:
            sent = {**answer.headers, "ETag": answer.etag}
            if headers.get("if-none-match") == answer.etag:
                return Answer(status=304, headers=sent)
            return Answer(body=answer.body, content_type=answer.content_type, headers=sent)
        return answer


@contextmanager
def serving() -> Iterator[WebServer]:
    """A running server, empty at first."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = world.answer(self.path, headers)
            body = answer.body if isinstance(answer.body, bytes) else b""
            world.asked.append(
                Asked(
                    path=self.path,
                    headers=headers,
                    status=answer.status,
                    body_bytes=len(body),
                    method=self.command,
                )
            )
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status not in (204, 304):
                self.send_header("Content-Type", answer.content_type)
            if isinstance(answer.body, bytes):
                if "Content-Length" not in answer.headers and answer.status != 304:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)
                return
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()
            try:
                for part in answer.body():
                    self.wfile.write(part)
                    self.wfile.flush()
            except OSError:
                return  # the client had enough

        do_HEAD = do_GET  # noqa: N815 - the name that the standard library calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """A client that goes away is no news."""

    server = Quiet(("127.0.0.1", 0), Handler)
    world = WebServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield world
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
