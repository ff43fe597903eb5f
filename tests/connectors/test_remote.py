"""Locations and options, and the object stores that no test server speaks for."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import pytest

from connectors.remote import RemoteFilesConnector
from connectors.remote_faults import judged
from connectors.remote_location import RemoteLocation, locate
from connectors.remote_objects import ObjectStore, entry_of
from ragmem.errors import (
    MissingExtra,
    PermanentSourceError,
    SourceError,
    TransientSourceError,
    UnknownSource,
    UsageError,
)

# --- locations ---


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/docs/", "s3://bucket/docs"),
        ("S3://bucket/a b/ü#", "s3://bucket/a%20b/%C3%BC%23"),
        ("s3://bucket/a%20b/100%25", "s3://bucket/a%20b/100%25"),
        ("gs://bucket/docs/**/*.md", "gs://bucket/docs/**/*.md"),
        ("az://box/a b/[ab]?.md", "az://box/a%20b/[ab]?.md"),
        ("s3://bucket/what%3F/*.md", "s3://bucket/what[?]/*.md"),
        ("sftp://ana@Host:22/docs", "sftp://ana@host/docs"),
        ("sftp://host:2222/~/docs", "sftp://host:2222/~/docs"),
        ("sftp://ana%40example.org@host/x", "sftp://ana%40example.org@host/x"),
        ("github://ana:notes@v1/docs", "github://ana:notes@v1/docs"),
        ("github://ana:notes@feature%2Fx", "github://ana:notes@feature%2Fx"),
        ("github://ana:notes@a%40v1/docs", "github://ana:notes@a%40v1/docs"),
        ("https://host/a%20b.pdf?page=1#top", "https://host/a%20b.pdf?page=1"),
    ],
)
def test_a_location_names_the_same_place_when_read_again(location: str, uri: str) -> None:
    assert locate(location).uri == uri
    assert locate(uri).uri == uri


@pytest.mark.parametrize(
    ("location", "key", "is_meant"),
    [
        ("s3://b/docs", "docs/a.md", True),
        ("s3://b/docs", "docs-old/a.md", False),
        ("s3://b/docs", "docs/.git/a.md", False),
        ("s3://b/.config", ".config/a.md", True),
        ("s3://b/docs/.env.md", "docs/.env.md", True),
        ("s3://b/**/*.md", "a.md", True),
        ("s3://b/**/*.md", "x/y/a.md", True),
        ("s3://b/*.md", "x/a.md", False),
        ("s3://b/what%3F.md", "what?.md", True),
        ("s3://b/what%3F.md", "whats.md", False),
        ("s3://b/what%3F*.md", "what?s.md", True),
        ("s3://b/what%3F*.md", "whats.md", False),
    ],
)
def test_what_is_meant(location: str, key: str, is_meant: bool) -> None:
    place = locate(location)
    assert place.admits(key) is is_meant
    if is_meant:
        assert place.key_of(place.item_uri(key)) == key


@pytest.mark.parametrize(
    "location",
    [
        "sftp://ana:secret@host/docs",
        "sftp://ana;x=secret@host/docs",
        "sftp://ana%3Bx=secret@host/docs",
        "sftp://ana%3Asecret@host/docs",
        "sftp://ana:x@secret@host/docs",
        "github://u:secret@o:r@main/x",
        "github://u:secret%40o:r@main/x",
        "github://secret@o:r@main/x",
        "github://secret@o:r/x",
        "github://o:r@u:secret/x",
        "s3://key%3Asecret%40bucket/docs",
        "s3://key:secret@bucket/docs",
        "https://ana:secret@host/a.pdf",
        "https://bucket.s3.amazonaws.com/a.pdf?X-Amz-Signature=secret",
        "https://host/a.pdf?access_token=secret",
    ],
)
def test_secrets_in_a_location_are_refused_and_not_repeated(location: str) -> None:
    with pytest.raises(UsageError) as caught:
        RemoteFilesConnector(location)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "location",
    [
        "s3://", "s3:///", "github://ana/notes", "github://ana:notes@/x", "zip://", "https://host/",
        "sftp:ana:secret@host", "sftp://ana@host:secret/x", "sftp://host;secret/x", "sftp://:22/x",
        "sftp://host:99999/x",
    ],
)  # fmt: skip
def test_a_location_that_names_nothing(location: str) -> None:
    with pytest.raises(UnknownSource) as caught:
        RemoteFilesConnector(location)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "is_ours"),
    [
        ("https://host/a.pdf", True),
        ("HTTP://host/a.CSV?x=1", True),
        ("https://host/", False),
        ("https://host/page", False),
        ("https://host/page.html", False),
        ("https://host/feed.xml", False),
        ("https://host/project.git", False),
        ("https://host/robots.txt", False),
        ("https://host.md", False),
        ("https://[host/a.pdf", False),
        ("a.pdf", False),
    ],
)
def test_web_addresses_of_files_are_recognized(location: str, is_ours: bool) -> None:
    assert RemoteFilesConnector.recognizes(location) is is_ours


def test_options_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="takes no endpoint_url"):
        RemoteFilesConnector("sftp://host/x", endpoint_url="http://x")
    with pytest.raises(UsageError, match="takes no region, anonymous"):
        RemoteFilesConnector("github://a:b", region="x", anonymous=True)
    for url in (
        "http://key:secret@host", "http://secret@host", "http://host/?k=secret", "http://host#secret",
        "host:secret", "http:/k:secret@host", "ftp://host/secret", "http://[secret", "http://h:secret",
    ):  # fmt: skip
        with pytest.raises(UsageError, match="endpoint_url is no") as caught:
            RemoteFilesConnector("s3://b", endpoint_url=url)
        assert "secret" not in str(caught.value)
    with pytest.raises(UsageError, match="parallel_fetches is 0"):
        RemoteFilesConnector("s3://b", parallel_fetches=0)


@pytest.mark.parametrize(
    ("location", "package", "extra"),
    [("az://box/docs", "adlfs", "az"), ("sftp://host/docs", "paramiko", "sftp")],
)
def test_a_missing_package_names_its_extra(
    monkeypatch: pytest.MonkeyPatch, location: str, package: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf"needs {package}: pip install 'ragmem\[{extra}\]'"):
        list(RemoteFilesConnector(location).discover())


# --- stores known only by fsspec's common interface ---


@pytest.fixture
def memory() -> RemoteLocation:
    files = fsspec.filesystem("memory", skip_instance_cache=True)
    files.store.clear()
    for name in ("docs/a.md", "docs/sub/b.md", "docs-old/c.md"):
        files.pipe_file(f"/box/{name}", f"text of {name}".encode())
    return RemoteLocation(scheme="memory", base="memory://box", store="box", prefix="docs")


def test_folders_are_walked_one_by_one(memory: RemoteLocation) -> None:
    store = ObjectStore(memory, {})
    found = list(store.entries())
    assert [entry.key for entry in found] == ["docs/a.md", "docs/sub/b.md"]
    assert all(entry.fingerprint and entry.size_bytes for entry in found)
    assert store.read("docs/a.md", 100).content == b"text of docs/a.md"
    with pytest.raises(PermanentSourceError, match="longer than the 3 bytes"):
        store.read("docs/a.md", 3)
    with pytest.raises(TransientSourceError, match="vanished"):
        store.read("docs/none.md", 100)
    store.close()


def test_a_folder_that_is_not_there_is_an_error(memory: RemoteLocation) -> None:
    gone = RemoteLocation(scheme="memory", base="memory://box", store="box", prefix="none")
    with pytest.raises(SourceError, match="does not exist"):
        list(ObjectStore(gone, {}).entries())


WHEN = datetime(2026, 11, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("info", "fingerprint"),
    [
        ({"ETag": '"abc"', "LastModified": WHEN}, "abc-4"),
        ({"etag": "CJ+x", "md5Hash": "bWQ1", "generation": "17", "updated": "2026"}, "bWQ1-4"),
        ({"etag": '"0x8D"', "last_modified": WHEN, "content_settings": {}}, "0x8D-4"),
        ({"mtime": WHEN}, "2026-11-02T10:00:00+00:00-4"),
        ({}, ""),
    ],
)
def test_versions_as_each_store_tells_them(info: dict[str, object], fingerprint: str) -> None:
    found = entry_of("docs/a.md", {"size": 4, "type": "file", **info})
    assert (found.fingerprint, found.size_bytes) == (fingerprint, 4)


class HttpFault(Exception):
    """As the clients of Google and Azure raise them: a number and nothing else in common."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@pytest.mark.parametrize(
    ("error", "told", "is_worth_waiting"),
    [
        (HttpFault(401, "Invalid Credentials"), "credentials for gs://box are refused", False),
        (HttpFault(429, "rateLimitExceeded"), "asks for fewer requests", True),
        (HttpFault(500, "backendError"), "could not be read", True),
        (OSError("Forbidden: https://x"), "is denied", False),
        (FileNotFoundError("box"), "does not exist", False),
        (TimeoutError(), "no answer", True),
        (ValueError("Must provide an account_name"), "credentials for gs://box", False),
    ],
)
def test_errors_of_the_clients(error: Exception, told: str, is_worth_waiting: bool) -> None:
    found = judged(error, scheme="gs", store="box")
    assert isinstance(found, TransientSourceError)
    assert told in str(found)
    assert found.worth_waiting is is_worth_waiting
