"""What a query listed, kept on disk while a run lasts.

A result may have millions of rows, and a run may take hours to embed them. Read off at once, it
holds neither memory here nor a transaction there. Only keys and fingerprints are kept, in a
temporary SQLite database that the operating system removes with the process.
"""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A row that was listed.

    Attributes:
        path: the key as it stands in the item's URI.
        fingerprint: of the row; the least of them where several rows have the key.
        rows: how many rows have the key.
    """

    path: str
    fingerprint: str
    rows: int


class Listing:
    """Rows by key, in the order of their paths.

    Attributes:
        without_key: how many rows have no key.
    """

    def __init__(self) -> None:
        self.without_key = 0
        # An empty name is a temporary database which spills to a file of its own.
        self._database = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._database.execute("CREATE TABLE listed (path TEXT, fingerprint TEXT, key BLOB)")

    def fill(self, rows: Iterable[tuple[str | None, str, Key]]) -> None:
        """Take in path, fingerprint and key of each row; what came before an error stays."""
        self._database.execute("BEGIN")
        try:
            self._database.executemany(
                "INSERT INTO listed VALUES (?, ?, ?)",
                self._with_key(rows),
            )
        finally:
            self._database.execute("CREATE INDEX by_path ON listed (path, fingerprint)")
            self._database.execute("COMMIT")

    def _with_key(
        self, rows: Iterable[tuple[str | None, str, Key]]
    ) -> Iterator[tuple[str, str, bytes]]:
        for path, fingerprint, key in rows:
            if path is None:
                self.without_key += 1
            else:
                yield path, fingerprint, pickle.dumps(key)

    def __iter__(self) -> Iterator[Listed]:
        for path, fingerprint, rows in self._database.execute(
            "SELECT path, MIN(fingerprint), COUNT(*) FROM listed GROUP BY path ORDER BY path"
        ):
            yield Listed(path=path, fingerprint=fingerprint, rows=rows)

    def keys_from(self, path: str, count: int) -> dict[str, Key]:
        """The keys of at most this many rows by path, from the given one on."""
        found = self._database.execute(
            "SELECT path, key FROM listed WHERE path >= ? GROUP BY path ORDER BY path LIMIT ?",
            (path, count),
        )
        return {each: pickle.loads(key) for each, key in found}

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()
