"""Commits documents: embeds what has no vector yet, then writes everything in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from ragmem.ports import Embedder
from ragmem.store.chunks import replace_chunks, text_hash_of
from ragmem.store.documents import put_document, read_documents_by_id
from ragmem.store.embeddings import cached_hashes, put_embeddings
from ragmem.store.index_ops import append_op
from ragmem.store.insert import batches
from ragmem.store.sources import ItemState, put_items
from ragmem.store.store import Store
from ragmem.types import Chunk, Document

_TEXTS_A_BATCH = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedDocument:
    """A document that is parsed and chunked and not stored yet."""

    document: Document
    content_hash: str
    chunks: tuple[Chunk, ...]
    item: ItemState
    warnings: tuple[str, ...] = ()


class DocumentWriter:
    """Embeds and stores groups of documents."""

    def __init__(self, *, store: Store, embedder: Embedder) -> None:
        self._store = store
        self._embedder = embedder

    def embed_missing(
        self, texts: Sequence[str], *, on_progress: Callable[[int, int], None] | None = None
    ) -> int:
        """Put a vector of each text into the embedding cache; those already there cost nothing.

        Each batch is committed by itself, so that a killed run does not embed it again.

        Returns:
            How many texts were embedded.
        """
        by_hash = {text_hash_of(text): text for text in texts}
        model_id = self._embedder.model_id
        with self._store.reading() as connection:
            cached = cached_hashes(connection, model_id=model_id, text_hashes=list(by_hash))
        # Longest first: batches of like length waste little, and the first one shows the worst.
        missing = sorted(by_hash.keys() - cached, key=lambda key: (-len(by_hash[key]), key))
        done = 0
        for batch in batches(missing, size=_TEXTS_A_BATCH):
            vectors = self._embedder.embed_documents([by_hash[key] for key in batch])
            with self._store.writing() as connection:
                put_embeddings(connection, model_id=model_id, text_hashes=batch, vectors=vectors)
            done += len(batch)
            if on_progress is not None:
                on_progress(done, len(missing))
        return done

    def write(self, source_id: int, group: Sequence[PreparedDocument]) -> set[str]:
        """Store a group, whose texts are embedded, in one transaction.

        Returns:
            The ids of the documents that were not there before.
        """
        ids = [prepared.document.id for prepared in group]
        with self._store.writing() as connection:
            before = {found.id: found for found in read_documents_by_id(connection, ids)}
            for prepared in group:
                _write_document(connection, prepared, before.get(prepared.document.id))
            put_items(connection, source_id, [prepared.item for prepared in group])
        return set(ids) - before.keys()


def _write_document(
    connection: Connection, prepared: PreparedDocument, before: Document | None
) -> None:
    document = prepared.document
    put_document(connection, document, content_hash=prepared.content_hash)
    change = replace_chunks(connection, document.id, prepared.chunks)
    # The indexes hold the document's facets beside each chunk: kept chunks are sent again when
    # one of them changed.
    unchanged = before is None or _facets(before) == _facets(document)
    append_op(
        connection,
        document_id=document.id,
        added=change.added if unchanged else change.added + change.kept,
        removed=change.removed,
    )


def _facets(document: Document) -> tuple[object, ...]:
    return (document.title, document.language, document.acl, dict(document.metadata))
