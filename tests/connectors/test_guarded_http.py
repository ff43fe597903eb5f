"""Where the client goes, what it refuses, and what it makes of answers."""

import gzip
import ipaddress
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from web_server import Answer, WebServer, redirect, serving

from connectors.guarded_addresses import HostGuard, is_public
from connectors.guarded_http import GuardedHttp, RefusedByStatus, Validators, shown_url
from ragmem.errors import PermanentSourceError, TransientSourceError, UsageError

KIB = 1024


@pytest.fixture(scope="module")
def http(running: WebServer) -> Iterator[GuardedHttp]:
    client = GuardedHttp(allow_hosts=(running.host,), timeout_seconds=2, total_seconds=4)
    yield client
    client.close()


# --- addresses ---


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1",
        "::", "::1", "fe80::1", "fe80::1%1", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "2002:7f00:1::", "2002:a00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2001::1",
        "168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110",
        "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254", "fe80::a9fe:a9fe",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    ["93.184.216.34", "2606:4700::1111", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"],
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:{port}/", "http://127.0.0.1:{port}/", "http://127.1:{port}/",
        "http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://0177.0.0.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/", "http://[::1]:{port}/", "http://0.0.0.0:{port}/",
        "http://①②⑦.0.0.1:{port}/", "http://169.254.169.254/latest/meta-data/",
    ],
)  # fmt: skip
def test_private_places_in_any_spelling(url: str, server: WebServer) -> None:
    with pytest.raises(PermanentSourceError, match=r"allow_hosts|is no URL"):
        GuardedHttp().get(url.format(port=server.port), max_bytes=KIB)
    assert not server.asked


def test_a_name_that_leads_to_a_private_address(server: WebServer) -> None:
    client = GuardedHttp(resolver=lambda host, port: ["93.184.216.34", "127.0.0.1"])
    with pytest.raises(PermanentSourceError, match=r"inner\.example is at 127\.0\.0\.1"):
        client.get(f"http://inner.example:{server.port}/", max_bytes=KIB)
    assert not server.asked


def test_what_was_checked_is_what_is_connected_to(server: WebServer) -> None:
    """A name that answers differently the second time is resolved only once."""
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    server.answers["/"] = Answer(body=b"hello")
    client = GuardedHttp(
        allow_hosts=(f"pages.example:{server.port}",), resolver=lambda host, port: next(answers)
    )
    reply = client.get(f"http://pages.example:{server.port}/", max_bytes=KIB)
    client.close()
    assert reply.content == b"hello"
    assert server.asked[0].headers["host"] == f"pages.example:{server.port}"
    assert next(answers) == ["10.0.0.1"]


def test_rebinding_does_not_get_through(server: WebServer) -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    guard = HostGuard(resolver=lambda host, port: next(answers))
    assert guard.addresses("evil.example", 80) == ["93.184.216.34"]
    with pytest.raises(PermanentSourceError, match="no public address"):
        guard.addresses("evil.example", 80)


def test_the_next_address_is_tried(server: WebServer) -> None:
    server.answers["/"] = Answer(body=b"hello")
    client = GuardedHttp(
        allow_hosts=("two.example",), resolver=lambda host, port: ["127.0.0.2", "127.0.0.1"]
    )
    assert client.get(f"http://two.example:{server.port}/", max_bytes=KIB).content == b"hello"
    client.close()


def test_allowing_a_port_allows_no_other(server: WebServer) -> None:
    guard = HostGuard(["127.0.0.1:80", "[::1]:8080", "Intern.Example"])
    assert guard.addresses("127.0.0.1", 80) == ["127.0.0.1"]
    assert guard.addresses("::1", 8080) == ["::1"]
    for host, port in (("127.0.0.1", 8080), ("::1", 80)):
        with pytest.raises(PermanentSourceError):
            guard.addresses(host, port)
    named = HostGuard(["Intern.Example"], resolver=lambda host, port: ["10.0.0.1"])
    assert named.addresses("intern.example", 1234) == ["10.0.0.1"]


@pytest.mark.parametrize("entry", ["", "http://x/", "a:b", "x/y", "u@x", "x:", "a b:99999"])
def test_entries_that_name_no_host(entry: str) -> None:
    with pytest.raises(UsageError, match="allow_hosts"):
        HostGuard([entry])


@pytest.mark.parametrize(("errno", "waits"), [(socket.EAI_AGAIN, True), (socket.EAI_NONAME, False)])
def test_names_that_are_not_found(errno: int, waits: bool) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise socket.gaierror(errno, "not found")

    with pytest.raises(TransientSourceError, match="cannot be found") as caught:
        GuardedHttp(resolver=resolver).get("http://nowhere.example/", max_bytes=KIB)
    assert caught.value.worth_waiting is waits


