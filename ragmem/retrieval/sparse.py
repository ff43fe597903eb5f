"""Candidates of an index of learned sparse vectors, beside those of the dense and lexical one.

The index is `ragmem.indexes.sparse`; how its scores are fused is `fusion`.
"""

from __future__ import annotations

from ragmem.ports import LexicalIndex
from ragmem.query import FirstLook, Proposal


class SparseSource:
    """Searches with the question itself; what the other indexes found has its exact score."""

    def __init__(self, index: LexicalIndex) -> None:
        """Take the index.

        Args:
            index: of sparse vectors, which follows the store as the lexical one does.
        """
        self._index = index

    @property
    def name(self) -> str:
        """What the trace calls it."""
        return "sparse"

    def propose(self, look: FirstLook, *, k: int) -> Proposal:
        """The k best chunks, and the scores of those already found; a chunk without one has 0."""
        question = look.query.question
        candidates = self._index.search(question, k=k, scope=look.scope, where=look.query.where)
        found = {each.chunk_id: each.score for each in candidates}
        known = dict.fromkeys(chunk_id for scores in look.scores.values() for chunk_id in scores)
        missing = [chunk_id for chunk_id in known if chunk_id not in found]
        filled = self._index.scores(question, missing)
        return Proposal(
            scores={**found, **filled},
            floor=0.0,
            details={"candidates": len(found), "filled": len(filled)},
        )
