"""A SQLite file of an index: opened safely, changed in one piece, its errors explained.

What its tables hold is the business of those that keep one.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragmem.errors import StoreCorrupt, StoreError, StoreMismatch


class IndexFile:
    """An open file. Thread-safe; every change is on disk when its block ends."""

    def __init__(
        self, path: Path, *, index: str, schema: str, format_version: int, made_for: tuple[str, str]
    ) -> None:
        """Open the file, creating it where there is none.

        Args:
            path: the file.
            index: what messages call the index, such as `dense`.
            schema: the statements that make its tables.
            format_version: of the schema.
            made_for: the name and the value of what the entries depend on, such as the model.

        Raises:
            StoreMismatch: it was written in another format or for another value.
            StoreCorrupt: it is no readable database.
        """
        self._path = path
        self._index = index
        self._lock = threading.RLock()
        self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            self._prepare(schema, format_version, made_for)
        except StoreError:
            self.connection.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone."""
        with self._lock:
            try:
                yield self.connection
            except sqlite3.OperationalError as error:
                raise StoreError(
                    f"the {self._index} index's {self._path} failed: {error}"
                ) from error
            except sqlite3.DatabaseError as error:
                raise StoreCorrupt(
                    f"the {self._index} index's {self._path} cannot be read: {error}; "
                    "`ragmem reindex` rebuilds it from the store"
                ) from error

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """The connection, in a transaction."""
        with self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def close(self) -> None:
        """Fold the log into the file and close it."""
        with self._lock:
            self.connection.close()

    def _prepare(self, schema: str, format_version: int, made_for: tuple[str, str]) -> None:
        name, value = made_for
        with self.reading() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found == 0:
                with self.changing():
                    for statement in schema.split(";"):
                        connection.execute(statement)
                    connection.execute(f"CREATE TABLE settings AS SELECT ? AS {name}", (value,))
                    connection.execute(f"PRAGMA user_version = {format_version}")
                return
            if found != format_version:
                raise StoreMismatch(
                    f"the {self._index} index in {self._path.parent} has format {found}, this "
                    f"ragmem reads {format_version}: run `ragmem reindex` to rebuild it"
                )
            held = str(connection.execute(f"SELECT {name} FROM settings").fetchone()[0])
        if held != value:
            raise StoreMismatch(
                f"the {self._index} index in {self._path.parent} was made with {name} {held}, and "
                f"now it is {value}: run `ragmem reindex` to rebuild it"
            )
