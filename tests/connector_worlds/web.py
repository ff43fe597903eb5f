"""A small site: pages in a folder, a text file, and one file that no parser reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from web_server import Answer, page, serving

from connectors.web import WebConnector


@contextmanager
def opened(folder: Path) -> Iterator[WebConnector]:
    with serving() as server:
        server.answers = {
            "/docs/": page("All about ducks and geese.", "a.html", "notes.txt", "tool.bin"),
            "/docs/a.html": page("Ducks can swim and dive.", "/docs/", "gone.html", etag='"1"'),
            "/docs/notes.txt": Answer(body=b"Geese fly south.", content_type="text/plain"),
            "/docs/tool.bin": Answer(body=b"\0\1", content_type="application/x-tool"),
        }
        yield WebConnector(
            server.url("/docs/"),
            allow_hosts=(server.host,),
            requests_per_second=1000,
            suffixes=frozenset({".html", ".txt"}),
        )
