"""Exact copies: a document that several URIs name is stored once, whichever of them come and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from ragmem.ingestion.naming import name_chunks
from ragmem.store.chunks import (
    chunk_ids_of_documents,
    chunks_of_document,
    replace_chunks,
    text_hashes_of_document,
)
from ragmem.store.document_uris import (
    Place,
    delete_places,
    documents_at_places,
    other_place,
    places_of,
    put_place,
)
from ragmem.store.documents import (
    delete_documents,
    move_document,
    put_metadata,
    read_documents_by_id,
)
from ragmem.store.index_ops import append_op
from ragmem.store.sources import part_items
from ragmem.types import Metadata, MetadataValue


class Placing:
    """Says within one transaction where documents are; `settle` before it ends.

    Until then a document may carry another of its URIs than the first, and older metadata: looking
    through all its places at every change would take hours where thousands hold the same.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._unsettled: set[str] = set()

    def attach(self, place: Place) -> None:
        """Say that a document is at a place, whatever was there before."""
        before = documents_at_places(self._connection, [place.id]).get(place.id)
        if before not in (None, place.document_id):
            self.detach([place.id])
        put_place(self._connection, place)
        self._unsettled.add(place.document_id)

    def detach(self, place_ids: Sequence[str]) -> None:
        """Say that nothing is at these places any more; a document that is nowhere is deleted."""
        gone = delete_places(self._connection, place_ids)
        part_items(self._connection, gone)
        gone_ids = {place.id for place in gone}
        for document_id in dict.fromkeys(place.document_id for place in gone):
            self._unsettled.discard(document_id)
            left = other_place(self._connection, document_id, than=document_id)
            if document_id not in gone_ids:
                self._unsettled.add(document_id)
            elif left is None:
                drop_documents(self._connection, [document_id])
            else:
                # Its id is that of the place that it left, where another may come.
                self._move(document_id, to=left)
                self._unsettled.add(left.id)

    def settle(self) -> None:
        """Make the first URI each document's own, and its metadata those of all of them."""
        for document_id, places in places_of(self._connection, sorted(self._unsettled)).items():
            first = places[0]
            if first.id != document_id:
                self._move(document_id, to=first)
            merged_metadata = merged(place.metadata for place in places)
            changed = put_metadata(self._connection, first.id, merged_metadata)
            if changed and first.id == document_id:
                kept = chunk_ids_of_documents(self._connection, [document_id])
                append_op(self._connection, document_id=document_id, added=kept, removed=())
        self._unsettled.clear()

    def _move(self, document_id: str, *, to: Place) -> None:
        chunks = chunks_of_document(self._connection, document_id)
        text_hashes = text_hashes_of_document(self._connection, document_id)
        removed = chunk_ids_of_documents(self._connection, [document_id])
        append_op(self._connection, document_id=document_id, added=(), removed=removed)
        move_document(self._connection, document_id, to=to)
        change = replace_chunks(self._connection, to.id, chunks, text_hashes=text_hashes)
        for moved in read_documents_by_id(self._connection, [to.id]):
            name_chunks(self._connection, moved, chunks, text_hashes=text_hashes)
        append_op(self._connection, document_id=to.id, added=change.added, removed=())


def detach(connection: Connection, place_ids: Sequence[str]) -> None:
    """Say that nothing is at these places any more; a document that is nowhere is deleted."""
    placing = Placing(connection)
    placing.detach(place_ids)
    placing.settle()


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
