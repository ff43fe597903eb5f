"""Where a document is: one row a URI, several where sources hold exact copies of it.

The document itself carries the first of its URIs in the order of text, and the metadata of all.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, delete, insert, select

from ragmem.store.insert import batches
from ragmem.store.metadata import from_json, to_json
from ragmem.store.schema import document_uris, documents
from ragmem.types import Metadata


def document_id_of(*, tenant: str, uri: str) -> str:
    """The id of this URI in this tenant, and of the document that has it as its own."""
    return hashlib.sha256(f"{tenant}\0{uri}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A URI at which a document is.

    Attributes:
        id: `document_id_of` the tenant and the URI.
        document_id: the document that is there.
        metadata: what the source says of it at this URI.
        content_hash: what it was written with: the same again means unchanged.
    """

    id: str
    document_id: str
    uri: str
    metadata: Metadata
    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAs:
    """What the document at a URI was written with, besides its text."""

    content_hash: str
    acl: frozenset[str]


def put_place(connection: Connection, place: Place) -> None:
    """Insert or replace a place."""
    connection.execute(delete(document_uris).where(document_uris.c.id == place.id))
    connection.execute(
        insert(document_uris).values(
            id=place.id,
            document_id=place.document_id,
            uri=place.uri,
            metadata=to_json(place.metadata),
            content_hash=place.content_hash,
        )
    )


def delete_places(connection: Connection, ids: Sequence[str]) -> list[Place]:
    """Forget places.

    Returns:
        Those that were there, by document.
    """
    found: list[Place] = []
    for batch in batches(ids):
        at = document_uris.c.id.in_(batch)
        query = select(document_uris).where(at)
        found += [_place(row) for row in connection.execute(query).mappings()]
        connection.execute(delete(document_uris).where(at))
    return sorted(found, key=lambda place: (place.document_id, place.uri))


def places_of(connection: Connection, document_ids: Sequence[str]) -> dict[str, list[Place]]:
    """The places of documents in the order of their URIs, by document; none are left out."""
    found: defaultdict[str, list[Place]] = defaultdict(list)
    for batch in batches(document_ids):
        query = select(document_uris).where(document_uris.c.document_id.in_(batch))
        for row in connection.execute(query).mappings():
            found[row["document_id"]].append(_place(row))
    return {key: sorted(places, key=lambda place: place.uri) for key, places in found.items()}


def other_place(connection: Connection, document_id: str, *, than: str) -> Place | None:
    """The last place of a document besides the one with the id `than`; None without another."""
    query = (
        select(document_uris)
        .where(document_uris.c.document_id == document_id, document_uris.c.id != than)
        .order_by(document_uris.c.uri.desc())
        .limit(1)
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else _place(row)


def documents_at_places(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    """The documents at places, by place; places where none is are left out."""
    found: dict[str, str] = {}
    for batch in batches(ids):
        query = select(document_uris.c.id, document_uris.c.document_id).where(
            document_uris.c.id.in_(batch)
        )
        found |= {row.id: row.document_id for row in connection.execute(query)}
    return found


def written_as(connection: Connection, ids: Sequence[str]) -> dict[str, WrittenAs]:
    """What the documents at places were written with, by place; reads no text."""
    found: dict[str, WrittenAs] = {}
    for batch in batches(ids):
        query = (
            select(document_uris.c.id, document_uris.c.content_hash, documents.c.acl)
            .join(documents, documents.c.id == document_uris.c.document_id)
            .where(document_uris.c.id.in_(batch))
        )
        for row in connection.execute(query):
            found[row.id] = WrittenAs(content_hash=row.content_hash, acl=frozenset(row.acl))
    return found


def other_uris(
    connection: Connection, document_ids: Sequence[str] | None
) -> dict[str, tuple[str, ...]]:
    """The URIs of documents besides their own, by document; those without are left out.

    Args:
        document_ids: which documents; None for all.
    """
    query = select(document_uris.c.document_id, document_uris.c.uri).where(
        document_uris.c.id != document_uris.c.document_id
    )
    found: defaultdict[str, list[str]] = defaultdict(list)
    some = [()] if document_ids is None else batches(document_ids)
    for batch in some:
        narrowed = query.where(document_uris.c.document_id.in_(batch)) if batch else query
        for row in connection.execute(narrowed):
            found[row.document_id].append(row.uri)
    # Not by the database, which may order text by a language's rules.
    return {key: tuple(sorted(uris)) for key, uris in found.items()}


def _place(row: RowMapping) -> Place:
    return Place(
        id=row["id"],
        document_id=row["document_id"],
        uri=row["uri"],
        metadata=from_json(row["metadata"]),
        content_hash=row["content_hash"],
    )
