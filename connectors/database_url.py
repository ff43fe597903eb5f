"""Database URLs: read without secrets in them, shown without credentials, opened for reading only.

What is asked of the database and what becomes of its rows is elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ragmem.errors import (
    MissingExtra,
    PermanentSourceError,
    RagmemError,
    SourceError,
    TransientSourceError,
    UnknownSource,
    UsageError,
)

from .database_sqlite import bound, is_sqlite, reading_only
from .placeholders import check_secret, filled, is_secret

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine

SCHEMES = frozenset(
    {"sqlite", "postgresql", "postgres", "mysql", "mariadb", "mssql", "oracle", "duckdb"}
)
_SCHEME = re.compile(r"^([a-z][a-z0-9_]*)(?:\+([a-z0-9_]+))?://")
# The drivers that the extras bring, where the URL names none.
_DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
_EXTRAS = {"psycopg": "postgres", "pymysql": "mysql"}
_IN_FILES = frozenset({"sqlite", "duckdb"})
# Parts of a URL's query that tell one database from another.
_PLACES = ("host", "port", "dbname", "service", "service_name", "unix_socket")
_READ_ONLY = {
    "postgresql": (
        "SET TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET LOCAL statement_timeout = {milliseconds}",
    ),
    "mysql": ("SET SESSION TRANSACTION READ ONLY",),
    "mariadb": ("SET SESSION TRANSACTION READ ONLY",),
    "oracle": ("SET TRANSACTION READ ONLY",),
}
_CONNECT_SECONDS = 15
# As in PostgreSQL's options, ODBC's connection strings and SQL's SET.
_INNER_SETTING = re.compile(r"(?:-c\s*|--)?([A-Za-z_][\w.-]*)\s*=\s*([^;\s]*)")
# What seconds do not mend: wrong credentials and names, and statements cancelled for their time.
_HOPELESS = re.compile(
    r"authentication failed|access denied|login failed|ORA-01017|does not exist|"
    r"unknown database|statement timeout",
    re.IGNORECASE,
)
_SQLITE_BUSY = re.compile(r"locked|busy|disk I/O|unable to open", re.IGNORECASE)


def is_database_url(location: str) -> bool:
    """Whether a dialect is known for the URL, by its scheme alone; no dialect is loaded."""
    match = _SCHEME.match(location)
    if match is None:
        return False
    dialect, driver = match[1], match[2]
    if dialect in SCHEMES:
        return True
    installed = entry_points(group="sqlalchemy.dialects").names
    return (f"{dialect}.{driver}" if driver else dialect) in installed


def database_url(location: str) -> URL:
    """The URL with placeholders filled in and a driver.

    Raises:
        UnknownSource: it is no database URL, or the file it names is not there.
        UsageError: a password is written out, a variable is not set, or the driver is none that
            can be used here.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    if "://" not in location:
        location = filled(location)
        written_out = False
    else:
        written_out = True
    try:
        url = make_url(location)
    except (ArgumentError, ValueError):
        raise UnknownSource(
            "that is no database URL; write DIALECT://USER:${PASSWORD_VARIABLE}@HOST:PORT/DATABASE "
            "with a numeric port, or sqlite:///PATH"
        ) from None
    if written_out:
        for name, value in _settings(url):
            check_secret(name, value)
        url = _filled(url)
    url = url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))
    if url.get_backend_name() in _IN_FILES:
        url = url.set(database=str(_file(url)))
    return url


def _settings(url: URL) -> Iterator[tuple[str, str]]:
    """Names and values of the URL's settings, and of those within a value, such as `-c a=b`."""
    yield "password", str(url.password or "")
    for key, values in url.normalized_query.items():
        for value in values:
            yield key, value
            for inner in _INNER_SETTING.finditer(value):
                yield inner[1], inner[2]


def _filled(url: URL) -> URL:
    return url.set(
        username=filled(url.username) if url.username else None,
        password=filled(str(url.password)) if url.password else None,
        host=filled(url.host) if url.host else None,
        database=filled(url.database) if url.database else None,
        query={
            key: filled(value) if isinstance(value, str) else tuple(map(filled, value))
            for key, value in url.query.items()
        },
    )


def _file(url: URL) -> Path:
    if not url.database or url.database == ":memory:" or url.database.startswith("file:"):
        raise UsageError(
            f"{url.drivername}:// needs a path to a database file, such as "
            f"{url.drivername}:///notes.db; got {url.database or 'none'}"
        )
    path = Path(url.database).expanduser().absolute()
    # Asked before connecting, which would create the file.
    if not path.is_file():
        raise UnknownSource(f"no database file is at {path}; check the path")
    return path


