"""Rows of a database: any SQLAlchemy URL and a query, one document a row.

Which URLs there are, what a query may be and what a row becomes stands in the `database_` modules;
here rows are listed, compared and read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote

from ragmem.errors import SourceError, TransientSourceError, UsageError
from ragmem.types import RawDocument, SkippedItem, SourceItem

from .database_listing import Key, Listing
from .database_query import checked_query, no_rows, rows_with_keys, some_columns, whole_rows
from .database_rows import Row, RowForm, Template
from .database_url import SCHEMES, as_source_errors, database_url, is_database_url, open_engine
from .database_url import public_uri as public_uri_of

if TYPE_CHECKING:
    from sqlalchemy import Select

_MEBIBYTE = 1024 * 1024
_MOST_ROWS_AHEAD = 64
_MOST_BYTES_AHEAD = 16 * _MEBIBYTE
_ROWS_A_TRIP = 1000
_WHOLE_ROWS_A_TRIP = 100


class DatabaseConnector:
    """Lists and reads the rows that a query gives.

    All keys are listed at each run, so rows that are gone are noticed. With a cursor column only
    key and cursor travel, and only rows whose cursor has another value are read; without one every
    row travels and is compared by its hash.
    """

    schemes: ClassVar[frozenset[str]] = SCHEMES

    def __init__(
        self,
        location: str | Path,
        *,
        query: str,
        key: str | tuple[str, ...],
        template: str | None = None,
        title: str | None = None,
        cursor: str | None = None,
        modified_at: str | None = None,
        metadata: tuple[str, ...] | None = None,
        acl: str | None = None,
        name: str | None = None,
        text_format: Literal["markdown", "plain"] = "markdown",
        timeout_seconds: float = 600.0,
        max_file_bytes: int = 100 * _MEBIBYTE,
    ) -> None:
        """Check what was asked; nothing connects yet.

        Args:
            location: a SQLAlchemy URL, secrets written as `${NAME}` of an environment variable; or
                `${NAME}` alone, the variable holding the URL. Drivers' own ways (`PGPASSWORD`,
                `~/.pgpass`) work as well.
            query: one SELECT; a LIMIT, joins and WITH are welcome.
            key: the column, or columns, that tell one row from another for good.
            template: the text of a row with `{column}` in it, such as `# {title}\\n\\n{body}`; by
                default a line `column: value` for each column. Bytes are left out.
            title: a column or a template.
            cursor: a column that changes whenever the row does, such as `updated_at`.
            modified_at: a column with the time of the last change; times without zone are UTC.
            metadata: columns that filters may ask about; by default all whose value is a number, a
                boolean, a time, a list of strings or a line of at most 200 characters.
            acl: a column with the principals that may see the row (a list, JSON, or separated by
                commas); a row that names nobody fails. Give the cursor column a new value when it
                changes.
            name: names the source within its database, so that a changed query remains the same
                source; by default a hash of the query does.
            text_format: what the text is.
            timeout_seconds: how long one statement may run, where the database can be told
                (PostgreSQL, SQLite).
            max_file_bytes: rows with more text are left out; SQLite reads no larger value.

        Raises:
            UnknownSource: it is no database URL, or the file is not there.
            UsageError: an option is wrong, a password is written out, a variable is not set, or no
                driver can be had.
            MissingExtra: the driver is not installed.
        """
        self._url = database_url(str(location))
        self._query = checked_query(query, dialect=self._url.get_backend_name())
        self._form = RowForm(
            key=_names(key),
            template=None if template is None else Template(template),
            title=None if title is None else Template(title if "{" in title else f"{{{title}}}"),
            cursor=cursor,
            modified_at=modified_at,
            metadata=metadata,
            acl=acl,
            text_format=text_format,
            max_bytes=max_file_bytes,
        )
        self._salt = _hash(f"{self._query}\0{self._form.settings}")
        self._source_uri = (
            f"{public_uri_of(self._url)}#{quote(name or _hash(self._query)[:12], safe='')}"
        )
        self._engine = open_engine(
            self._url, timeout_seconds=timeout_seconds, max_bytes=max_file_bytes
        )
        self._listing: Listing | None = None
        self._ahead: dict[str, list[Row]] = {}
        self._rows_a_read = 0

    @classmethod
    def recognizes(cls, location: str) -> bool:
        """Whether it is a URL of a database for which SQLAlchemy has a dialect."""
        return is_database_url(location)

    @property
    def source_uri(self) -> str:
        """The database's URL without credentials, driver and settings, then the query's name."""
        return self._source_uri

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        """List the rows by key.

        Raises:
            SourceError: the query failed; raised after all the rows that it gave before.
        """
        self._forget()
        listing, failure = self._listed()
        for row in listing:
            uri = f"{self._source_uri}/{row.path}"
            yield SourceItem(uri=uri, fingerprint=row.fingerprint)
            if row.rows > 1:
                reason = (
                    f"{row.rows - 1} more rows have this key; choose a key that tells them apart"
                )
                yield SkippedItem(uri=f"{uri}?again", reason=reason)
        if listing.without_key:
            reason = (
                f"{listing.without_key} rows have NULL in their key, so nothing tells them apart"
            )
            yield SkippedItem(uri=f"{self._source_uri}?null", reason=reason)
        if failure is not None:
            raise failure

    def fetch(self, item: SourceItem) -> RawDocument:
        """Read one row, and with it some that were listed after it.

        Raises:
            PermanentSourceError: the row makes no document, or the database refuses it.
            TransientSourceError: it is gone, or the database does not answer.
        """
        path = item.uri.removeprefix(f"{self._source_uri}/")
        rows = self._ahead.pop(path, None)
        if rows is None:
            rows = self._read_from(path)
        if not rows:
            raise TransientSourceError("the row is gone", worth_waiting=False)
        for row in rows:
            if self._fingerprint(row) == item.fingerprint:
                return self._form.document(item.uri, row)
        return self._form.document(item.uri, rows[0])

    def close(self) -> None:
        """Let go of the connection and of the listing."""
        self._forget()
        self._engine.dispose()

    def _forget(self) -> None:
        if self._listing is not None:
            self._listing.close()
            self._listing = None
        self._ahead.clear()
        self._rows_a_read = 0

    def _listed(self) -> tuple[Listing, SourceError | None]:
        """A new listing, and what ended it early."""
        listing = self._listing = Listing()
        try:
            listing.fill(self._keys())
        except SourceError as error:
            return listing, error
        return listing, None

    def _keys(self) -> Iterator[tuple[str | None, str, Key]]:
        """Path, fingerprint and key of each row that the query gives."""
        form = self._form
        columns = self._columns()
        form.check(columns)
        if form.cursor is None:
            statement, rows_a_trip = whole_rows(self._query), _WHOLE_ROWS_A_TRIP
        else:
            wanted = list(dict.fromkeys((*form.key, form.cursor)))
            statement = some_columns(self._query, self._quoted(wanted))
            rows_a_trip = _ROWS_A_TRIP
        for row in self._rows(statement, rows_a_trip=rows_a_trip):
            yield form.path(row), self._fingerprint(row), tuple(row[name] for name in form.key)

    def _columns(self) -> list[str]:
        with (
            as_source_errors(self._url),
            self._engine.connect() as connection,
            connection.execute(no_rows(self._query)) as rows,
        ):
            return list(rows.keys())

    def _quoted(self, names: Sequence[str]) -> list[str]:
        """The names as the database told them, whatever words it reserves."""
        from sqlalchemy.sql import quoted_name

        # Some databases tell their upper-case names in lower case; those are left to SQLAlchemy.
        quote_always = None if self._engine.dialect.requires_name_normalize else True
        return [quoted_name(name, quote_always) for name in names]

    def _fingerprint(self, row: Row) -> str:
        return self._form.fingerprint(row, salt=self._salt)

    def _read_from(self, path: str) -> list[Row]:
        """The rows of a key; those of the keys listed next are laid by.

        As many are read ahead as have proved of use: twice as many each time, half as many where
        some were left over because their rows had not changed.
        """
        listing = self._listing or self._listed()[0]
        wanted = self._rows_a_read // 2 if self._ahead else self._rows_a_read * 2
        self._rows_a_read = min(max(wanted, 1), _MOST_ROWS_AHEAD)
        self._ahead.clear()
        keys = listing.keys_from(path, self._rows_a_read)
        if path not in keys:
            raise TransientSourceError("no such row is listed", worth_waiting=False)
        try:
            found = self._rows_of(keys)
        except SourceError:
            if len(keys) == 1:
                raise
            # Another row's failure is not this one's.
            found = self._rows_of({path: keys[path]})
        if sum(map(_size, found.values())) > _MOST_BYTES_AHEAD:
            self._rows_a_read //= 2
        self._ahead = found
        return self._ahead.pop(path, [])

    def _rows_of(self, keys: dict[str, Key]) -> dict[str, list[Row]]:
        statement = rows_with_keys(self._query, self._quoted(self._form.key), keys.values())
        found: dict[str, list[Row]] = {}
        for row in self._rows(statement, rows_a_trip=_ROWS_A_TRIP):
            if (path := self._form.path(row)) in keys:
                found.setdefault(path, []).append(row)
        return found

    def _rows(self, statement: Select[Any], *, rows_a_trip: int) -> Iterator[Row]:
        with as_source_errors(self._url), self._engine.connect() as connection:
            # Trips grow to that many rows: an error spoils those of its trip.
            options = {"max_row_buffer": rows_a_trip}
            with connection.execute(statement, execution_options=options) as rows:
                for row in rows:
                    yield dict(row._mapping)


def _names(key: str | Sequence[str]) -> tuple[str, ...]:
    names = (key,) if isinstance(key, str) else tuple(key)
    if not names or not all(names):
        raise UsageError("the key names no column; name the column, or columns, of the primary key")
    return names


def _size(rows: Sequence[Row]) -> int:
    return sum(
        len(value) for row in rows for value in row.values() if isinstance(value, str | bytes)
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
