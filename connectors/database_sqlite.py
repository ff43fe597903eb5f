"""SQLite: opened for reading only, its statements bounded in time and its values in size."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ragmem.errors import PermanentSourceError, TransientSourceError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine, ExceptionContext

_DRIVERS = ("sqlite", "sqlite+pysqlite")
_INSTRUCTIONS = 100_000  # about a millisecond
_LEAST_BYTES = 1024 * 1024  # below, the schema itself may not be readable
_MOST_BYTES = 2**31 - 1


def is_sqlite(url: URL) -> bool:
    """Whether Python's own driver reads it."""
    return url.drivername in _DRIVERS


def reading_only(url: URL) -> URL:
    """The URL that opens the file for reading only."""
    path = quote(str(url.database))
    return url.set(database=f"file:{path}").update_query_dict({"mode": "ro", "uri": "true"})


def bound(engine: Engine, *, timeout_seconds: float, max_bytes: int) -> None:
    """End each statement after its time, and read no value that is larger.

    Args:
        engine: of one connection used at a time.
        timeout_seconds: from a statement's start to its last row.
        max_bytes: of a value; small ones of up to a mebibyte are always read.
    """
    from sqlalchemy import event

    until = float("inf")
    most = min(max(max_bytes, _LEAST_BYTES), _MOST_BYTES)

    @event.listens_for(engine, "connect")
    def set_up(connection: sqlite3.Connection, _record: object) -> None:
        # Text that is no UTF-8 would otherwise end the whole listing.
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, most)
        # Between statements' steps Python also gets to see Ctrl-C.
        connection.set_progress_handler(is_over, _INSTRUCTIONS)

    @event.listens_for(engine, "before_cursor_execute")
    def start(*_statement: Any) -> None:
        nonlocal until
        until = time.monotonic() + timeout_seconds

    def is_over() -> bool:
        return time.monotonic() > until

    @event.listens_for(engine, "handle_error")
    def tell(context: ExceptionContext) -> None:
        code = getattr(context.original_exception, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_TOOBIG:
            raise PermanentSourceError(
                f"a value has more than the {most:,} bytes allowed; leave its column out of the "
                "query or raise max_file_bytes"
            )
        if code == sqlite3.SQLITE_INTERRUPT and not is_over():
            # What a signal raises within the handler, sqlite3 turns into this error.
            raise KeyboardInterrupt
        if code == sqlite3.SQLITE_INTERRUPT:
            raise TransientSourceError(
                f"statement timeout: the query ran for {timeout_seconds:g} seconds; make it "
                "faster or raise timeout_seconds",
                worth_waiting=False,
            )
