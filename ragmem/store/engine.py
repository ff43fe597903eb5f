"""Database engines: SQLite in WAL mode or PostgreSQL, by URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from ragmem.errors import MissingExtra, UsageError

_BUSY_TIMEOUT_MILLISECONDS = 30_000


def sqlite_url(path: Path) -> str:
    """The URL of the SQLite database in this file."""
    return f"sqlite:///{path}"


def open_engine(url: str) -> Engine:
    """Open a database.

    Raises:
        UsageError: the URL is not one SQLAlchemy understands.
        MissingExtra: the database's driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        engine = create_engine(parsed)
    except (ArgumentError, NoSuchModuleError) as error:
        raise UsageError(
            f"not a database URL that can be used: {error}; "
            "expected sqlite:///FILE or postgresql://USER@HOST/NAME"
        ) from error
    except ModuleNotFoundError as error:
        raise MissingExtra(
            package=error.name or "psycopg", extra="postgres", purpose="a PostgreSQL store"
        ) from error
    if engine.dialect.name == "sqlite":
        _set_up_sqlite(engine)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection inside one transaction that only reads: one consistent view."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            # By default each of its statements would see what was committed since the one before.
            connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection inside one transaction that is committed at the end or not at all."""
    with engine.connect() as plain:
        connection = plain.execution_options(ragmem_writes=True)
        with connection.begin():
            yield connection


def _set_up_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, and transactions that SQLAlchemy begins rather than the driver."""

    @event.listens_for(engine, "connect")
    def _on_connect(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(f"pragma busy_timeout = {_BUSY_TIMEOUT_MILLISECONDS}")
        cursor.execute("pragma journal_mode = wal")
        # FULL: what was acknowledged survives a power cut, not only a killed process.
        cursor.execute("pragma synchronous = full")
        cursor.execute("pragma foreign_keys = on")
        # Deleted text is overwritten with zeros instead of staying in free pages.
        cursor.execute("pragma secure_delete = on")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A writer takes its lock at once: a reader that turns writer half way could only fail.
        writes = connection.get_execution_options().get("ragmem_writes", False)
        connection.exec_driver_sql("begin immediate" if writes else "begin")
