"""The embedding cache: vectors by model and by the hash of the text embedded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, delete, exists, select

from ragmem.store.insert import batches, check_key, insert_missing
from ragmem.store.schema import chunks, embeddings
from ragmem.types import FloatMatrix, FloatVector

_STORED = np.dtype("<f4")  # little-endian float32, whatever the machine


def put_embeddings(
    connection: Connection, *, model_id: str, text_hashes: Sequence[str], vectors: FloatMatrix
) -> None:
    """Keep vectors.

    Args:
        text_hashes: one a row of `vectors`; those already there are left as they are.
        vectors: shape (len(text_hashes), dimensions).

    Raises:
        UsageError: the model's id is too long.
    """
    check_key("model id", model_id)
    rows = [
        {"model_id": model_id, "text_hash": text_hash, "vector": row.astype(_STORED).tobytes()}
        for text_hash, row in zip(text_hashes, vectors, strict=True)
    ]
    insert_missing(connection, embeddings, rows)


def read_embeddings(
    connection: Connection, *, model_id: str, text_hashes: Sequence[str]
) -> dict[str, FloatVector]:
    """The vectors that are there, by text hash."""
    found: dict[str, FloatVector] = {}
    for batch in batches(text_hashes):
        query = select(embeddings.c.text_hash, embeddings.c.vector).where(
            embeddings.c.model_id == model_id, embeddings.c.text_hash.in_(batch)
        )
        for text_hash, stored in connection.execute(query):
            found[text_hash] = np.frombuffer(stored, dtype=_STORED).astype(np.float32)
    return found


def cached_hashes(connection: Connection, *, model_id: str, text_hashes: Sequence[str]) -> set[str]:
    """Which of these texts have a vector."""
    found: set[str] = set()
    for batch in batches(text_hashes):
        query = select(embeddings.c.text_hash).where(
            embeddings.c.model_id == model_id, embeddings.c.text_hash.in_(batch)
        )
        found.update(connection.execute(query).scalars())
    return found


def delete_unused_embeddings(connection: Connection) -> int:
    """Delete the vectors of texts that no chunk has any more.

    Returns:
        How many were deleted.
    """
    used = exists().where(chunks.c.text_hash == embeddings.c.text_hash)
    return int(connection.execute(delete(embeddings).where(~used)).rowcount)


def delete_other_models(connection: Connection, *, model_id: str) -> int:
    """Delete the vectors of every model but this one, and say how many."""
    return int(
        connection.execute(delete(embeddings).where(embeddings.c.model_id != model_id)).rowcount
    )