def public_uri(url: URL) -> str:
    """The URL as it is stored and shown: no credentials, no driver, no settings."""
    host = f"[{url.host}]" if url.host and ":" in url.host else url.host or ""
    port = f":{url.port}" if url.port else ""
    places = "&".join(
        f"{key}={quote(value, safe='')}"
        for key in _PLACES
        for value in url.normalized_query.get(key, ())
    )
    return (
        f"{url.get_backend_name()}://{host}{port}/{quote(url.database or '')}"
        + ("?" if places else "")
        + places
    )


def open_engine(url: URL, *, timeout_seconds: float, max_bytes: int) -> Engine:
    """An engine whose transactions only read, wherever the database can be told so.

    A string is never more than one statement, so that no query ends its transaction: SQLite and
    PyMySQL run but one, and psycopg does so for server-side cursors. One connection is kept
    between uses. Nothing connects yet.

    Raises:
        MissingExtra: the driver is not installed.
        UsageError: likewise, of a database that no extra is for; or the driver is asynchronous or
            would run several statements.
    """
    from sqlalchemy import create_engine, event
    from sqlalchemy.exc import NoSuchModuleError

    backend = url.get_backend_name()
    try:
        is_async = url.get_dialect().is_async
        if is_async:
            raise UsageError(
                f"{url.drivername} is an asynchronous driver; leave +{url.get_driver_name()} out"
            )
        _check_one_statement(url)
        engine = create_engine(
            reading_only(url) if is_sqlite(url) else url,
            connect_args=_connect_arguments(url),
            pool_size=1,
            max_overflow=1,
            pool_pre_ping=True,
            hide_parameters=True,
        )
    except NoSuchModuleError:
        raise UsageError(
            f"no SQLAlchemy dialect is installed for {url.drivername}://; install the package that "
            "brings it"
        ) from None
    except ModuleNotFoundError as error:
        module = error.name or url.get_driver_name()
        if module in _EXTRAS:
            raise MissingExtra(
                package=module, extra=_EXTRAS[module], purpose=f"reading from {backend}"
            ) from error
        raise UsageError(f"reading from {url.drivername}:// needs {module}; install it") from error
    statements = tuple(
        each.format(milliseconds=round(timeout_seconds * 1000))
        for each in _READ_ONLY.get(backend, ())
    )
    engine.update_execution_options(stream_results=engine.dialect.supports_server_side_cursors)

    @event.listens_for(engine, "begin")
    def only_read(connection: Connection) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"stream_results": False})

    if is_sqlite(url):
        bound(engine, timeout_seconds=timeout_seconds, max_bytes=max_bytes)
    return engine


def _check_one_statement(url: URL) -> None:
    drivername = _DRIVERS.get(url.get_backend_name(), url.drivername)
    if url.drivername != drivername:
        raise UsageError(
            f"{url.drivername} may run several statements at once; leave "
            f"+{url.get_driver_name()} out to read with {drivername}"
        )
    if url.get_driver_name() == "pymysql" and "client_flag" in url.query:
        raise UsageError("client_flag may allow several statements at once; leave it out")


def _connect_arguments(url: URL) -> dict[str, object]:
    if is_sqlite(url):
        return {"check_same_thread": False, "timeout": _CONNECT_SECONDS}
    if url.get_backend_name() == "duckdb":
        # Otherwise a query may write files.
        return {"read_only": True, "config": {"enable_external_access": "false"}}
    if url.get_driver_name() in _EXTRAS and "connect_timeout" not in url.query:
        return {"connect_timeout": _CONNECT_SECONDS}
    return {}


@contextmanager
def as_source_errors(url: URL) -> Iterator[None]:
    """Tell what a database or its driver raises as an error of ours, without secrets."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except RagmemError:
        raise
    except SQLAlchemyError as error:
        raise _source_error(error, url) from error
    except (ValueError, OverflowError) as error:
        # Drivers raise these for values that Python has no room for, such as the year 10000.
        raise PermanentSourceError(f"a value cannot be read: {error}") from error


def _source_error(error: Exception, url: URL) -> SourceError:
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, TimeoutError

    original = getattr(error, "orig", None) or error
    message = " ".join(str(original).split())[:500]
    for name, value in _settings(url):
        if value and is_secret(name):
            message = message.replace(value, "***")
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if isinstance(error, OperationalError | InterfaceError | TimeoutError) and (
        # SQLite has this one error for nearly everything.
        url.get_backend_name() != "sqlite" or _SQLITE_BUSY.search(message)
    ):
        lost = True
    if lost:
        hopeless = _HOPELESS.search(message) is not None
        return TransientSourceError(
            f"the database did not answer: {message}", worth_waiting=not hopeless
        )
    return PermanentSourceError(f"the database refused: {message}")
