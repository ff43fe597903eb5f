"""What writing rows needs on both databases: inserts that leave rows alone, limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from ragmem.errors import UsageError
from ragmem.store.schema import LONGEST_KEY

_T = TypeVar("_T")


def insert_missing(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, object]]
) -> None:
    """Insert the rows whose primary key is not there yet."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(postgresql.insert(table).on_conflict_do_nothing(), list(rows))
    else:
        connection.execute(sqlite.insert(table).on_conflict_do_nothing(), list(rows))


def batches(values: Sequence[_T], *, size: int = 500) -> list[Sequence[_T]]:
    """Cut a long list so that no statement has more parameters than a database takes."""
    return [values[first : first + size] for first in range(0, len(values), size)]


def check_key(name: str, value: str) -> None:
    """Refuse a key that one of the databases would refuse.

    Raises:
        UsageError: it is too long.
    """
    if len(value) > LONGEST_KEY:
        raise UsageError(
            f"the {name} {value[:40]}... has {len(value):,} characters; "
            f"at most {LONGEST_KEY} are possible"
        )
