"""Reads and writes documents: text, title, pages, metadata, access list."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from ragmem.store.clock import utc_now
from ragmem.store.insert import batches, check_key
from ragmem.store.schema import chunks, documents
from ragmem.types import Document, DocumentInfo, Metadata, PageSpan, Scope


def document_id_of(*, tenant: str, uri: str) -> str:
    """The id of the document at this URI in this tenant: the same whenever it comes back."""
    return hashlib.sha256(f"{tenant}\0{uri}".encode()).hexdigest()[:32]


def put_document(connection: Connection, document: Document, *, content_hash: str) -> bool:
    """Insert a document or replace the one with its id.

    Returns:
        True when it was not there before.

    Raises:
        UsageError: the tenant's name is too long.
    """
    check_key("tenant", document.tenant)
    now = utc_now()
    values: dict[str, Any] = {
        "tenant": document.tenant,
        "uri": document.uri,
        "title": document.title,
        "text": document.text,
        "text_format": document.text_format,
        "pages": [[page.number, page.start, page.end] for page in document.pages],
        "language": document.language,
        "media_type": document.media_type,
        "metadata": _to_json(document.metadata),
        "acl": sorted(document.acl),
        "content_hash": content_hash,
        "updated_at": now,
    }
    changed = connection.execute(
        update(documents).where(documents.c.id == document.id).values(values)
    )
    if changed.rowcount:
        return False
    connection.execute(insert(documents).values(id=document.id, created_at=now, **values))
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAs:
    """What a stored document was written with, besides its text."""

    content_hash: str
    acl: frozenset[str]


def written_as(connection: Connection, document_ids: Sequence[str]) -> dict[str, WrittenAs]:
    """What documents were written with, by id; those not there are left out. Reads no text."""
    found: dict[str, WrittenAs] = {}
    for batch in batches(document_ids):
        query = select(documents.c.id, documents.c.content_hash, documents.c.acl).where(
            documents.c.id.in_(batch)
        )
        for row in connection.execute(query):
            found[row.id] = WrittenAs(content_hash=row.content_hash, acl=frozenset(row.acl))
    return found


def delete_documents(connection: Connection, document_ids: Sequence[str]) -> None:
    """Delete documents and, with them, their chunks."""
    for batch in batches(document_ids):
        connection.execute(delete(documents).where(documents.c.id.in_(batch)))


def read_document(connection: Connection, uri: str, *, scope: Scope) -> Document | None:
    """The document at this URI, None when there is none that the scope sees."""
    row = _row_at(connection, uri, select(documents), scope)
    return None if row is None else _document(row)


def read_document_span(
    connection: Connection, uri: str, start: int, end: int, *, scope: Scope
) -> str | None:
    """`document.text[start:end]`, None when there is no document that the scope sees.

    Args:
        start, end: offsets, not negative.
    """
    # Both databases count characters as Python does: in code points.
    span = func.substr(documents.c.text, start + 1, max(end - start, 0))
    query = select(documents.c.tenant, documents.c.acl, span.label("span"))
    row = _row_at(connection, uri, query, scope)
    return None if row is None else str(row["span"])


def read_document_pages(
    connection: Connection, uri: str, *, scope: Scope
) -> tuple[PageSpan, ...] | None:
    """A document's pages, None when there is no document that the scope sees."""
    query = select(documents.c.tenant, documents.c.acl, documents.c.pages)
    row = _row_at(connection, uri, query, scope)
    return None if row is None else _pages(row)


def read_documents_by_id(connection: Connection, document_ids: Sequence[str]) -> list[Document]:
    """Documents by id, whatever their scope; those not there are left out."""
    found: list[Document] = []
    for batch in batches(document_ids):
        rows = connection.execute(select(documents).where(documents.c.id.in_(batch)))
        found += [_document(row) for row in rows.mappings()]
    return found


def all_document_ids(connection: Connection) -> list[str]:
    """Every document's id, in order."""
    return list(connection.execute(select(documents.c.id).order_by(documents.c.id)).scalars())


def list_documents(connection: Connection, *, scope: Scope) -> Iterator[DocumentInfo]:
    """The documents that the scope sees, by URI."""
    counts = (
        select(chunks.c.document_id, func.count().label("chunks"))
        .group_by(chunks.c.document_id)
        .subquery()
    )
    query = (
        select(
            *(column for column in documents.c if column.name not in ("text", "pages")),
            func.length(documents.c.text).label("characters"),
            func.coalesce(counts.c.chunks, 0).label("chunks"),
        )
        .outerjoin(counts, counts.c.document_id == documents.c.id)
        .where(documents.c.tenant == scope.tenant)
        .order_by(documents.c.uri)
    )
    for row in connection.execute(query).mappings():
        acl = frozenset(row["acl"])
        if scope.sees(tenant=row["tenant"], acl=acl):
            yield DocumentInfo(
                id=row["id"],
                uri=row["uri"],
                title=row["title"],
                language=row["language"],
                media_type=row["media_type"],
                characters=row["characters"],
                chunks=row["chunks"],
                metadata=from_json(row["metadata"]),
                acl=acl,
            )


def from_json(stored: dict[str, Any]) -> Metadata:
    """Metadata as values: JSON's lists become tuples."""
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()
    }


def _to_json(metadata: Metadata) -> dict[str, Any]:
    return {
        key: list(value) if isinstance(value, tuple) else value for key, value in metadata.items()
    }


def _document(row: RowMapping) -> Document:
    return Document(
        id=row["id"],
        uri=row["uri"],
        text=row["text"],
        text_format=row["text_format"],
        title=row["title"],
        pages=_pages(row),
        language=row["language"],
        media_type=row["media_type"],
        metadata=from_json(row["metadata"]),
        tenant=row["tenant"],
        acl=frozenset(row["acl"]),
    )


def _pages(row: RowMapping) -> tuple[PageSpan, ...]:
    return tuple(PageSpan(number=n, start=start, end=end) for n, start, end in row["pages"])


def _row_at(
    connection: Connection, uri: str, query: Select[Any], scope: Scope
) -> RowMapping | None:
    """What the query selects of the document at this URI; tenant and access list must be in it."""
    id_ = document_id_of(tenant=scope.tenant, uri=uri)
    row = connection.execute(query.where(documents.c.id == id_)).mappings().first()
    if row is None or not scope.sees(tenant=row["tenant"], acl=frozenset(row["acl"])):
        return None
    return row
