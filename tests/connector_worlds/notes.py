"""An Obsidian vault with a link to a folder outside of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from export_layouts import obsidian, write

from connectors.notes import NotesConnector


@contextmanager
def opened(folder: Path) -> Iterator[NotesConnector]:
    vault = write(folder / "Vault", obsidian())
    (vault / "outside").symlink_to(folder)
    yield NotesConnector(vault)
