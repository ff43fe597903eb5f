"""GitHub: a server that answers in the recorded form of the REST API, not GitHub itself."""

import json
from collections.abc import Iterator
from itertools import islice

import pytest
from http_script import Asked, Told, scripted_http

from connectors.remote import RemoteFilesConnector
from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError
from ragmem.types import SkippedItem, SourceItem

FILES = {
    "README.md": b"# Read me",
    "docs/a b#.md": b"text",
    "docs/pic.png": b"\x89PNG",
    "docs/big.md": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    ".github/x.md": b"hidden",
}


class Hub:
    """The two end points that are used, with what a test wants them to refuse."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.refusal: Told | None = None
        self.is_truncated = False

    def answer(self, asked: Asked) -> Told:
        self.asked.append(asked)
        if self.refusal is not None:
            return self.refusal
        if asked.path == "/repos/ana/notes/git/trees/v1?recursive=1":
            return Told(json.dumps(self._tree()).encode())
        for name, content in FILES.items():
            quoted = name.replace(" ", "%20").replace("#", "%23")
            if asked.path == f"/repos/ana/notes/contents/{quoted}?ref=v1":
                return Told(content)
        return Told(b'{"message": "Not Found"}', status=404)

    def _tree(self) -> dict[str, object]:
        blobs = [
            {"path": name, "mode": "100644", "type": "blob", "sha": f"{at:040x}", "size": len(text)}
            for at, (name, text) in enumerate(FILES.items(), start=1)
        ]
        others = [
            {"path": "docs", "mode": "040000", "type": "tree", "sha": "f" * 40},
            {"path": "docs/sub", "mode": "160000", "type": "commit", "sha": "e" * 40},
            {"path": "docs/l.md", "mode": "120000", "type": "blob", "sha": "d" * 40, "size": 9},
        ]
        return {"sha": "c" * 40, "tree": [*blobs, *others], "truncated": self.is_truncated}


@pytest.fixture
def hub() -> Iterator[tuple[Hub, str]]:
    made = Hub()
    with scripted_http(made.answer) as url:
        yield made, url


def connect(url: str, path: str = "/docs") -> RemoteFilesConnector:
    place = f"github://ana:notes@v1{path}"
    return RemoteFilesConnector(place, endpoint_url=url, suffixes=frozenset({".md"}))


def test_listed_by_one_request_with_the_blobs_as_versions(hub: tuple[Hub, str]) -> None:
    server, url = hub
    connector = connect(url)
    found = list(connector.discover())
    assert [each.uri.rpartition("/")[2] for each in found] == [
        "a%20b%23.md", "big.md", "l.md", "pic.png",
    ]  # fmt: skip
    assert len(server.asked) == 1
    first = found[0]
    assert isinstance(first, SourceItem)
    assert first.fingerprint == f"{2:040x}"
    assert connector.fetch(first).content == b"text"
    reasons = [each.reason for each in found if isinstance(each, SkippedItem)]
    assert reasons == ["a symbolic link; add its target by itself", "no parser for .png files"]
    connector.close()


def test_a_pointer_to_large_file_storage_is_no_content(hub: tuple[Hub, str]) -> None:
    connector = connect(hub[1])
    with pytest.raises(PermanentSourceError, match="Git LFS"):
        connector.fetch(SourceItem(uri="github://ana:notes@v1/docs/big.md"))
    connector.close()


def test_the_token_goes_to_the_api_only(
    hub: tuple[Hub, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = hub
    monkeypatch.setenv("GITHUB_TOKEN", "secret-token")
    connector = connect(url)
    assert all("secret" not in each.uri for each in connector.discover())
    assert server.asked[0].headers["authorization"] == "Bearer secret-token"
    with scripted_http(lambda asked: pytest.fail("followed")) as elsewhere:
        server.refusal = Told(status=301, headers={"Location": elsewhere})
        with pytest.raises(SourceError, match="renamed"):
            list(connector.discover())
    connector.close()


def test_half_a_listing_is_an_error_at_its_end(hub: tuple[Hub, str]) -> None:
    server, url = hub
    server.is_truncated = True
    connector = connect(url)
    listing = connector.discover()
    assert len(list(islice(listing, 4))) == 4
    with pytest.raises(SourceError, match="only the beginning"):
        next(listing)
    connector.close()


@pytest.mark.parametrize(
    ("refusal", "told", "seconds"),
    [
        (Told(status=403, headers={"Retry-After": "60"}), "rate limit", 60),
        (Told(status=429), "rate limit", None),
        (
            Told(status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}),
            "rate limit",
            0,
        ),
        (Told(status=401), "GITHUB_TOKEN is refused", None),
        (Told(status=404), "no such repository or ref v1, or it is private", None),
        (Told(b"<html>", status=200), "unreadable", None),
        (Told(b"[" * 100_000, status=200), "unreadable", None),
        (Told(status=502), "status 502", None),
    ],
)
def test_refusals(hub: tuple[Hub, str], refusal: Told, told: str, seconds: float | None) -> None:
    server, url = hub
    server.refusal = refusal
    connector = connect(url)
    with pytest.raises(TransientSourceError, match=told) as caught:
        list(connector.discover())
    assert caught.value.retry_after_seconds == seconds
    connector.close()


def test_a_file_that_vanished(hub: tuple[Hub, str]) -> None:
    connector = connect(hub[1])
    with pytest.raises(TransientSourceError, match="vanished"):
        connector.fetch(SourceItem(uri="github://ana:notes@v1/docs/none.md"))
    connector.close()
