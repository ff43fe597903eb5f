"""What each source held at its last run: one row an item, whether it became a document or not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, bindparam, delete, insert, select, update

from ragmem.store.clock import utc_now
from ragmem.store.document_uris import Place, document_id_of, documents_at_places
from ragmem.store.insert import batches, check_key
from ragmem.store.schema import documents, source_items, sources
from ragmem.types import EVERYONE, PUBLIC

SourceRecipe = Mapping[str, object]
"""How a source was asked for, as JSON: location, connector, options and the like; no secrets."""

ItemStatus = Literal["ok", "failed", "retry", "gone"]
"""A failed item stays out until it changes; one to retry is read again at the next run; one that is
gone has a document still, for too many went at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemState:
    """What became of an item when it was last looked at.

    Attributes:
        fingerprint: what the source and the settings said then; the same again means unchanged.
        reason: why it failed; empty otherwise.
        document_id: the document at its URI, None when there is none; the store knows it.
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
    """A source as the store knows it.

    Attributes:
        recipe: how it was asked for; without a location where a program handed over a connector
            of its own.
    """

    id: int
    tenant: str
    uri: str
    recipe: SourceRecipe | None = None


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
        Source(id=row["id"], tenant=row["tenant"], uri=row["uri"], recipe=row["description"])
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


def access_lists(connection: Connection, source: Source) -> set[frozenset[str]]:
    """The distinct access lists of a source's documents, and the one it was asked for with.

    The latter is that of items that never became documents.
    """
    query = (
        select(documents.c.acl)
        .join(source_items, source_items.c.document_id == documents.c.id)
        .where(source_items.c.source_id == source.id)
    )
    found = {frozenset(acl) for acl in connection.execute(query).scalars()}
    asked: Any = (source.recipe or {}).get("acl", ())
    return found | {PUBLIC if EVERYONE in asked else frozenset(asked)}


def put_items(connection: Connection, source: Source, items: Sequence[ItemState]) -> None:
    """Insert or replace items; each stands for the document that is at its URI, if any.

    So do the items of the tenant's other sources at these URIs.
    """
    if not items:
        return
    delete_items(connection, source.id, [item.uri for item in items])
    rows = [
        {
            "source_id": source.id,
            "uri_hash": _hash_of(item.uri),
            "uri": item.uri,
            "fingerprint": item.fingerprint,
            "status": item.status,
            "reason": item.reason,
            "content_hash": item.content_hash,
        }
        for item in items
    ]
    connection.execute(insert(source_items), rows)
    ids = {item.uri: document_id_of(tenant=source.tenant, uri=item.uri) for item in items}
    documents_at = documents_at_places(connection, list(ids.values()))
    of_tenant = select(sources.c.id).where(sources.c.tenant == source.tenant)
    connection.execute(
        update(source_items)
        .where(
            source_items.c.source_id.in_(of_tenant),
            source_items.c.uri_hash == bindparam("at_uri"),
        )
        .values(document_id=bindparam("document")),
        [
            {"at_uri": _hash_of(uri), "document": documents_at.get(place)}
            for uri, place in ids.items()
        ],
    )


def part_items(connection: Connection, places: Sequence[Place]) -> None:
    """Make the items at places, of whichever source, stand for no document any more."""
    if not places:
        return
    connection.execute(
        update(source_items)
        .where(
            source_items.c.document_id == bindparam("document"),
            source_items.c.uri_hash == bindparam("at_uri"),
        )
        .values(document_id=None),
        [{"document": place.document_id, "at_uri": _hash_of(place.uri)} for place in places],
    )


def delete_items(connection: Connection, source_id: int, uris: Sequence[str]) -> None:
    """Forget items of a source."""
    for batch in batches([_hash_of(uri) for uri in uris]):
        connection.execute(
            delete(source_items).where(
                source_items.c.source_id == source_id, source_items.c.uri_hash.in_(batch)
            )
        )


def still_listed(connection: Connection, *, tenant: str, uris: Sequence[str]) -> set[str]:
    """Which of these URIs are still the items of one of the tenant's sources, as documents."""
    by_hash = {_hash_of(uri): uri for uri in uris}
    found: set[str] = set()
    for batch in batches(list(by_hash)):
        query = (
            select(source_items.c.uri_hash)
            .join(sources, sources.c.id == source_items.c.source_id)
            .where(
                sources.c.tenant == tenant,
                source_items.c.uri_hash.in_(batch),
                source_items.c.document_id.is_not(None),
            )
        )
        found.update(by_hash[each] for each in connection.execute(query).scalars())
    return found


def describe_source(connection: Connection, source_id: int, recipe: SourceRecipe) -> None:
    """Keep how a source was asked for; an access list stays until another is given."""
    here = sources.c.id == source_id
    before: Any = connection.execute(select(sources.c.description).where(here)).scalar() or {}
    acl = recipe.get("acl") or before.get("acl", [])
    connection.execute(update(sources).where(here).values(description={**recipe, "acl": acl}))


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
