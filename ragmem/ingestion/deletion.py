"""Takes items and sources out of the store, with the documents that nothing else names."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ragmem.ingestion.copies import detach
from ragmem.store.document_uris import document_id_of, documents_at_places, places_of
from ragmem.store.documents import access_lists_of
from ragmem.store.sources import (
    Source,
    access_lists,
    delete_items,
    delete_source,
    list_sources,
    read_items,
    still_listed,
)
from ragmem.types import Scope


def drop_items(connection: Connection, source: Source, uris: Sequence[str]) -> list[str]:
    """Forget items of a source, and what is at their URIs unless another source lists it too.

    Returns:
        The URIs at which there is nothing now.
    """
    delete_items(connection, source.id, uris)
    _drop_single(connection, source, set(uris))
    kept = still_listed(connection, tenant=source.tenant, uris=uris)
    gone = [uri for uri in uris if uri not in kept]
    detach(connection, [document_id_of(tenant=source.tenant, uri=uri) for uri in gone])
    return gone


def lost_documents(connection: Connection, source: Source, uris: Sequence[str]) -> list[str]:
    """Those of these URIs whose document is nowhere else; a rename loses nothing."""
    ids = {uri: document_id_of(tenant=source.tenant, uri=uri) for uri in uris}
    going = set(ids.values())
    documents_at = documents_at_places(connection, list(ids.values()))
    places = places_of(connection, sorted(set(documents_at.values())))
    staying = {key for key, found in places.items() if any(each.id not in going for each in found)}
    return [
        uri
        for uri, place in ids.items()
        if place in documents_at and documents_at[place] not in staying
    ]


def _drop_single(connection: Connection, source: Source, uris: set[str]) -> None:
    """Forget sources that are one of these items themselves.

    A folder and a file in it may both have been added. When the folder's listing shows that the
    file is gone, the file's own source would only keep its text alive.
    """
    for other in list_sources(connection, tenant=source.tenant):
        if other.uri in uris and other.id != source.id:
            delete_source(connection, other.id)


def drop_source(connection: Connection, source: Source, *, scope: Scope) -> list[str] | None:
    """Forget a source and drop its documents; what the scope does not see stays with the source.

    Returns:
        The URIs at which there is nothing now; None where the scope sees nothing of the source.
    """

    def sees(acl: frozenset[str]) -> bool:
        return scope.sees(tenant=source.tenant, acl=acl)

    lists = access_lists(connection, source)
    hides_something = not all(map(sees, lists))
    if not any(map(sees, lists)):
        return None
    items = list(read_items(connection, source.id).values())
    ids = [item.document_id for item in items if item.document_id is not None]
    seen_documents = {key for key, acl in access_lists_of(connection, ids).items() if sees(acl)}
    if hides_something:
        if not seen_documents:
            return None
        # Whose the items are that never became documents cannot be told.
        items = [item for item in items if item.document_id in seen_documents]
    dropped = set(drop_items(connection, source, [item.uri for item in items]))
    if not hides_something:
        delete_source(connection, source.id)
    return [item.uri for item in items if item.uri in dropped and item.document_id is not None]
