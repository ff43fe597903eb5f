"""What connectors write down about their sources between runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, insert, select

from ragmem.store.insert import batches
from ragmem.store.schema import source_notes


def read_notes(connection: Connection, source_id: int) -> dict[str, str]:
    """A source's notes by key."""
    query = select(source_notes.c.key, source_notes.c.value).where(
        source_notes.c.source_id == source_id
    )
    return {row.key: row.value for row in connection.execute(query)}


def put_notes(connection: Connection, source_id: int, notes: Mapping[str, str]) -> None:
    """Insert or replace notes."""
    delete_notes(connection, source_id, notes)
    rows = [
        {"source_id": source_id, "key_hash": _hash_of(key), "key": key, "value": value}
        for key, value in notes.items()
    ]
    if rows:
        connection.execute(insert(source_notes), rows)


def delete_notes(connection: Connection, source_id: int, keys: Iterable[str]) -> None:
    """Forget notes."""
    for batch in batches([_hash_of(key) for key in keys]):
        connection.execute(
            delete(source_notes).where(
                source_notes.c.source_id == source_id, source_notes.c.key_hash.in_(batch)
            )
        )


def _hash_of(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
