"""The reranker that compares a question with a passage token by token.

The vectors are the embedder's before pooling; making them is `ragmem.models`' business. Only
models that were tuned for it gain: token vectors of models tuned for one vector a text add nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ragmem.ports import EmbedsTokens
from ragmem.query import Reranking
from ragmem.types import FloatMatrix, Hit


class LateInteractionReranker:
    """Adds the hits' MaxSim to their scores so far: `score = component + weight * max_sim`.

    Reading the candidates costs as much as embedding them. Questions are read as documents are,
    without a prompt of their own.
    """

    def __init__(self, embedder: EmbedsTokens, *, weight: float = 1.0) -> None:
        """Take the model.

        Args:
            embedder: gives the vectors of single tokens; what it cuts off a text is not compared.
            weight: of MaxSim beside the score so far; the larger, the less that one counts.
        """
        self._embedder = embedder
        self._weight = weight

    @property
    def name(self) -> str:
        """What the trace calls it."""
        return "late_interaction"

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[float]:
        """A score for each hit, in the order given; higher is better."""
        return list(self.explain(question, hits).scores)

    def explain(self, question: str, hits: Sequence[Hit]) -> Reranking:
        """The scores with their parts: each is the sum of the parts times the weights."""
        weights = {"component": 1.0, "max_sim": self._weight}
        if not hits:
            return Reranking(scores=(), parts=(), constants={"weights": weights})
        texts = [hit.text_in_context for hit in hits]
        asked, *read = (found.vectors for found in self._embedder.embed_tokens([question, *texts]))
        parts = tuple(
            {"component": hit.score, "max_sim": max_sim(asked, passage)}
            for hit, passage in zip(hits, read, strict=True)
        )
        scores = tuple(sum(weights[name] * part for name, part in each.items()) for each in parts)
        return Reranking(scores=scores, parts=parts, constants={"weights": weights})


def max_sim(question: FloatMatrix, passage: FloatMatrix) -> float:
    """The mean, over the question's tokens, of the cosine to the most similar passage token.

    Khattab and Zaharia, "ColBERT: Efficient and Effective Passage Search via Contextualized Late
    Interaction over BERT" (arXiv 2004.12832), equation 3, divided by the number of the question's
    tokens so that a weight means the same for short and for long questions.

    Args:
        question: shape (tokens, dimensions), of any lengths.
        passage: shape (other tokens, dimensions).

    Returns:
        In [-1, 1]; 0 where one of them has no token.
    """
    if not len(question) or not len(passage):
        return 0.0
    cosines = _unit(question) @ _unit(passage).T
    return float(np.clip(cosines.max(axis=1).mean(), -1.0, 1.0))


def _unit(rows: FloatMatrix) -> FloatMatrix:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    # A vector of length zero points nowhere: it is similar to nothing.
    scaled: FloatMatrix = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled
