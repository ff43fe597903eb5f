"""A bucket on a test server, with a folder's marker, odd names and an empty object."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from s3_server import BUCKET, CREDENTIALS, s3_server

from connectors.remote import RemoteFilesConnector


@contextmanager
def opened(folder: Path) -> Iterator[RemoteFilesConnector]:
    with s3_server() as server, patch.dict(os.environ, CREDENTIALS):
        for key in ("docs/a.md", "docs/b c#?%20.txt", "docs/sub/ü.md"):
            server.put(key, f"text of {key}")
        server.put("docs/sub/", "")
        server.put("docs/empty.md", "")
        yield RemoteFilesConnector(f"s3://{BUCKET}/docs", endpoint_url=server.url)
