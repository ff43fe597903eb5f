"""Takes documents out of the store and notes what the indexes must drop."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ragmem.store.chunks import chunk_ids_of_documents
from ragmem.store.documents import delete_documents, written_as
from ragmem.store.index_ops import append_op
from ragmem.store.sources import (
    Source,
    delete_items,
    delete_source,
    list_sources,
    read_items,
    referenced,
)
from ragmem.types import Scope


def drop_documents(connection: Connection, document_ids: Sequence[str]) -> None:
    """Delete documents with their chunks, and note the chunks for the indexes."""
    for document_id in document_ids:
        removed = chunk_ids_of_documents(connection, [document_id])
        append_op(connection, document_id=document_id, added=(), removed=removed)
    delete_documents(connection, document_ids)


def drop_items(
    connection: Connection, source: Source, uris: Sequence[str], document_ids: Sequence[str]
) -> list[str]:
    """Forget items of a source, and drop their documents unless another source has them too.

    Returns:
        The ids of the documents that went.
    """
    delete_items(connection, source.id, uris)
    _drop_single(connection, source, set(uris))
    orphans = sorted(set(document_ids) - referenced(connection, document_ids))
    drop_documents(connection, orphans)
    return orphans


def _drop_single(connection: Connection, source: Source, uris: set[str]) -> None:
    """Forget sources that are one of these items themselves.

    A folder and a file in it may both have been added. When the folder's listing shows that the
    file is gone, the file's own source would only keep its text alive.
    """
    for other in list_sources(connection, tenant=source.tenant):
        if other.uri in uris and other.id != source.id:
            delete_source(connection, other.id)


def drop_source(connection: Connection, source: Source, *, scope: Scope) -> list[str]:
    """Forget a source and drop its documents; what the scope does not see stays with the source.

    Returns:
        The ids of the documents that went.
    """
    items = read_items(connection, source.id)
    ids = [item.document_id for item in items.values() if item.document_id is not None]
    hidden = {
        document_id
        for document_id, document in written_as(connection, ids).items()
        if not scope.sees(tenant=source.tenant, acl=document.acl)
    }
    uris = [item.uri for item in items.values() if item.document_id not in hidden]
    dropped = drop_items(connection, source, uris, [each for each in ids if each not in hidden])
    if not hidden:
        delete_source(connection, source.id)
    return dropped
