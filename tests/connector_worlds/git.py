"""A repository with two commits, a link, an image and a hidden file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from git_worlds import Repo

from connectors.git import GitConnector


@contextmanager
def opened(folder: Path) -> Iterator[GitConnector]:
    repo = Repo(folder / "repo")
    repo.write({"README.md": "# Garden\n", "src/a b.py": "def f(): pass\n", ".hidden": "x"})
    repo.commit("first")
    repo.write({"docs/übersicht.txt": "roses", "logo.png": "no image"})
    repo.link("docs/link.txt", "übersicht.txt")
    repo.commit("second")
    yield GitConnector(repo.folder, suffixes=frozenset({".md", ".py", ".txt", ""}))
