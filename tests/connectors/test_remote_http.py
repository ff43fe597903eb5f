"""Single web files against an HTTP server on this machine."""

from collections.abc import Callable

import pytest
from http_script import Asked, Told, scripted_http

from connectors.remote import RemoteFilesConnector
from ragmem.errors import SourceError, TransientSourceError
from ragmem.types import SkippedItem, SourceItem

TAGGED = Told(b"text", headers={"ETag": '"v1"', "Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT"})


def connect(url: str, **options: int) -> RemoteFilesConnector:
    return RemoteFilesConnector(url, allow_hosts=("127.0.0.1",), **options)  # type: ignore[arg-type]


def always(told: Told) -> Callable[[Asked], Told]:
    return lambda asked: told


def test_the_version_comes_without_the_body() -> None:
    asked: list[str] = []

    def answer(request: Asked) -> Told:
        asked.append(request.method)
        return TAGGED

    with scripted_http(answer) as url:
        connector = connect(f"{url}/files/a%20b.md?part=1")
        (item,) = connector.discover()
        assert asked == ["HEAD"]
        assert item == SourceItem(uri=connector.source_uri, fingerprint='"v1"', size_bytes=4)
        raw = connector.fetch(item)
        assert (raw.name, raw.content) == ("a b.md", b"text")
        assert raw.modified_at is not None
        assert raw.modified_at.year == 2026
        connector.close()


def test_time_and_size_without_a_tag_and_nothing_without_both() -> None:
    dated = Told(b"text", headers={"Last-Modified": "Mon, 02 Nov 2026 10:00:00 GMT"})
    with scripted_http(always(dated)) as url:
        (item,) = connect(f"{url}/a.md").discover()
        assert isinstance(item, SourceItem)
        assert item.fingerprint == "Mon, 02 Nov 2026 10:00:00 GMT-4"
    with scripted_http(always(Told(b"text"))) as url:
        (item,) = connect(f"{url}/a.md").discover()
        assert isinstance(item, SourceItem)
        assert item.fingerprint == ""


def test_a_server_without_head() -> None:
    def answer(request: Asked) -> Told:
        return Told(status=405) if request.method == "HEAD" else TAGGED

    with scripted_http(answer) as url:
        connector = connect(f"{url}/a.md")
        (item,) = connector.discover()
        assert isinstance(item, SourceItem)
        assert item.fingerprint == ""
        assert connector.fetch(item).content == b"text"
        connector.close()


def test_a_large_file_is_not_read() -> None:
    with scripted_http(always(Told(b"x" * 500))) as url:
        connector = connect(f"{url}/a.md", max_file_bytes=100)
        (item,) = connector.discover()
        assert isinstance(item, SkippedItem)
        with pytest.raises(SourceError, match="longer than the 100 bytes"):
            connector.fetch(SourceItem(uri=item.uri))
        connector.close()


def test_what_is_gone_is_an_error_of_the_source() -> None:
    with scripted_http(always(Told(status=404))) as url:
        connector = connect(f"{url}/a.md")
        with pytest.raises(SourceError, match="404"):
            list(connector.discover())
        with pytest.raises(TransientSourceError, match="vanished"):
            connector.fetch(SourceItem(uri=connector.source_uri))
        connector.close()


def test_private_addresses_are_refused_unless_named() -> None:
    with scripted_http(always(TAGGED)) as url, pytest.raises(SourceError, match=r"127\.0\.0\.1"):
        list(RemoteFilesConnector(f"{url}/a.md").discover())
