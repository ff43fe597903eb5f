"""Reads and writes documents: text, title, pages, metadata, access list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, delete, func, insert, select, update

from ragmem.store.clock import utc_now
from ragmem.store.document_uris import Place, document_id_of, other_uris, put_place
from ragmem.store.insert import batches, check_key
from ragmem.store.metadata import from_json, to_json
from ragmem.store.schema import chunks, document_uris, documents, signatures, source_items
from ragmem.types import Document, DocumentInfo, Metadata, PageSpan, Scope


def put_document(
    connection: Connection, document: Document, *, content_hash: str, content_key: str = ""
) -> bool:
    """Insert a document or replace the one with its id; its own URI is its only one then.

    Args:
        content_hash: what it is written with, see `document_uris`.
        content_key: the same for documents that could be stored as one; empty for none.

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
        "metadata": to_json(document.metadata),
        "acl": sorted(document.acl),
        "content_key": content_key,
        "updated_at": now,
    }
    changed = connection.execute(
        update(documents).where(documents.c.id == document.id).values(values)
    )
    if not changed.rowcount:
        connection.execute(insert(documents).values(id=document.id, created_at=now, **values))
    place = Place(
        id=document_id_of(tenant=document.tenant, uri=document.uri),
        document_id=document.id,
        uri=document.uri,
        metadata=document.metadata,
        content_hash=content_hash,
    )
    put_place(connection, place)
    return not changed.rowcount


def move_document(connection: Connection, document_id: str, *, to: Place) -> None:
    """Give a document another of its URIs as its own, and with it another id.

    Its chunks are left with the old id, and go with it: the caller writes them anew.
    """
    row = (
        connection.execute(select(documents).where(documents.c.id == document_id)).mappings().one()
    )
    values = {**row, "id": to.id, "uri": to.uri, "updated_at": utc_now()}
    connection.execute(insert(documents).values(values))
    for table in (document_uris, source_items, signatures):
        connection.execute(
            update(table).where(table.c.document_id == document_id).values(document_id=to.id)
        )
    delete_documents(connection, [document_id])


def put_metadata(connection: Connection, document_id: str, metadata: Metadata) -> bool:
    """Replace a document's metadata.

    Returns:
        Whether that changed them.
    """
    here = documents.c.id == document_id
    before = connection.execute(select(documents.c.metadata).where(here)).scalar_one()
    after = to_json(metadata)
    if before == after:
        return False
    connection.execute(update(documents).where(here).values(metadata=after))
    return True


def same_content(connection: Connection, *, tenant: str, content_key: str) -> str | None:
    """The id of the document with this content, None when there is none."""
    query = select(documents.c.id).where(
        documents.c.tenant == tenant, documents.c.content_key == content_key
    )
    return connection.execute(query.limit(1)).scalar() if content_key else None


def access_lists_of(
    connection: Connection, document_ids: Sequence[str]
) -> dict[str, frozenset[str]]:
    """The access lists of documents, by id; those not there are left out."""
    found: dict[str, frozenset[str]] = {}
    for batch in batches(document_ids):
        query = select(documents.c.id, documents.c.acl).where(documents.c.id.in_(batch))
        found |= {row.id: frozenset(row.acl) for row in connection.execute(query)}
    return found


def delete_documents(connection: Connection, document_ids: Sequence[str]) -> None:
    """Delete documents and, with them, their chunks."""
    for batch in batches(document_ids):
        connection.execute(delete(documents).where(documents.c.id.in_(batch)))


def read_document(connection: Connection, uri: str, *, scope: Scope) -> Document | None:
    """The document at this URI, None when there is none that the scope sees."""
    row = _row_at(connection, uri, select(documents), scope)
    if row is None:
        return None
    others = other_uris(connection, [row["id"]])
    return replace(_document(row), other_uris=others.get(row["id"], ()))


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
    rows = connection.execute(query).mappings().all()
    others = other_uris(connection, None)
    for row in rows:
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
                other_uris=others.get(row["id"], ()),
            )


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
    place = document_id_of(tenant=scope.tenant, uri=uri)
    at_place = query.join(document_uris, document_uris.c.document_id == documents.c.id)
    row = connection.execute(at_place.where(document_uris.c.id == place)).mappings().first()
    if row is None or not scope.sees(tenant=row["tenant"], acl=frozenset(row["acl"])):
        return None
    return row
