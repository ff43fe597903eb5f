"""Commits documents: embeds what has no vector yet, then writes everything in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from ragmem.ingestion.copies import Placing
from ragmem.ingestion.naming import name_chunks
from ragmem.ingestion.vectors import embed_readings, keys_of, readings_of
from ragmem.ports import Embedder
from ragmem.store.chunks import replace_chunks
from ragmem.store.document_uris import (
    Place,
    documents_at_places,
    other_place,
    places_of,
    written_as,
)
from ragmem.store.documents import put_document, read_documents_by_id, same_content
from ragmem.store.embeddings import cached_hashes, put_embeddings
from ragmem.store.index_ops import append_op
from ragmem.store.insert import batches
from ragmem.store.signatures import put_signature
from ragmem.store.sources import ItemState, Source, put_items
from ragmem.store.store import Store
from ragmem.types import Chunk, Document, Metadata

_TEXTS_A_BATCH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDocument:
    """A document that is parsed and chunked and not stored yet."""

    document: Document
    content_hash: str
    content_key: str
    chunks: tuple[Chunk, ...]
    signature: bytes
    item: ItemState
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiedItem:
    """An item that seems to be an exact copy of a document, and was not parsed.

    Attributes:
        metadata: what its source says of it.
    """

    document_id: str
    content_hash: str
    content_key: str
    metadata: Metadata
    item: ItemState


@dataclass(slots=True)
class Written:
    """What writing a group came to.

    Attributes:
        new: the URIs at which nothing was before.
        copies: the URIs that became another one of a stored document.
        missing: copies of what is not stored (any more); they must be parsed.
    """

    new: set[str] = field(default_factory=set)
    copies: set[str] = field(default_factory=set)
    missing: list[CopiedItem] = field(default_factory=list)


class DocumentWriter:
    """Embeds and stores groups of documents."""

    def __init__(self, *, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    def embed_missing(
        self,
        documents: Iterable[tuple[str, Sequence[Chunk]]],
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Put a vector of each chunk into the embedding cache; those already there cost nothing.

        Each batch is committed by itself, so that a killed run does not embed it again.

        Args:
            documents: their texts and chunks.
            on_progress: called with texts embedded and texts to embed.

        Returns:
            How many texts were embedded.
        """
        readings = {
            reading.keys: reading
            for text, chunks in documents
            for reading in readings_of(self._embedder, text, chunks)
        }
        model_id = self._embedder.model_id
        keys = list(dict.fromkeys(key for several in readings for key in several))
        with self._store.reading() as connection:
            cached = cached_hashes(connection, model_id=model_id, text_hashes=keys)
        # Longest first: batches of like length waste little, and the first one shows the worst.
        missing = sorted(
            (each for each in readings.values() if not cached.issuperset(each.keys)),
            key=lambda each: (-len(each.text), each.keys),
        )
        done = 0
        for batch in batches(missing, size=_TEXTS_A_BATCH):
            vectors = embed_readings(self._embedder, batch)
            hashes = [key for reading in batch for key in reading.keys]
            with self._store.writing() as connection:
                put_embeddings(connection, model_id=model_id, text_hashes=hashes, vectors=vectors)
            done += len(batch)
            if on_progress is not None:
                on_progress(done, len(missing))
        return done

    def write(self, source: Source, group: Sequence[PreparedDocument | CopiedItem]) -> Written:
        """Store a group, whose texts are embedded, in one transaction."""
        written = Written()
        with self._store.writing() as connection:
            placing = Placing(connection)
            for each in group:
                self._write(connection, source, each, placing, written)
            placing.settle()
        return written

    def _write(
        self,
        connection: Connection,
        source: Source,
        each: PreparedDocument | CopiedItem,
        placing: Placing,
        written: Written,
    ) -> None:
        copied = each if isinstance(each, CopiedItem) else _as_copy(each)
        uri = copied.item.uri
        original = same_content(connection, tenant=source.tenant, content_key=copied.content_key)
        if original is None and isinstance(each, CopiedItem):
            written.missing.append(each)
            return
        if copied.document_id not in written_as(connection, [copied.document_id]):
            written.new.add(uri)
        if original is not None:
            if _copy(connection, original, copied, placing):
                written.copies.add(uri)
        elif isinstance(each, PreparedDocument):
            text_hashes = keys_of(self._embedder, each.document.text, each.chunks)
            _write_document(connection, each, text_hashes, placing)
        put_items(connection, source, [copied.item])


def _as_copy(prepared: PreparedDocument) -> CopiedItem:
    return CopiedItem(
        document_id=prepared.document.id,
        content_hash=prepared.content_hash,
        content_key=prepared.content_key,
        metadata=prepared.document.metadata,
        item=prepared.item,
    )


def _copy(connection: Connection, original: str, copied: CopiedItem, placing: Placing) -> bool:
    """Put an item beside the document that it is a copy of.

    Returns:
        Whether the document has other URIs too.
    """
    other = other_place(connection, original, than=copied.document_id)
    # The format's own metadata are the same in every copy, and only the first was parsed.
    alike = other or places_of(connection, [original])[original][0]
    place = Place(
        id=copied.document_id,
        document_id=original,
        uri=copied.item.uri,
        metadata={**alike.metadata, **copied.metadata},
        content_hash=copied.content_hash,
    )
    placing.attach(place)
    return other is not None


def _write_document(
    connection: Connection,
    prepared: PreparedDocument,
    text_hashes: Sequence[str],
    placing: Placing,
) -> None:
    document = prepared.document
    if _is_shared(connection, document.id):
        # Other URIs keep the old content.
        placing.detach([document.id])
    found = read_documents_by_id(connection, [document.id])
    put_document(
        connection,
        document,
        content_hash=prepared.content_hash,
        content_key=prepared.content_key,
    )
    put_signature(connection, document.id, prepared.signature)
    change = replace_chunks(connection, document.id, prepared.chunks, text_hashes=text_hashes)
    name_chunks(connection, document, prepared.chunks, text_hashes=text_hashes)
    # The indexes hold the document's facets beside each chunk: kept chunks are sent again when
    # one of them changed.
    unchanged = not found or _facets(found[0]) == _facets(document)
    append_op(
        connection,
        document_id=document.id,
        added=change.added if unchanged else change.added + change.kept,
        removed=change.removed,
    )


def _is_shared(connection: Connection, place_id: str) -> bool:
    """Whether the document at a place is at others too."""
    document_id = documents_at_places(connection, [place_id]).get(place_id)
    if document_id is None:
        return False
    return other_place(connection, document_id, than=place_id) is not None


def _facets(document: Document) -> tuple[object, ...]:
    return (document.title, document.language, document.acl, dict(document.metadata))
