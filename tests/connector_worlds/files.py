"""A folder of files in many formats, one of them empty and one ignored."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from format_files import write_all

from connectors.files import FilesConnector


@contextmanager
def opened(folder: Path) -> Iterator[FilesConnector]:
    documents = folder / "documents"
    write_all(documents)
    (documents / "empty.txt").touch()
    (documents / ".gitignore").write_text("draft.txt\n")
    (documents / "draft.txt").write_text("not to be read")
    yield FilesConnector(str(documents))
