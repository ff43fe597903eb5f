"""Locations that people mistype: told by name, never by an error of Python's."""

import pytest

from connectors.http_location import http_path
from ragmem.connecting import connect
from ragmem.errors import UnknownSource, UsageError
from ragmem.types import SourceDescription


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("https://h/a/b.pdf?x=1", "/a/b.pdf"),
        ("HTTP://h", ""),
        ("ftp://h/a", None),
        ("http://[x/", None),
        ("notes/http://h", None),
    ],
)
def test_the_path_of_a_web_address(location: str, path: str | None) -> None:
    assert http_path(location) == path


@pytest.mark.parametrize(
    "location",
    [
        "file://[x",
        "file://[x/a.rss",
        "mbox://[x/a",
        "maildir://host/a",
        "git+file://host/a",
        "git+https://[x/a",
        "sftp://u@[x/a",
        "https://[::1/a.pdf",
        "feed+https://[::1/a",
        "imap://[x",
    ],
)
def test_what_is_no_location_is_said_to_be_none(location: str) -> None:
    with pytest.raises((UnknownSource, UsageError)) as caught:
        connect(SourceDescription(location=location), defaults={})
    assert "cannot" not in str(caught.value)