def test_proxy_variables_are_not_looked_at(
    server: WebServer, http: GuardedHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.answers["/"] = Answer(body=b"straight")
    assert http.get(server.url(), max_bytes=KIB).content == b"straight"


# --- redirects ---


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("http://169.254.169.254/latest/", "no public address"),
        ("http://localhost:1/", "no public address"),
        ("file:///etc/passwd", "no http or https"),
        ("ftp://127.0.0.1/", "no http or https"),
        ("javascript:alert(1)", "no http or https"),
        ("http://[::1", "not followed"),
        ("http://user:secret@example.org/", "carries a login"),
    ],
)
def test_redirects_that_are_not_followed(
    target: str, why: str, server: WebServer, http: GuardedHttp
) -> None:
    server.answers["/"] = redirect(target)
    with pytest.raises(PermanentSourceError, match=why) as caught:
        http.get(server.url(), max_bytes=KIB)
    assert "secret" not in str(caught.value)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(status: int, server: WebServer, http: GuardedHttp) -> None:
    server.answers["/a/b"] = redirect("../c;x=1?y=ä", status)
    server.answers["/c;x=1?y=%C3%A4"] = Answer(body=b"there")
    reply = http.get(server.url("/a/b"), max_bytes=KIB)
    assert (reply.content, reply.url) == (b"there", server.url("/c;x=1?y=%C3%A4"))


def test_redirects_in_a_circle_and_without_end(server: WebServer, http: GuardedHttp) -> None:
    server.answers["/a"], server.answers["/b"] = redirect("/b"), redirect("/a")
    with pytest.raises(PermanentSourceError, match=r"in a circle, back to .*/a"):
        http.get(server.url("/a"), max_bytes=KIB)
    server.answers |= {f"/{at}": redirect(f"/{at + 1}") for at in range(20)}
    with pytest.raises(PermanentSourceError, match="after 10 redirects"):
        http.get(server.url("/0"), max_bytes=KIB)


def test_each_hop_is_announced_and_own_headers_stay(server: WebServer) -> None:
    with serving() as other:
        server.answers["/a"] = redirect("/b")
        server.answers["/b"] = redirect(other.url("/c"))
        other.answers["/c"] = Answer(body=b"x")
        client = GuardedHttp(allow_hosts=("127.0.0.1",))
        hops: list[str] = []
        client.get(
            server.url("/a"),
            max_bytes=KIB,
            headers={"Authorization": "Bearer secret", "Cookie": "id=1"},
            validators=Validators(etag='"1"'),
            before_hop=hops.append,
        )
        client.close()
        assert hops == [server.url("/a"), server.url("/b"), other.url("/c")]
        assert [each.headers.get("authorization") for each in server.asked] == ["Bearer secret"] * 2
        assert not {"authorization", "cookie"} & other.asked[0].headers.keys()
        assert other.asked[0].headers["if-none-match"] == '"1"'


def test_a_hop_can_be_refused(server: WebServer, http: GuardedHttp) -> None:
    def refuse(url: str) -> None:
        if url.endswith("/b"):
            raise PermanentSourceError("not there")

    server.answers["/a"] = redirect("/b")
    with pytest.raises(PermanentSourceError, match="not there"):
        http.get(server.url("/a"), max_bytes=KIB, before_hop=refuse)
    assert [each.path for each in server.asked] == ["/a"]


# --- bodies ---


def endless(piece: bytes = b"x" * 65536) -> Iterator[bytes]:
    while True:
        yield piece


def test_bodies_stop_at_the_limit(server: WebServer, http: GuardedHttp) -> None:
    zeros = gzip.compress(bytes(64 * KIB * KIB))
    packed = {"Content-Encoding": "gzip"}
    server.answers = {
        "/endless": Answer(body=endless),
        "/declared": Answer(headers={"Content-Length": str(5 * 10**9)}),
        "/bomb": Answer(body=zeros, headers=packed),
    }
    for path in server.answers:
        with pytest.raises(PermanentSourceError, match="longer than the 100,000 bytes"):
            http.get(server.url(path), max_bytes=100_000)


