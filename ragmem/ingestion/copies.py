"""Exact copies: a document that several URIs name is stored once, whichever of them come and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from ragmem.store.chunks import chunk_ids_of_documents, chunks_of_document, replace_chunks
from ragmem.store.document_uris import Place, delete_places, places_of, put_place
from ragmem.store.documents import delete_documents, move_document, put_metadata
from ragmem.store.index_ops import append_op
from ragmem.store.sources import part_items
from ragmem.types import Metadata, MetadataValue


def attach(connection: Connection, place: Place) -> None:
    """Say that a document is at a place, whatever was there before."""
    here = places_of(connection, [place.document_id])[place.document_id]
    if all(each.id != place.id for each in here):
        detach(connection, [place.id])
    put_place(connection, place)
    _settle(connection, place.document_id, places_of(connection, [place.document_id]))


def detach(connection: Connection, place_ids: Sequence[str]) -> None:
    """Say that nothing is at these places any more; a document that is nowhere is deleted."""
    gone = delete_places(connection, place_ids)
    part_items(connection, gone)
    document_ids = list(dict.fromkeys(place.document_id for place in gone))
    left = places_of(connection, document_ids)
    drop_documents(connection, [each for each in document_ids if each not in left])
    for document_id in left:
        _settle(connection, document_id, left)


def drop_documents(connection: Connection, document_ids: Sequence[str]) -> None:
    """Delete documents with their chunks, and note the chunks for the indexes."""
    for document_id in document_ids:
        removed = chunk_ids_of_documents(connection, [document_id])
        append_op(connection, document_id=document_id, added=(), removed=removed)
    delete_documents(connection, document_ids)


def merged(places: Iterable[Metadata]) -> Metadata:
    """The metadata of a document from those at its places.

    A text that differs becomes the list of its values; other kinds do not differ between copies.
    """
    found: dict[str, MetadataValue] = {}
    for metadata in places:
        for key, value in metadata.items():
            known = found.setdefault(key, value)
            if known != value:
                found[key] = tuple(dict.fromkeys((*_values(known), *_values(value))))
    return found


def _values(value: MetadataValue) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def _settle(connection: Connection, document_id: str, by_document: dict[str, list[Place]]) -> None:
    """Make the first URI the document's own, and its metadata those of all of them."""
    places = by_document[document_id]
    first = places[0]
    if first.id != document_id:
        chunks = chunks_of_document(connection, document_id)
        removed = chunk_ids_of_documents(connection, [document_id])
        append_op(connection, document_id=document_id, added=(), removed=removed)
        move_document(connection, document_id, to=first)
        put_metadata(connection, first.id, merged(place.metadata for place in places))
        added = replace_chunks(connection, first.id, chunks).added
        append_op(connection, document_id=first.id, added=added, removed=())
    elif put_metadata(connection, document_id, merged(place.metadata for place in places)):
        kept = chunk_ids_of_documents(connection, [document_id])
        append_op(connection, document_id=document_id, added=kept, removed=())
