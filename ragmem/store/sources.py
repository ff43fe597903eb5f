"""What each source held at its last run: one row an item, whether it became a document or not."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, RowMapping, delete, insert, select

from ragmem.store.clock import utc_now
from ragmem.store.insert import batches, check_key
from ragmem.store.schema import documents, source_items, sources

ItemStatus = Literal["ok", "failed", "retry"]
"""A failed item stays out until it changes; one to retry is read again at the next run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """What became of an item when it was last looked at.

    Attributes:
        fingerprint: what the source and the settings said then; the same again means unchanged.
        reason: why it failed; empty otherwise.
        document_id: the document that it became, None when there is none.
        content_hash: what the document was written with.
    """

    uri: str
    fingerprint: str
    status: ItemStatus
    reason: str = ""
    document_id: str | None = None
    content_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source as the store knows it."""

    id: int
    tenant: str
    uri: str


def source_of(connection: Connection, *, tenant: str, uri: str) -> Source:
    """The source of this URI, made when it is new.

    Raises:
        UsageError: the tenant's name is too long.
    """
    check_key("tenant", tenant)
    uri_hash = _hash_of(uri)
    query = select(sources.c.id).where(sources.c.tenant == tenant, sources.c.uri_hash == uri_hash)
    found = connection.execute(query).scalar()
    if found is None:
        values = {"tenant": tenant, "uri": uri, "uri_hash": uri_hash, "created_at": utc_now()}
        result = connection.execute(insert(sources).values(values))
        assert result.inserted_primary_key is not None
        found = result.inserted_primary_key[0]
    return Source(id=int(found), tenant=tenant, uri=uri)


def list_sources(connection: Connection, *, tenant: str) -> list[Source]:
    """A tenant's sources, by URI."""
    query = select(sources).where(sources.c.tenant == tenant).order_by(sources.c.uri)
    return [
        Source(id=row["id"], tenant=row["tenant"], uri=row["uri"])
        for row in connection.execute(query).mappings()
    ]


def delete_source(connection: Connection, source_id: int) -> None:
    """Forget a source, its items and its jobs; its documents stay."""
    connection.execute(delete(sources).where(sources.c.id == source_id))


def read_items(connection: Connection, source_id: int) -> dict[str, ItemState]:
    """A source's items by URI."""
    rows = connection.execute(select(source_items).where(source_items.c.source_id == source_id))
    return {row["uri"]: _item(row) for row in rows.mappings()}


def failed_items(connection: Connection, source_id: int) -> list[ItemState]:
    """A source's items that could not be read, by URI."""
    query = (
        select(source_items)
        .where(source_items.c.source_id == source_id, source_items.c.status != "ok")
        .order_by(source_items.c.uri)
    )
    return [_item(row) for row in connection.execute(query).mappings()]


def access_lists(connection: Connection, source_id: int) -> set[frozenset[str]]:
    """The distinct access lists of a source's documents."""
    query = (
        select(documents.c.acl)
        .join(source_items, source_items.c.document_id == documents.c.id)
        .where(source_items.c.source_id == source_id)
    )
    return {frozenset(acl) for acl in connection.execute(query).scalars()}


def put_items(connection: Connection, source_id: int, items: Sequence[ItemState]) -> None:
    """Insert or replace items."""
    delete_items(connection, source_id, [item.uri for item in items])
    rows = [
        {
            "source_id": source_id,
            "uri_hash": _hash_of(item.uri),
            "uri": item.uri,
            "fingerprint": item.fingerprint,
            "status": item.status,
            "reason": item.reason,
            "document_id": item.document_id,
            "content_hash": item.content_hash,
        }
        for item in items
    ]
    if rows:
        connection.execute(insert(source_items), rows)


def delete_items(connection: Connection, source_id: int, uris: Sequence[str]) -> None:
    """Forget items of a source."""
    for batch in batches([_hash_of(uri) for uri in uris]):
        connection.execute(
            delete(source_items).where(
                source_items.c.source_id == source_id, source_items.c.uri_hash.in_(batch)
            )
        )


def referenced(connection: Connection, document_ids: Sequence[str]) -> set[str]:
    """Which of these documents some source's item still stands for."""
    found: set[str] = set()
    for batch in batches(document_ids):
        query = select(source_items.c.document_id).where(source_items.c.document_id.in_(batch))
        found.update(value for value in connection.execute(query).scalars() if value is not None)
    return found


def _hash_of(uri: str) -> str:
    return hashlib.sha256(uri.encode()).hexdigest()


def _item(row: RowMapping) -> ItemState:
    return ItemState(
        uri=row["uri"],
        fingerprint=row["fingerprint"],
        status=row["status"],
        reason=row["reason"],
        document_id=row["document_id"],
        content_hash=row["content_hash"],
    )