def test_packed_bodies(server: WebServer, http: GuardedHttp) -> None:
    text = b"a text that is packed " * 100_000
    packed = gzip.compress(text[:1000]) + gzip.compress(text[1000:]) + b"\0\0"
    server.answers = {
        "/good": Answer(body=packed, headers={"Content-Encoding": "GZIP"}),
        "/cut": Answer(body=packed[:2000], headers={"Content-Encoding": "gzip"}),
        "/bad": Answer(body=b"no gzip", headers={"Content-Encoding": "gzip"}),
        "/twice": Answer(body=b"", headers={"Content-Encoding": "gzip, gzip"}),
        "/empty": Answer(body=b"", headers={"Content-Encoding": "gzip"}),
    }
    assert http.get(server.url("/good"), max_bytes=len(text)).content == text
    assert http.get(server.url("/empty"), max_bytes=KIB).content == b""
    with pytest.raises(TransientSourceError, match="end of the packed body is missing"):
        http.get(server.url("/cut"), max_bytes=len(text))
    with pytest.raises(PermanentSourceError, match="cannot be unpacked"):
        http.get(server.url("/bad"), max_bytes=KIB)
    with pytest.raises(PermanentSourceError, match="not asked for"):
        http.get(server.url("/twice"), max_bytes=KIB)


def test_slow_and_broken_bodies(server: WebServer) -> None:
    def drip() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x"
            time.sleep(0.05)

    def silent() -> Iterator[bytes]:
        yield b"x"
        time.sleep(1)

    server.answers = {
        "/drip": Answer(body=drip),
        "/silent": Answer(body=silent),
        "/short": Answer(body=lambda: [b"x"], headers={"Content-Length": "10"}),
    }
    client = GuardedHttp(allow_hosts=(server.host,), timeout_seconds=0.2, total_seconds=0.5)
    began = time.monotonic()
    with pytest.raises(TransientSourceError, match=r"time"):
        client.get(server.url("/drip"), max_bytes=KIB)
    with pytest.raises(TransientSourceError, match="did not answer in time"):
        client.get(server.url("/silent"), max_bytes=KIB)
    with pytest.raises(TransientSourceError, match="could not be read"):
        client.get(server.url("/short"), max_bytes=KIB)
    client.close()
    assert time.monotonic() - began < 2


def test_headers_that_drip_end_as_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    for letter in b"HTTP/1.1 200 OK\r\n" + b"a" * 100:
                        connection.send(bytes([letter]))
                        time.sleep(0.05)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        port = listening.getsockname()[1]
        client = GuardedHttp(allow_hosts=("127.0.0.1",), timeout_seconds=5, total_seconds=0.3)
        with pytest.raises(TransientSourceError, match="time"):
            client.get(f"http://127.0.0.1:{port}/", max_bytes=KIB)
        client.close()
        thread.join()


def test_bodies_that_nobody_wants_are_not_read(server: WebServer, http: GuardedHttp) -> None:
    server.answers["/"] = Answer(body=endless, content_type="image/png")
    reply = http.get(server.url(), max_bytes=KIB, wants_body=lambda told: "text" in told.media_type)
    assert (reply.content, reply.media_type) == (b"", "image/png")


def test_threads_share_a_client(server: WebServer, http: GuardedHttp) -> None:
    server.answers = {f"/{at}": Answer(body=b"x" * at) for at in range(40)}
    http.close()
    with ThreadPoolExecutor(8) as pool:
        got = pool.map(lambda at: http.get(server.url(f"/{at}"), max_bytes=KIB).content, range(40))
        assert [len(content) for content in got] == list(range(40))


# --- status ---


@pytest.mark.parametrize(
    ("status", "gone"), [(400, False), (401, False), (403, False), (404, True), (410, True),
                         (451, False), (300, False)]
)  # fmt: skip
def test_refusals(status: int, gone: bool, server: WebServer, http: GuardedHttp) -> None:
    server.answers["/a"] = Answer(status=status)
    with pytest.raises(RefusedByStatus, match=f"status {status}") as caught:
        http.get(server.url("/a?token=secret"[:2]), max_bytes=KIB)
    assert (caught.value.status, caught.value.gone) == (status, gone)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize(
    ("told", "seconds"), [("7", 7.0), ("", None), ("soon", None), ("9" * 5000, 86400.0)]
)
def test_later(
    status: int, told: str, seconds: float | None, server: WebServer, http: GuardedHttp
) -> None:
    server.answers["/a?token=secret"] = Answer(status=status, headers={"Retry-After": told})
    with pytest.raises(TransientSourceError, match=f"status {status}") as caught:
        http.get(server.url("/a?token=secret"), max_bytes=KIB)
    assert caught.value.retry_after_seconds == seconds
    assert "secret" not in str(caught.value)


def test_later_by_date(server: WebServer, http: GuardedHttp) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    server.answers["/"] = Answer(status=503, headers={"Retry-After": at})
    with pytest.raises(TransientSourceError) as caught:
        http.get(server.url(), max_bytes=KIB)
    assert 80 < (caught.value.retry_after_seconds or 0) <= 90


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = GuardedHttp(allow_hosts=("127.0.0.1",))
    with pytest.raises(TransientSourceError, match="could not be read"):
        client.get(f"http://127.0.0.1:{port}/", max_bytes=KIB)


