"""What a reader has given in this run, kept on disk.

A reader cannot be asked for one document again. So each is laid by as it comes, in a temporary
SQLite database that the operating system removes with the process: memory holds one at a time.
"""

from __future__ import annotations

import json
import sqlite3

from .llama_documents import Reading


class Spool:
    """Readings by the ends of their URIs."""

    def __init__(self) -> None:
        # An empty name is a temporary database which spills to a file of its own.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("CREATE TABLE readings (path TEXT PRIMARY KEY, reading TEXT)")
        self._database.execute("CREATE TABLE pages (identity TEXT PRIMARY KEY, given INTEGER)")

    def count(self, identity: str) -> int:
        """How many documents of this identity have come, this one included."""
        (given,) = self._database.execute(
            "INSERT INTO pages VALUES (?, 1) "
            "ON CONFLICT (identity) DO UPDATE SET given = given + 1 RETURNING given",
            (identity,),
        ).fetchone()
        return int(given)

    def add(self, path: str, reading: Reading) -> bool:
        """Lay a reading by; False where one has the path already."""
        plain = [reading.identity, reading.page, reading.text, dict(reading.metadata)]
        cursor = self._database.execute(
            "INSERT OR IGNORE INTO readings VALUES (?, ?)", (path, json.dumps(plain))
        )
        return cursor.rowcount == 1

    def get(self, path: str) -> Reading | None:
        """The reading with this path."""
        row = self._database.execute(
            "SELECT reading FROM readings WHERE path = ?", (path,)
        ).fetchone()
        if row is None:
            return None
        identity, page, text, metadata = json.loads(row[0])
        plain = {key: tuple(v) if isinstance(v, list) else v for key, v in metadata.items()}
        return Reading(identity=identity, page=page, text=text, metadata=plain)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
