"""The store folder as one thing: its lock, its database, its stamp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from ragmem.errors import StoreCorrupt, StoreError, StoreMissing
from ragmem.store.engine import open_engine, reading, sqlite_url, writing
from ragmem.store.lock import StoreLock
from ragmem.store.stamp import Stamp, check_stamp, read_stamp, write_stamp
from ragmem.store.upgrade import is_empty, is_newest, upgrade

_DATABASE_FILE = "ragmem.db"


class Store:
    """An open store: its folder, its lock and transactions over its database.

    Open one with `open_store`. Thread-safe; close it when done.
    """

    def __init__(self, folder: Path, engine: Engine, lock: StoreLock, *, read_only: bool) -> None:
        self.folder = folder
        self.read_only = read_only
        self._engine = engine
        self._lock = lock
        self._closed = False

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection with one consistent view.

        Raises:
            StoreError: the database failed.
        """
        with self._mapped(), reading(self._engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection whose changes are committed together at the end, or not at all.

        Raises:
            StoreError: the store was opened for reading, or the database failed.
        """
        self.check_open()
        if self.read_only:
            raise StoreError(f"the store {self.folder} was opened for reading; open it for writing")
        with self._mapped(), writing(self._engine) as connection:
            yield connection

    def check_open(self) -> None:
        """Refuse to go on after `close`.

        Raises:
            StoreError: the store is closed.
        """
        if self._closed:
            raise StoreError(f"the store {self.folder} is closed; open it again")

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        self.check_open()
        try:
            yield
        except DBAPIError as error:
            raise StoreError(
                f"the database of the store {self.folder} failed: {error.orig}"
            ) from error

    def close(self) -> None:
        """Let go of the database and the lock; doing it twice is no error."""
        self._closed = True
        self._engine.dispose()
        self._lock.release()


def open_store(
    folder: Path,
    *,
    url: str | None = None,
    read_only: bool = False,
    create: bool = True,
    timeout_seconds: float = 0.0,
) -> Store:
    """Open a store folder, making and migrating its database as needed.

    Args:
        folder: where the indexes, the lock and the embedded database lie.
        url: another database than the embedded SQLite one.
        read_only: share the store with other readers; nothing can be written.
        create: make a store where none is, unless opened for reading.
        timeout_seconds: how long to wait for another process that holds the store.

    Raises:
        StoreLocked: another process holds it.
        StoreMissing: no store is there and none may be made.
        StoreError: the folder or the database cannot be used.
        StoreCorrupt: the database is not one.
        StoreMismatch: a newer ragmem wrote it.
    """
    database = folder / _DATABASE_FILE
    create = create and not read_only
    if not create and url is None and not database.is_file():
        raise _no_store(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the store folder {folder} cannot be made: {error}") from error
    lock = StoreLock(folder, shared=read_only, timeout_seconds=timeout_seconds)
    try:
        engine = open_engine(url or sqlite_url(database))
        try:
            newest = is_newest(engine)
            if not newest and not create and is_empty(engine):
                raise _no_store(folder)
            if not newest and not read_only:
                upgrade(engine)
        except OperationalError as error:
            engine.dispose()
            raise StoreError(
                f"the database of the store {folder} cannot be used: {error.orig}"
            ) from error
        except DatabaseError as error:
            engine.dispose()
            raise StoreCorrupt(
                f"the database of the store {folder} cannot be read: {error.orig}; restore it from "
                "a backup, or delete the folder and ingest again"
            ) from error
        except BaseException:
            engine.dispose()
            raise
    except BaseException:
        lock.release()
        raise
    if newest or not read_only:
        return Store(folder, engine, lock, read_only=read_only)
    # Only a writer may migrate, so be one for a moment.
    engine.dispose()
    lock.release()
    open_store(folder, url=url, timeout_seconds=timeout_seconds).close()
    return open_store(folder, url=url, read_only=True, timeout_seconds=timeout_seconds)


def _no_store(folder: Path) -> StoreMissing:
    return StoreMissing(f"there is no store at {folder}; make one: ragmem ingest PATH --store DIR")


def settle_stamp(store: Store, wanted: Stamp) -> None:
    """Check the stamp against what this process would use; stamp a new store.

    Raises:
        StoreMismatch: the store was built with something else.
    """
    with store.reading() as connection:
        found = read_stamp(connection)
    if found is not None:
        check_stamp(found, wanted)
    elif not store.read_only:
        with store.writing() as connection:
            write_stamp(connection, wanted)
