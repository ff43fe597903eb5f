"""Chunks and embeds a whole store again, for another model."""

from __future__ import annotations

from collections.abc import Callable

from ragmem.ingestion.naming import name_chunks
from ragmem.ingestion.vectors import keys_of
from ragmem.ingestion.writer import DocumentWriter
from ragmem.ports import Chunker, Embedder
from ragmem.store.chunks import replace_chunks
from ragmem.store.documents import all_document_ids, read_documents_by_id
from ragmem.store.embeddings import delete_other_models, delete_unused_embeddings
from ragmem.store.index_ops import append_rebuild
from ragmem.store.stamp import Stamp, write_stamp
from ragmem.store.store import Store
from ragmem.store.written_contexts import delete_unused_contexts
from ragmem.types import Document, ParsedDocument


def embed_again(
    *,
    store: Store,
    chunker: Chunker,
    embedder: Embedder,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Chunk and embed every document with other models, and note that the indexes must follow.

    The vectors are computed first and cached as they come, so that a killed run goes on where it
    was; chunks and stamp change together in one transaction at the end.

    Args:
        on_progress: called with documents embedded and documents in all.
    """
    writer = DocumentWriter(store=store, embedder=embedder)
    with store.reading() as connection:
        document_ids = all_document_ids(connection)
    for done, document_id in enumerate(document_ids, start=1):
        with store.reading() as connection:
            documents = read_documents_by_id(connection, [document_id])
        writer.embed_missing([(each.text, chunker.chunk(_as_parsed(each))) for each in documents])
        if on_progress is not None:
            on_progress(done, len(document_ids))
    with store.writing() as connection:
        for document_id in document_ids:
            for document in read_documents_by_id(connection, [document_id]):
                chunks = chunker.chunk(_as_parsed(document))
                text_hashes = keys_of(embedder, document.text, chunks)
                replace_chunks(connection, document_id, chunks, text_hashes=text_hashes)
                name_chunks(connection, document, chunks, text_hashes=text_hashes)
        # The vectors in the indexes are the old model's: chunk ids alone would not tell.
        append_rebuild(connection)
        write_stamp(
            connection,
            Stamp(embedding_model=embedder.model_id, dimensions=embedder.dimensions),
        )
        delete_other_models(connection, model_id=embedder.model_id)
        delete_unused_embeddings(connection)
        delete_unused_contexts(connection)


def _as_parsed(document: Document) -> ParsedDocument:
    return ParsedDocument(
        text=document.text,
        text_format=document.text_format,
        title=document.title,
        pages=document.pages,
        language=document.language,
        media_type=document.media_type,
        metadata=document.metadata,
    )
