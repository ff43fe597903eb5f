"""Keeps the names that a document's chunks hold, beside the chunks and in their transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ragmem.chunking.names import names_in, title_names
from ragmem.store.chunks import chunk_ids_of
from ragmem.store.names import NamedChunk, put_names
from ragmem.types import Chunk, Document


def name_chunks(
    connection: Connection,
    document: Document,
    chunks: Sequence[Chunk],
    *,
    text_hashes: Sequence[str],
) -> None:
    """Keep the names of all chunks of a document, whose rows were just written anew.

    Args:
        text_hashes: the key of each chunk in the embedding cache.
    """
    titled = title_names(document.title)
    ids = chunk_ids_of(document.id, chunks, text_hashes=text_hashes)
    named = (
        NamedChunk(chunk_id=chunk_id, titled=titled, mentioned=names_in(chunk.text) - titled)
        for chunk_id, chunk in zip(ids, chunks, strict=True)
    )
    put_names(connection, named, tenant=document.tenant)
