"""Maximal marginal relevance: passages that repeat what stands above them move down.

An option for answers that should show many sides of a subject. It can hurt recall badly, because
the passages that answer a question are often alike; leave it off unless a measurement on your own
questions says otherwise. Exact and near copies are left out without it (`near_duplicates`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ragmem.errors import UsageError
from ragmem.indexes.ranking import products
from ragmem.ports import ExplainsScores, Reranker
from ragmem.query import Reranking
from ragmem.retrieval.readers import VectorsOf
from ragmem.types import Hit


class DiverseReranker:
    """Weighs another reranker's scores against likeness to what is ranked higher.

    `score = (1 - d) * relevance - d * similarity` with the diversity `d`, which is `1 - lambda` of
    Carbonell and Goldstein, "The Use of MMR, Diversity-Based Reranking for Reordering Documents and
    Producing Summaries" (SIGIR 1998);
    relevance: the other reranker's score, stretched to [0, 1] over the candidates;
    similarity: the highest cosine to a chunk picked before, at least 0, and 0 for the first and for
    chunks without a vector.
    """

    def __init__(
        self, reranker: Reranker | None, vectors_of: VectorsOf, *, diversity: float
    ) -> None:
        """Wrap a reranker.

        Args:
            reranker: tells what is relevant; None goes by the hits' scores so far.
            vectors_of: reads the vectors of chunks.
            diversity: 0 changes nothing, 1 looks at nothing else.

        Raises:
            UsageError: the diversity lies outside [0, 1].
        """
        if not 0.0 <= diversity <= 1.0:
            raise UsageError(f"diversity is {diversity}; it must lie in [0, 1]")
        self._reranker = reranker
        self._vectors_of = vectors_of
        self._diversity = diversity

    @property
    def name(self) -> str:
        """The other reranker's, and this one's."""
        return "diversity" if self._reranker is None else f"{self._reranker.name} with diversity"

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[float]:
        """A score for each hit, in the order given; higher is better."""
        return list(self.explain(question, hits).scores)

    def explain(self, question: str, hits: Sequence[Hit]) -> Reranking:
        """The scores with `relevance` and `similarity`, beside the other reranker's parts."""
        inner = self._inner(question, hits)
        low, high = min(inner.scores, default=0.0), max(inner.scores, default=0.0)
        relevance = np.array(
            [(score - low) / (high - low) if high > low else 1.0 for score in inner.scores]
        )
        scores, similarity = marginal_relevance(
            relevance, self._cosines(hits), diversity=self._diversity
        )
        parts = tuple(
            {**part, "reranked": score, "relevance": float(own), "similarity": float(like)}
            for part, score, own, like in zip(
                inner.parts, inner.scores, relevance, similarity, strict=True
            )
        )
        constants = {**inner.constants, "diversity": self._diversity, "bounds": (low, high)}
        return Reranking(scores=tuple(map(float, scores)), parts=parts, constants=constants)

    def _inner(self, question: str, hits: Sequence[Hit]) -> Reranking:
        reranker = self._reranker
        if reranker is None:
            scores = [hit.score for hit in hits]
        elif not isinstance(reranker, ExplainsScores):
            scores = reranker.rerank(question, hits)
        else:
            return reranker.explain(question, hits)
        return Reranking(scores=tuple(scores), parts=tuple({} for _ in hits))

    def _cosines(self, hits: Sequence[Hit]) -> npt.NDArray[np.float64]:
        """Between all hits, shape (len(hits), len(hits)); 0 where a vector is missing."""
        vectors = self._vectors_of([hit.chunk_id for hit in hits]) if hits else {}
        cosines = np.zeros((len(hits), len(hits)))
        rows = [row for row, hit in enumerate(hits) if hit.chunk_id in vectors]
        if rows:
            matrix = np.stack([vectors[hits[row].chunk_id] for row in rows]).astype(np.float64)
            cosines[np.ix_(rows, rows)] = products(matrix)
        return cosines


def marginal_relevance(
    relevance: npt.NDArray[np.float64],
    cosines: npt.NDArray[np.float64],
    *,
    diversity: float,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Pick the highest `(1 - diversity) * relevance - diversity * similarity` again and again.

    What is left never scores higher after a pick than before, so sorting by the scores (stably)
    gives the order of the picks.

    Args:
        relevance: shape (n,).
        cosines: shape (n, n).
        diversity: in [0, 1].

    Returns:
        The scores and the similarities as they were when each was picked, each of shape (n,).
    """
    left = np.ones(len(relevance), dtype=bool)
    nearest = np.zeros(len(relevance))
    scores, similarity = np.zeros(len(relevance)), np.zeros(len(relevance))
    for _ in range(len(relevance)):
        marginal = (1.0 - diversity) * relevance - diversity * nearest
        pick = int(np.argmax(np.where(left, marginal, -np.inf)))
        scores[pick], similarity[pick] = marginal[pick], nearest[pick]
        left[pick] = False
        nearest = np.maximum(nearest, cosines[pick])
    return scores, similarity
