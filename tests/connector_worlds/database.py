"""A table of notes in SQLite; one row has no key."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from connectors.database import DatabaseConnector


@contextmanager
def opened(folder: Path) -> Iterator[DatabaseConnector]:
    path = folder / "notes.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            """
            CREATE TABLE notes (id INTEGER, title TEXT, body TEXT, updated_at TEXT);
            INSERT INTO notes VALUES
                (1, 'Kettle', 'The kettle is under warranty.', '2024-05-01'),
                (2, 'Garden', 'Water the tomatoes.', '2024-05-02'),
                (NULL, 'Draft', 'Not yet saved.', NULL);
            """
        )
    yield DatabaseConnector(
        f"sqlite:///{path}",
        query="SELECT * FROM notes",
        key="id",
        template="# {title}\n\n{body}",
        cursor="updated_at",
    )
