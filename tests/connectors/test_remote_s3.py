"""S3 against a server: versions, pages, refusals, and bodies that are not read again."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest
from s3_server import BUCKET, CREDENTIALS, S3Server, s3_server

from connectors.remote import RemoteFilesConnector
from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError
from ragmem.types import SkippedItem, SourceItem


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def server(running: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    running.reset()
    return running


Connect = Callable[..., RemoteFilesConnector]


@pytest.fixture
def connect(server: S3Server) -> Iterator[Connect]:
    opened: list[RemoteFilesConnector] = []

    def make(path: str = "docs", **options: object) -> RemoteFilesConnector:
        place = f"s3://{BUCKET}/{path}"
        opened.append(RemoteFilesConnector(place, endpoint_url=server.url, **options))  # type: ignore[arg-type]
        return opened[-1]

    yield make
    for connector in opened:
        connector.close()


def items(connector: RemoteFilesConnector) -> dict[str, SourceItem]:
    found = (each for each in connector.discover() if isinstance(each, SourceItem))
    return {each.uri.removeprefix(f"s3://{BUCKET}/"): each for each in found}


# --- what is listed ---


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("docs", ["docs/a.md", "docs/sub/b.txt"]),
        ("docs/a.md", ["docs/a.md"]),
        ("d*/?.md", ["docs-old/z.md", "docs/a.md"]),
        ("", ["docs-old/z.md", "docs/a.md", "docs/sub/b.txt"]),
    ],
)
def test_what_a_path_names(
    server: S3Server, connect: Connect, path: str, expected: list[str]
) -> None:
    for key in ("docs/a.md", "docs/sub/b.txt", "docs-old/z.md", "docs/.git/x.md"):
        server.put(key, "text")
    assert list(items(connect(path))) == expected


def test_what_is_skipped(server: S3Server, connect: Connect) -> None:
    server.put("docs/", "")
    server.put("docs/big.md", "x" * 101)
    server.put("docs/empty.md", "")
    server.put("docs/x.exe", "x")
    server.put("docs/a.md", "x")
    connector = connect(max_file_bytes=100, suffixes=frozenset({".md"}))
    reasons = {each.uri[-6:]: each.reason for each in connector.discover() if skipped(each)}
    assert "more than the 100 allowed" in reasons["big.md"]
    assert reasons["pty.md"] == "the file is empty"
    assert "no parser for .exe" in reasons["/x.exe"]
    assert len(reasons) == 3
    assert server.asked["get"] == 0


def skipped(found: SourceItem | SkippedItem) -> bool:
    return isinstance(found, SkippedItem)


def test_odd_names_survive(server: S3Server, connect: Connect) -> None:
    keys = ["#1+.md", "*.md", "100%.md", "a b.md", "a%20b.md", "q?v.md", "ü.md"]
    for key in keys:
        server.put(f"docs/{key}", f"text of {key}")
    connector = connect()
    found = items(connector).values()
    raws = [connector.fetch(item) for item in found]
    assert [raw.name for raw in raws] == keys
    assert [raw.content for raw in raws] == [f"text of {key}".encode() for key in keys]
    assert not any(set("?#") & set(item.uri) for item in found)


# --- changes ---


def test_the_version_shows_in_the_listing(server: S3Server, connect: Connect) -> None:
    server.client.put_bucket_versioning(
        Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
    )
    server.put("docs/a.md", "one")
    server.put("docs/b.md", "same")
    connector = connect()
    before = items(connector)
    server.put("docs/a.md", "two")
    server.put("docs/b.md", "same")
    after = items(connector)
    assert before["docs/a.md"] != after["docs/a.md"]
    assert before["docs/b.md"] == after["docs/b.md"]
    assert connector.fetch(after["docs/a.md"]).content == b"two"
    server.client.delete_object(Bucket=BUCKET, Key="docs/a.md")
    assert list(items(connector)) == ["docs/b.md"]


def test_two_pages_and_no_body_without_need(server: S3Server, connect: Connect) -> None:
    server.fill(1050)
    connector = connect("docs/")
    first = items(connector)
    assert len(first) == 1050
    assert server.asked["list"] == 2
    assert server.asked["get"] == 0
    with ThreadPoolExecutor(connector.parallel_fetches) as threads:
        raws = list(threads.map(connector.fetch, list(first.values())[-40:]))
    assert [raw.content for raw in raws] == [f"text {n}".encode() for n in range(1010, 1050)]
    assert server.asked["get"] == 40
    assert items(connector) == first
    assert server.asked["get"] == 40
    assert server.asked["head"] == 0


def test_fetching_while_the_listing_goes_on(server: S3Server, connect: Connect) -> None:
    for name in "abc":
        server.put(f"docs/{name}.md", name)
    connector = connect()
    found = [connector.fetch(each) for each in connector.discover() if isinstance(each, SourceItem)]
    assert [raw.content for raw in found] == [b"a", b"b", b"c"]
    assert all(raw.modified_at is not None for raw in found)


# --- refusals ---


def test_a_listing_that_breaks_off_is_an_error(server: S3Server, connect: Connect) -> None:
    server.fill(1001)
    listing = connect("docs/").discover()
    assert len(list(islice(listing, 1000))) == 1000
    server.refusals = [("list", 500, "InternalError", {})] * 3
    with pytest.raises(SourceError, match="InternalError"):
        next(listing)


@pytest.mark.parametrize("path", ["nothing", "docs/*.pdf"])
def test_nothing_there_is_no_emptied_source(server: S3Server, connect: Connect, path: str) -> None:
    server.put("docs/a.md", "x")
    with pytest.raises(TransientSourceError, match="nothing is taken as deleted") as caught:
        list(connect(path).discover())
    assert not caught.value.worth_waiting


def test_a_bucket_that_is_not_there(server: S3Server) -> None:
    connector = RemoteFilesConnector("s3://nobodys/docs", endpoint_url=server.url)
    with pytest.raises(SourceError, match=r"s3://nobodys does not exist \(NoSuchBucket\)"):
        list(connector.discover())


def test_refused_credentials(server: S3Server, connect: Connect) -> None:
    server.put("docs/a.md", "x")
    connector = connect()
    for status, code, told in (
        (400, "ExpiredToken", r"the credentials for s3://papers are refused \(ExpiredToken\)"),
        (403, "InvalidAccessKeyId", "the credentials for s3://papers are refused"),
        (403, "SignatureDoesNotMatch", "the credentials for s3://papers are refused"),
        (403, "AccessDenied", "access to s3://papers is denied"),
    ):
        server.refusals = [("list", status, code, {})]
        with pytest.raises(TransientSourceError, match=told) as caught:
            list(connector.discover())
        assert not caught.value.worth_waiting
    assert len(items(connector)) == 1


def test_missing_credentials(
    server: S3Server, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SourceError, match=r"credentials for s3://papers are .*AWS_PROFILE"):
        list(connect().discover())


def test_a_private_object_without_credentials(server: S3Server, connect: Connect) -> None:
    server.put("docs/a.md", "x")
    with pytest.raises(TransientSourceError, match="is denied"):
        connect(anonymous=True).fetch(SourceItem(uri=f"s3://{BUCKET}/docs/a.md"))


def test_throttling_tells_how_long(server: S3Server, connect: Connect) -> None:
    server.put("docs/a.md", "x")
    connector = connect()
    (item,) = items(connector).values()
    server.refusals = [("get", 503, "SlowDown", {"Retry-After": "7"})] * 3
    with pytest.raises(TransientSourceError, match="fewer requests") as caught:
        connector.fetch(item)
    assert caught.value.worth_waiting
    assert caught.value.retry_after_seconds == 7
    assert connector.fetch(item).content == b"x"


def test_an_object_that_vanished_or_grew(server: S3Server, connect: Connect) -> None:
    server.put("docs/a.md", "x")
    server.put("docs/b.md", "x")
    connector = connect(max_file_bytes=100)
    found = items(connector)
    server.client.delete_object(Bucket=BUCKET, Key="docs/a.md")
    server.put("docs/b.md", "x" * 500)
    with pytest.raises(TransientSourceError, match="vanished") as caught:
        connector.fetch(found["docs/a.md"])
    assert not caught.value.worth_waiting
    with pytest.raises(PermanentSourceError, match="longer than the 100 bytes"):
        connector.fetch(found["docs/b.md"])
    assert server.bytes_sent_last <= 101


def test_nothing_outside_is_fetched(connect: Connect) -> None:
    for uri in (f"s3://{BUCKET}/secret.md", "s3://other/docs/a.md", f"s3://{BUCKET}/docs-2/a.md"):
        with pytest.raises(PermanentSourceError, match="not within"):
            connect().fetch(SourceItem(uri=uri))


def test_a_server_that_is_not_there() -> None:
    connector = RemoteFilesConnector("s3://b", endpoint_url="http://127.0.0.1:9", anonymous=True)
    with pytest.raises(TransientSourceError, match="could not be read"):
        list(connector.discover())
