"""The query that a person gives: checked to be one that reads, and wrapped to ask more of it.

The check answers mistakes early and in plain words, and what it cannot read without doubt it
refuses. What really keeps a query from changing the source is how the database was opened.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ragmem.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import ColumnClause, ColumnElement, Select

# Strings, quoted names and comments, which may hold any word.
_PLAIN = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|/\*.*?\*/"""
_ESCAPED = r"""'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*"|`[^`]*`|/\*.*?\*/"""
_LINE = r"|--[^\n]*"
_DOLLARS = r"|(?<![\w$])\$((?:[^\W\d]\w*)?)\$.*?\$\1\$"
_MYSQL = _ESCAPED + r"|--(?=\s)[^\n]*|\#[^\n]*"
_QUOTED = {
    "postgresql": _PLAIN + _LINE + _DOLLARS + r"|(?<![\w$])[eE]'(?:[^'\\]|''|\\.)*'",
    "duckdb": _PLAIN + _LINE + _DOLLARS,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
    "mssql": _PLAIN + _LINE + r"|\[(?:[^\]]|\]\])*\]",
}
_CHANGES = re.compile(
    r"[()]\s*(insert|update|delete|merge)\b|\b(into)\b|\bfor\s+(update|share|no\s+key)\b",
    re.IGNORECASE,
)


def checked_query(query: str, *, dialect: str) -> str:
    """The query without its last semicolon.

    Raises:
        UsageError: it is not one statement that only reads.
    """
    query = query.strip()
    bare = _bare(query, dialect=dialect)
    if bare.endswith(";"):
        bare = bare[:-1]
        query = query[: len(bare)]
    if not re.match(r"[\s(]*(select|with)\b", bare, re.IGNORECASE):
        raise UsageError(f"the query must begin with SELECT or WITH; got {query[:60]!r}")
    if ";" in bare:
        raise UsageError("the query is more than one statement; give one SELECT")
    if not _is_balanced(bare):
        raise UsageError("the query's parentheses do not match; give one whole SELECT")
    if change := _CHANGES.search(bare):
        raise UsageError(
            f"the query would change or lock data ({change[0].strip('( )')!r}); give one that "
            "only reads"
        )
    return query


def _bare(query: str, *, dialect: str) -> str:
    """The query with blanks for what is quoted and for comments, as long up to its last word."""

    def blank(match: re.Match[str]) -> str:
        if match[0].startswith("/*") and re.match(r"/\*(M?!|.*/\*)", match[0], re.DOTALL):
            raise UsageError("the query has a comment within a comment, or one that is run")
        is_comment = match[0].startswith(("--", "/*", "#"))
        return (" " if is_comment else "0") * len(match[0])

    if re.search(r"\r(?!\n)", query):
        # Some databases end a comment there.
        raise UsageError("the query has a carriage return without a line feed; leave it out")
    bare = re.sub(_QUOTED.get(dialect, _PLAIN + _LINE), blank, query, flags=re.DOTALL)
    if unfinished := re.search(r"['\"]|/\*", bare):
        raise UsageError(f"the query has a {unfinished[0]} that nothing ends")
    return bare.rstrip()


def _is_balanced(bare: str) -> bool:
    depth = 0
    for sign in re.findall("[()]", bare):
        depth += 1 if sign == "(" else -1
        if depth < 0:
            return False
    return depth == 0


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
