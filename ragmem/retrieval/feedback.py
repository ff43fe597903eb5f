"""Pseudo-relevance feedback: the best candidates are taken for right and searched with as well."""

from __future__ import annotations

from itertools import islice

import numpy as np

from ragmem.indexes.ranking import cosines_to
from ragmem.ports import DenseIndex
from ragmem.query import FirstLook, Proposal
from ragmem.types import FloatMatrix, FloatVector


class FeedbackSource:
    """Searches the dense index again, with a vector moved towards the best candidates.

    The port is `ragmem.ports.CandidateSource`. Where the best candidates are wrong, this leads
    further astray; it suits collections with many right documents a question.
    """

    def __init__(self, dense: DenseIndex, *, believed: int = 3, share: float = 0.4) -> None:
        """Put it together.

        Args:
            dense: the dense index.
            believed: how many of the best fused candidates are taken for right.
            share: their part in the vector, between 0 and 1.
        """
        self._dense = dense
        self._believed = believed
        self._share = share

    @property
    def name(self) -> str:
        """What the trace calls it."""
        return "feedback"

    def propose(self, look: FirstLook, *, k: int) -> Proposal:
        """The k chunks nearest to the moved vector, and the cosines of all found before."""
        fused = look.scores["fused"]
        best = dict(islice(fused.items(), self._believed))
        vectors = self._dense.vectors(list(best))
        if not vectors:
            return Proposal(scores={})
        believed = {chunk_id: best[chunk_id] for chunk_id in vectors}
        vector = moved(
            look.vector,
            np.stack(list(vectors.values())),
            np.array(list(believed.values()), dtype=np.float32),
            share=self._share,
        )
        found = self._dense.search(vector, k=k, scope=look.scope, where=look.query.where)
        scores = {each.chunk_id: each.score for each in found}
        missing = [chunk_id for chunk_id in fused if chunk_id not in scores]
        scores |= cosines_to(vector, self._dense.vectors(missing)) if missing else {}
        details = {"believed": believed, "share": self._share, "candidates": len(found)}
        return Proposal(scores=scores, details=details)


def moved(
    question: FloatVector, believed: FloatMatrix, weights: FloatVector, *, share: float
) -> FloatVector:
    """Move a question's vector towards the weighted mean of others.

    `(1 - share) * q + share * sum(w_i * d_i) / sum(w_i)`, made length one: Rocchio, "Relevance
    Feedback in Information Retrieval" (1971), without counterexamples; over dense vectors as Li et
    al., "Pseudo Relevance Feedback with Deep Language Models and Dense Retrievers" (TOIS 2023).

    Args:
        question: shape (dimensions,).
        believed: shape (n, dimensions), n at least 1.
        weights: shape (n,), none below 0; equal ones count where all are 0.
        share: between 0 and 1.
    """
    total = float(weights.sum())
    shares = weights / total if total > 0.0 else np.full(len(weights), 1.0 / len(weights))
    vector = (1.0 - share) * question + share * (shares @ believed)
    length = float(np.linalg.norm(vector))
    if length == 0.0:
        return question
    result: FloatVector = (vector / length).astype(np.float32)
    return result
