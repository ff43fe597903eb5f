"""What a search reads from one Chroma collection: nearest neighbours, vectors by id.

Which collection, and which of its chunks may be seen, is decided in `chroma.py` and `roster.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ragmem.indexes.ranking import best, cosines
from ragmem.types import Candidate, FloatVector

if TYPE_CHECKING:
    from chromadb.api.models.Collection import Collection
    from chromadb.api.types import QueryResult

_BATCH = 2_000


def nearest(collection: Collection, vector: FloatVector, k: int) -> list[Candidate]:
    """The k nearest by HNSW."""
    result = collection.query(query_embeddings=[vector], n_results=k, include=["distances"])
    return _scored(result, k)


def nearest_among(
    collection: Collection, vector: FloatVector, chunk_ids: list[str], k: int
) -> list[Candidate]:
    """The k nearest of these chunks by HNSW."""
    from chromadb.errors import InternalError

    try:
        result = collection.query(
            query_embeddings=[vector], n_results=k, ids=chunk_ids, include=["distances"]
        )
    except InternalError:
        # Chroma refuses the whole list for one id that it lacks: one that another thread is
        # adding or removing right now, or whose adding was cut off.
        return compared(collection, vector, chunk_ids, k)
    return _scored(result, k)


def _scored(result: QueryResult, k: int) -> list[Candidate]:
    distances = result["distances"] or [[]]
    scores = 1.0 - np.asarray(distances[0], dtype=np.float32)
    return best(result["ids"][0], np.clip(scores, -1.0, 1.0), k)


def compared(
    collection: Collection, vector: FloatVector, chunk_ids: list[str], k: int
) -> list[Candidate]:
    """The k nearest of these chunks, each compared."""
    found: list[Candidate] = []
    for start in range(0, len(chunk_ids), _BATCH):
        held = vectors(collection, chunk_ids[start : start + _BATCH])
        if held:
            found += best(list(held), cosines(vector, np.stack(list(held.values()))), k)
            found = sorted(found, key=lambda hit: (-hit.score, hit.chunk_id))[:k]
    return found


def vectors(collection: Collection, chunk_ids: list[str]) -> dict[str, FloatVector]:
    """The vectors of those of these chunks that the collection has."""
    if not chunk_ids:
        return {}
    found = collection.get(ids=chunk_ids, include=["embeddings"])
    rows = np.asarray(found["embeddings"], dtype=np.float32)
    return dict(zip(found["ids"], rows, strict=True))
