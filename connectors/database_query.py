"""The query that a person gives: checked to be one that reads, and wrapped to ask more of it.

The check answers mistakes early and in plain words. What really keeps a query from changing the
source is the read-only transaction it runs in, which is never committed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ragmem.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import ColumnClause, ColumnElement, Select

# Strings, quoted names and comments, which may hold any word.
_QUOTED = re.compile(
    r"'(?:[^']|'')*'"
    r'|"(?:[^"]|"")*"'
    r"|`[^`]*`"
    r"|\$(\w*)\$.*?\$\1\$"
    r"|--[^\n]*"
    r"|/\*.*?\*/",
    re.DOTALL,
)
_CHANGES = re.compile(
    r"[()]\s*(insert|update|delete|merge)\b|\b(into)\b|\bfor\s+(update|share|no\s+key)\b",
    re.IGNORECASE,
)


def checked_query(query: str) -> str:
    """The query without its last semicolon.

    Raises:
        UsageError: it is not one statement that only reads.
    """
    query = query.strip()
    bare = _QUOTED.sub(lambda match: " " if match[0][0] in "-/" else "''", query).strip()
    if bare.endswith(";"):
        query, bare = query[: query.rindex(";")], bare[:-1].rstrip()
    if not re.match(r"[\s(]*(select|with)\b", bare, re.IGNORECASE):
        raise UsageError(f"the query must begin with SELECT or WITH; got {query[:60]!r}")
    if ";" in bare:
        raise UsageError("the query is more than one statement; give one SELECT")
    if change := _CHANGES.search(bare):
        raise UsageError(
            f"the query would change or lock data ({change[0].strip('( )')!r}); give one that "
            "only reads"
        )
    return query


def whole_rows(query: str) -> Select[Any]:
    """Everything that the query gives."""
    from sqlalchemy import literal_column, select, text

    # A colon in the query is SQL's own (a cast, a time of day), never a parameter of ours; the
    # line break ends a comment on the last line.
    inner = text(query.replace(":", "\\:") + "\n").columns().subquery("q")
    return select(literal_column("*")).select_from(inner)


def some_columns(query: str, names: Sequence[str]) -> Select[Any]:
    """These columns of every row."""
    from sqlalchemy import column

    columns: list[ColumnClause[Any]] = [column(name) for name in names]
    return whole_rows(query).with_only_columns(*columns, maintain_column_froms=True)


def no_rows(query: str) -> Select[Any]:
    """The query's columns alone."""
    from sqlalchemy import false

    return whole_rows(query).where(false())


def rows_with_keys(
    query: str, names: Sequence[str], keys: Iterable[tuple[object, ...]]
) -> Select[Any]:
    """The rows that have one of these keys in the columns of these names."""
    from sqlalchemy import and_, column, literal, or_
    from sqlalchemy.types import NullType

    # Without a type of ours the database compares as the column's own type does.
    values = [[literal(value, NullType()) for value in key] for key in keys]
    columns: list[ColumnClause[Any]] = [column(name) for name in names]
    condition: ColumnElement[bool]
    if len(columns) == 1:
        condition = columns[0].in_([value for (value,) in values])
    else:
        condition = or_(
            *(and_(*(a == b for a, b in zip(columns, key, strict=True))) for key in values)
        )
    return whole_rows(query).where(condition)