def test_unchanged_since(server: WebServer, http: GuardedHttp) -> None:
    modified = "Tue, 03 Mar 2026 10:00:00 GMT"
    server.answers["/"] = Answer(body=b"x", etag='"1"', headers={"Last-Modified": modified})
    first = http.get(server.url(), max_bytes=KIB)
    assert first.modified_at == datetime(2026, 3, 3, 10, tzinfo=UTC)
    assert first.size_bytes == 1
    again = http.get(server.url(), max_bytes=KIB, validators=first.validators)
    assert again.is_unchanged
    assert not again.content
    assert server.asked[1].headers["if-modified-since"] == modified
    assert server.asked[0].headers["user-agent"].startswith("ragmem/")


def test_asking_about_something(server: WebServer, http: GuardedHttp) -> None:
    server.answers["/"] = Answer(body=b"x" * 10, headers={"ETag": '"ü"'})
    reply = http.head(server.url())
    assert (server.asked[0].method, reply.size_bytes, reply.content) == ("HEAD", 10, b"")
    assert http.get(server.url(), max_bytes=10, validators=reply.validators).status == 200


# --- addresses as they are written ---


@pytest.mark.parametrize(
    "url",
    ["file:///x", "//x/y", "x", "", "http://", "http://a\n.b/", "http://:80", "http:\\\\x\\",
     "http://x:99999/", "http://x:-1/", "http://a..b/", f"http://{'a' * 70}.example/"],
)  # fmt: skip
def test_what_is_no_address(url: str, http: GuardedHttp) -> None:
    with pytest.raises(PermanentSourceError):
        http.get(url, max_bytes=KIB)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ana:secret@host/path?token=secret#secret", "https://host/path?…"),
        ("https://a@b:secret@host", "https://host"),
        ("http://host:80/@x", "http://host:80/@x"),
        ("http://ana:secret", "http://ana:…"),
        ("http://ana:secret/x@host", "http://ana:…"),
        ("https:ana:secret", "https:ana:…"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("http://[::1", "http://[::1"),
    ],
)
def test_messages_hold_no_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_a_name_in_broken_punycode_is_an_ordinary_failure(http: GuardedHttp) -> None:
    with pytest.raises((PermanentSourceError, TransientSourceError)):
        http.get("http://xn--a.invalid/", max_bytes=KIB)


# --- encryption ---


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `pages.example` with its key, signed by nobody."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("tls")
    made = [folder / "key.pem", folder / "cert.pem"]
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=pages.example",
            "-addext", "subjectAltName=DNS:pages.example", "-keyout", made[0], "-out", made[1],
        ],
        check=True,
        capture_output=True,
    )  # fmt: skip
    (folder / "both.pem").write_bytes(b"".join(path.read_bytes() for path in made))
    return folder


@pytest.fixture
def tls_port(certificate: Path) -> Iterator[int]:
    """A server that says which name it was asked for, then redirects to http."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "both.pem")
    names: list[str] = []
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
                with context.wrap_socket(connection, server_side=True) as secured:
                    asked = secured.recv(4096)
                    line = b"200 OK" if b"GET /name" in asked else b"302 Found"
                    body = names[-1].encode()
                    secured.sendall(
                        b"HTTP/1.1 %s\r\nLocation: http://pages.example/\r\nConnection: close\r\n"
                        b"Content-Length: %d\r\n\r\n%s" % (line, len(body), body)
                    )
            except ssl.SSLError:
                continue
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    yield listening.getsockname()[1]
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join()


def secure_client(name: str) -> GuardedHttp:
    return GuardedHttp(allow_hosts=(name,), resolver=lambda host, port: ["127.0.0.1"])


def test_encrypted_under_the_name_that_was_asked_for(
    certificate: Path, tls_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    client = secure_client("pages.example")
    reply = client.get(f"https://pages.example:{tls_port}/name", max_bytes=KIB)
    assert reply.content == b"pages.example"
    with pytest.raises(PermanentSourceError, match="from https to http"):
        client.get(f"https://pages.example:{tls_port}/", max_bytes=KIB)
    client.close()
    with pytest.raises(PermanentSourceError, match=r"cannot be trusted: .*other\.example"):
        secure_client("other.example").get(f"https://other.example:{tls_port}/", max_bytes=KIB)


def test_a_certificate_that_nobody_signed(tls_port: int) -> None:
    with pytest.raises(PermanentSourceError, match=r"cannot be trusted: self.signed"):
        secure_client("pages.example").get(f"https://pages.example:{tls_port}/", max_bytes=KIB)


def test_encryption_where_there_is_none(server: WebServer) -> None:
    with pytest.raises(PermanentSourceError, match="cannot be trusted"):
        secure_client("pages.example").get(f"https://pages.example:{server.port}/", max_bytes=KIB)
