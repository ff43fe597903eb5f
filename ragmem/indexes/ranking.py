"""Small computations that several indexes share: cosines, and the best of some scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ragmem.errors import UsageError
from ragmem.types import Candidate, FloatMatrix, FloatVector

_Float = TypeVar("_Float", np.float32, np.float64)


def best(ids: Sequence[str], scores: FloatVector, k: int) -> list[Candidate]:
    """The k highest scores, best first, equal ones by chunk id.

    Args:
        ids: one a score.
        scores: shape (len(ids),).
        k: the most candidates to return.
    """
    if k < len(ids):
        kth = np.partition(scores, -k)[-k]
        keep = np.flatnonzero(scores >= kth)
    else:
        keep = np.arange(len(ids))
    found = [Candidate(chunk_id=ids[row], score=float(scores[row])) for row in keep.tolist()]
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.chunk_id))[:k]


def cosines(vector: FloatVector, rows: FloatMatrix) -> FloatVector:
    """The cosine similarity of each row to the vector, to the last bit whatever the other rows.

    Args:
        vector: shape (dimensions,).
        rows: shape (n, dimensions).

    Returns:
        Shape (n,), in [-1, 1].
    """
    # A matrix product would add up a row in another order beside other rows, and equal vectors
    # would no longer have equal scores.
    products = np.einsum("ij,j->i", rows, vector)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows)) * np.linalg.norm(vector)
    # A vector of length zero points nowhere: it is similar to nothing.
    scores = np.divide(products, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    limited: FloatVector = np.clip(scores, -1.0, 1.0).astype(np.float32)
    return limited


def cosines_to(vector: FloatVector, vectors: Mapping[str, FloatVector]) -> dict[str, float]:
    """The cosine similarity of each of the named vectors to the vector."""
    if not vectors:
        return {}
    scores = cosines(vector, np.stack(list(vectors.values())))
    return dict(zip(vectors, map(float, scores), strict=True))


def products(rows: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    """The inner product of each row with each; shape (n, n) for n rows, at least one.

    Row by row: for the whole product, the linear algebra library starts threads that wait for each
    other, which on a busy machine takes 30 ms instead of 1.
    """
    return np.stack([rows @ row for row in rows])


def check_shape(vectors: FloatMatrix, *, rows: int, dimensions: int) -> None:
    """Refuse vectors of another shape.

    Raises:
        UsageError: the shape is not (rows, dimensions).
    """
    if vectors.shape != (rows, dimensions):
        raise UsageError(
            f"got vectors of shape {vectors.shape}, expected ({rows}, {dimensions}): "
            "one row an entry, one column a dimension of the embedding model"
        )
