"""A source that lets candidates support each other: what is like good candidates is likely good.

It proposes nothing new; it scores the best candidates again by those that are most like them.
"""

from __future__ import annotations

from itertools import islice

import numpy as np

from ragmem.indexes.ranking import products
from ragmem.query import FirstLook, Proposal
from ragmem.retrieval.readers import VectorsOf
from ragmem.types import FloatMatrix, FloatVector

CANDIDATES = 200
"""How many candidates are compared with each other; those after them are left out."""


class NeighbourSource:
    """Scores candidates by their neighbours; the port is `ragmem.ports.CandidateSource`."""

    def __init__(self, vectors_of: VectorsOf, *, neighbours: int = 10) -> None:
        """Put it together.

        Args:
            vectors_of: reads the vectors of chunks.
            neighbours: how many of the most similar candidates speak for each.
        """
        self._vectors_of = vectors_of
        self._neighbours = neighbours

    @property
    def name(self) -> str:
        """What the trace calls it."""
        return "neighbours"

    def propose(self, look: FirstLook, *, k: int) -> Proposal:  # noqa: ARG002
        """The mean fused score of each candidate's neighbours, by `neighbours_means`."""
        fused = dict(islice(look.scores["fused"].items(), CANDIDATES))
        vectors = self._vectors_of(list(fused))
        known = [chunk_id for chunk_id in fused if chunk_id in vectors]
        details = {"neighbours": self._neighbours, "candidates": len(known)}
        if len(known) < 2:
            return Proposal(scores=dict(fused), floor=0.0, details=details)
        means = neighbours_means(
            np.stack([vectors[chunk_id] for chunk_id in known]),
            np.array([fused[chunk_id] for chunk_id in known], dtype=np.float32),
            neighbours=self._neighbours,
        )
        scores = dict(zip(known, map(float, means), strict=True))
        return Proposal(scores=scores, floor=0.0, details=details)


def neighbours_means(vectors: FloatMatrix, scores: FloatVector, *, neighbours: int) -> FloatVector:
    """The mean score of each row's nearest other rows, weighted by their cosines.

    `sum of c_ij * s_j / sum of c_ij` over the nearest j: one step of the score regularization of
    Diaz, "Regularizing Ad Hoc Retrieval Scores" (CIKM 2005), after the cluster hypothesis: texts
    that are alike tend to answer the same questions.

    Args:
        vectors: shape (n, dimensions), n at least 2, rows of length one.
        scores: shape (n,).
        neighbours: how many rows count for each; all others where there are fewer.

    Returns:
        Shape (n,); a row that is like no other has its own score.
    """
    cosines = np.maximum(products(vectors), 0.0)
    np.fill_diagonal(cosines, 0.0)
    count = min(neighbours, len(scores) - 1)
    least = np.partition(cosines, -count, axis=1)[:, -count, np.newaxis]
    weights = np.where(cosines >= least, cosines, 0.0)
    totals = weights.sum(axis=1)
    alone = totals <= 0.0
    means = np.where(alone, scores, weights @ scores) / np.where(alone, 1.0, totals)
    return means.astype(np.float32)
