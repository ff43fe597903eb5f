"""Combining a dense and a lexical ranking: pure functions over scores, no indexes, no text.

Both functions give every candidate a score that can be computed again from what they return, so
that a trace explains the fused order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """A fused ranking.

    Attributes:
        scores: by chunk id, best first, equal scores ordered by chunk id.
        details: the constants that, with the lists that went in, give every score again.
    """

    scores: Mapping[str, float]
    details: Mapping[str, object]


def ranked(scores: Mapping[str, float]) -> dict[str, float]:
    """The same scores, best first, equal scores ordered by chunk id."""
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))


def min_max_convex(
    dense: Mapping[str, float], lexical: Mapping[str, float], *, dense_weight: float = 0.6
) -> Fusion:
    """Add both scores, each first stretched to [0, 1] over the candidates.

    `w * (d - d_min) / (d_max - d_min) + (1 - w) * l / l_max`: the convex combination of Bruch,
    Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval" (ACM TOIS 2023).

    The minimum of the dense scores is the candidates' own: cosines of one model crowd into a
    narrow band, and the theoretical minimum of -1 would leave them almost no say. The minimum of
    the lexical scores is BM25's own, 0, which is also exactly what a chunk that shares no word
    with the question has; so a chunk missing from `lexical` needs no guess. A chunk missing from
    `dense` gets the dense minimum: callers fill such gaps with exact similarities first. Dense
    scores that are all alike say nothing about the order and count as 1.

    Args:
        dense: cosine similarity by chunk id.
        lexical: BM25 score by chunk id, above zero.
        dense_weight: the weight of the dense score, between 0 and 1.
    """
    dense_min, dense_max = min(dense.values(), default=0.0), max(dense.values(), default=0.0)
    lexical_max = max(lexical.values(), default=0.0)
    scores = {
        chunk_id: dense_weight * _stretch(dense.get(chunk_id, dense_min), dense_min, dense_max)
        + (1.0 - dense_weight) * lexical.get(chunk_id, 0.0) / (lexical_max or 1.0)
        for chunk_id in dense.keys() | lexical.keys()
    }
    details = {
        "method": "min_max_convex",
        "dense_weight": dense_weight,
        "dense_min": dense_min,
        "dense_max": dense_max,
        "lexical_max": lexical_max,
    }
    return Fusion(scores=ranked(scores), details=details)


def _stretch(score: float, low: float, high: float) -> float:
    return (score - low) / (high - low) if high > low else 1.0


def reciprocal_rank(rankings: Sequence[Sequence[str]], *, k: int = 60) -> Fusion:
    """Add `1 / (k + rank)` over the rankings that hold a chunk; ranks count from 1.

    Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual
    Rank Learning Methods" (SIGIR 2009). A chunk missing from a ranking gets nothing from it.

    Args:
        rankings: chunk ids, best first, each id at most once a ranking.
        k: how slowly the weight falls with the rank.
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, chunk_id in enumerate(ranking, start=1):
            scores[chunk_id] = scores.get(chunk_id, 0.0) + 1.0 / (k + rank)
    return Fusion(scores=ranked(scores), details={"method": "reciprocal_rank", "k": k})
