"""Changes that the indexes still have to make.

A row is written in the transaction that changes chunks, and marked done once the indexes hold the
change. Rows carry ids only: what an added chunk looks like is read from the chunks when the row is
applied, so a row that was overtaken by a later one does no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from ragmem.store.clock import utc_now
from ragmem.store.schema import index_ops

_EVERYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOp:
    """One document's change: chunks to add or refresh, chunks to remove."""

    id: int
    document_id: str
    added: tuple[str, ...]
    removed: tuple[str, ...]


def append_rebuild(connection: Connection) -> None:
    """Note that the indexes must be built again from nothing."""
    connection.execute(
        insert(index_ops).values(
            document_id=_EVERYTHING, added=[], removed=[], created_at=utc_now()
        )
    )


def append_op(
    connection: Connection, *, document_id: str, added: Sequence[str], removed: Sequence[str]
) -> None:
    """Note a change; one without chunks is not noted."""
    if added or removed:
        connection.execute(
            insert(index_ops).values(
                document_id=document_id,
                added=list(added),
                removed=list(removed),
                created_at=utc_now(),
            )
        )


def pending_ops(connection: Connection, *, limit: int) -> list[IndexOp]:
    """The oldest changes not made yet, oldest first."""
    query = (
        select(index_ops).where(index_ops.c.done_at.is_(None)).order_by(index_ops.c.id).limit(limit)
    )
    return [
        IndexOp(
            id=row["id"],
            document_id=row["document_id"],
            added=tuple(row["added"]),
            removed=tuple(row["removed"]),
        )
        for row in connection.execute(query).mappings()
    ]


def rebuild_pending(connection: Connection) -> int | None:
    """The id of the newest change noted, if the indexes must be built again; None otherwise."""
    pending = index_ops.c.done_at.is_(None)
    wanted = select(index_ops.c.id).where(pending, index_ops.c.document_id == _EVERYTHING).limit(1)
    if connection.execute(wanted).first() is None:
        return None
    return int(connection.execute(select(func.max(index_ops.c.id)).where(pending)).scalar_one())


def count_pending(connection: Connection) -> int:
    """How many changes are not made yet."""
    query = select(func.count()).select_from(index_ops).where(index_ops.c.done_at.is_(None))
    return int(connection.execute(query).scalar_one())


def mark_done(connection: Connection, *, up_to: int) -> None:
    """Note that the indexes hold the changes up to this id."""
    connection.execute(
        update(index_ops)
        .where(index_ops.c.id <= up_to, index_ops.c.done_at.is_(None))
        .values(done_at=utc_now())
    )


def delete_done(connection: Connection) -> None:
    """Delete the rows of changes that are made."""
    connection.execute(delete(index_ops).where(index_ops.c.done_at.is_not(None)))
