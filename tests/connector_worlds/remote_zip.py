"""A ZIP archive with folders, an empty file and a member that names a place outside."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.remote import RemoteFilesConnector


@contextmanager
def opened(folder: Path) -> Iterator[RemoteFilesConnector]:
    with zipfile.ZipFile(folder / "a b.zip", "w") as archive:
        for name in ("a.md", "sub/b c#?.txt", "sub/ü.md"):
            archive.writestr(name, f"text of {name}")
        archive.writestr("empty.md", "")
        archive.writestr("../outside.md", "x")
    yield RemoteFilesConnector(f"zip://{folder}/a b.zip")
