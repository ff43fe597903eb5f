"""Google Cloud Storage: gcsfs against a server that answers in its API's form, not Google's."""

import json
from collections.abc import Iterator
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from http_script import Asked, Told, scripted_http

from connectors.remote import RemoteFilesConnector
from ragmem.errors import TransientSourceError
from ragmem.types import SourceItem

OBJECTS = {"docs/": b"", "docs/a.md": b"A", "docs/sub/": b"", "docs/sub/b c#?.md": b"BB"}
REFUSED = Told(b'{"error": {"code": 404, "message": "No such object"}}', status=404)


def resource(name: str) -> dict[str, str]:
    size = len(OBJECTS[name])
    told = {"name": name, "bucket": "box", "size": str(size), "md5Hash": f"md5{size}=="}
    return {**told, "etag": "CKe=", "generation": "17", "updated": "2026-11-02T10:00:00Z"}


def answer(asked: Asked) -> Told:
    url = urlsplit(asked.path)
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    if url.path.endswith("/b/box/o"):
        prefix = query.get("prefix", "")
        inside = [name for name in OBJECTS if name.startswith(prefix)]
        direct = [name for name in inside if "/" not in name[len(prefix) :]]
        deeper = {prefix + name[len(prefix) :].split("/")[0] + "/" for name in inside}
        folders = sorted(deeper - {f"{name}/" for name in direct} - {prefix + "/"})
        page = {"items": [resource(name) for name in direct], "prefixes": folders}
        return Told(json.dumps(page).encode(), headers={"Content-Type": "application/json"})
    name = unquote(url.path.partition("/b/box/o/")[2])
    if name not in OBJECTS:
        return REFUSED
    if query.get("alt") == "media":
        return Told(OBJECTS[name])
    return Told(json.dumps(resource(name)).encode(), headers={"Content-Type": "application/json"})


@pytest.fixture
def connector() -> Iterator[RemoteFilesConnector]:
    with scripted_http(answer) as url:
        made = RemoteFilesConnector("gs://box/docs", endpoint_url=url, anonymous=True)
        yield made
        made.close()


# A third party's advice about creating buckets, which nothing here does.
@pytest.mark.filterwarnings("ignore:GCS project not set")
def test_listed_and_read_without_getting_lost_in_markers(connector: RemoteFilesConnector) -> None:
    found = list(connector.discover())
    assert found == [
        SourceItem(uri="gs://box/docs/a.md", fingerprint="md51==-1", size_bytes=1),
        SourceItem(uri="gs://box/docs/sub/b%20c%23%3F.md", fingerprint="md52==-2", size_bytes=2),
    ]
    assert connector.fetch(SourceItem(uri=found[0].uri)).content == b"A"
    assert connector.fetch(SourceItem(uri=found[1].uri)).content == b"BB"
    with pytest.raises(TransientSourceError, match="vanished"):
        connector.fetch(SourceItem(uri="gs://box/docs/none.md"))
