"""Combining several lists of scores into one: pure functions, no indexes, no text.

Each gives every candidate a score that can be computed again from the lists and from the details
that it returns, so that a trace explains the fused order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from ragmem.errors import UsageError

FusionMethod = Literal["min_max_convex", "reciprocal_rank", "distribution_based"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreList:
    """The scores that one index or source gave.

    Attributes:
        name: what the trace calls it.
        scores: by chunk id, best first.
        weight: its say beside the other lists.
        floor: the lowest score there can be, which a chunk has that is not in the list; None where
            that is unknown: then the lowest of the list stands for it. BM25's is 0, exactly what a
            chunk that shares no word with the question scores. The floor of cosines is unknown:
            those of one model crowd into a narrow band far above -1.
        scale: the scores that set the scale, where they are not the list's own. Filtered lists
            take the unfiltered ones', so that a filter leaves out chunks and changes no score.
        unseen: what a chunk scores at most that the search did not reach; None where it reached
            all there are, or that is unknown.
    """

    name: str
    scores: Mapping[str, float]
    weight: float
    floor: float | None = None
    scale: Mapping[str, float] | None = None
    unseen: float | None = None

    @property
    def scaling(self) -> Mapping[str, float]:
        """The scores that set the scale."""
        return self.scores if self.scale is None else self.scale


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


def fuse(lists: Sequence[ScoreList], *, method: FusionMethod, k: int = 60) -> Fusion:
    """Combine lists by the method of this name; `k` is reciprocal rank's.

    Raises:
        UsageError: no method has this name.
    """
    if method == "min_max_convex":
        return min_max_convex(lists)
    if method == "reciprocal_rank":
        return reciprocal_rank(lists, k=k)
    if method == "distribution_based":
        return distribution_based(lists)
    raise UsageError(f"{method!r} is no fusion; known are {', '.join(get_args(FusionMethod))}")


def unseen_score(lists: Sequence[ScoreList], *, method: FusionMethod, k: int = 60) -> float | None:
    """What a chunk scores at most that no list holds; None where the lists hold every chunk.

    The threshold of Fagin, Lotem and Naor, "Optimal aggregation algorithms for middleware" (JCSS
    2003): as if one chunk came right after the last of each list that goes on.
    """
    if any(each.floor is None and each.unseen is None for each in lists):
        return None
    beyond = ""  # no chunk's id
    extended = [
        each
        if each.unseen is None
        else replace(each, scores={**each.scores, beyond: each.unseen}, scale=each.scaling)
        for each in lists
    ]
    return fuse(extended, method=method, k=k).scores.get(beyond)


def min_max_convex(lists: Sequence[ScoreList]) -> Fusion:
    """Add the scores, each list first stretched so that its scale becomes [0, 1].

    `sum of w * (s - low) / (high - low)`, the weights summing to 1, `high` the highest score of the
    list's scale, `low` its floor, or the lowest score of its scale where the floor is unknown: the
    convex combination of Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid
    Retrieval" (ACM TOIS 2023).

    A chunk that a list lacks has its `low`; where that is only the lowest that was found, callers
    fill the gaps with exact scores first. Scores that are all alike count as 1.
    """
    bounds = {
        each.name: (
            min(each.scaling.values(), default=0.0) if each.floor is None else each.floor,
            max(each.scaling.values(), default=0.0),
        )
        for each in lists
    }

    def stretched(score: float, name: str) -> float:
        low, high = bounds[name]
        return (score - low) / (high - low) if high > low else 1.0 + score - high

    scores, weights = _weighted_sum(lists, stretched)
    return Fusion(
        scores=scores, details={"method": "min_max_convex", "weights": weights, "bounds": bounds}
    )


def distribution_based(lists: Sequence[ScoreList]) -> Fusion:
    """Add the scores, each list first stretched so that three deviations about its mean are [0, 1].

    `(s - (m - 3 d)) / (6 d)` with the mean and standard deviation of a list's scale, limited to
    [0, 1]: the distribution-based score fusion of Mazzeschi (2023). One score far above the rest
    squeezes the others less than it does under min-max. A chunk that a list lacks has 0; scores
    that are all alike count as one half.
    """
    moments = {each.name: _moments(list(each.scaling.values())) for each in lists}

    def stretched(score: float, name: str) -> float:
        mean, deviation = moments[name]
        if deviation <= 0.0:
            return 0.5
        return min(1.0, max(0.0, (score - (mean - 3.0 * deviation)) / (6.0 * deviation)))

    scores, weights = _weighted_sum(lists, stretched)
    return Fusion(
        scores=scores,
        details={"method": "distribution_based", "weights": weights, "moments": moments},
    )


def reciprocal_rank(lists: Sequence[ScoreList], *, k: int = 60) -> Fusion:
    """Add `1 / (k + rank)` over the lists that hold a chunk, times their weights; ranks from 1.

    Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual
    Rank Learning Methods" (SIGIR 2009). A chunk missing from a list gets nothing from it. The
    weights sum to the number of lists, so that equal ones leave the paper's sum. Where a list has
    a scale, a rank is that among both.

    Args:
        lists: each best first.
        k: how slowly the weight falls with the rank.
    """
    weights = {name: weight * len(lists) for name, weight in _shares(lists).items()}
    scores: dict[str, float] = {}
    for each in lists:
        order = each.scores if each.scale is None else ranked({**each.scale, **each.scores})
        for rank, chunk_id in enumerate(order, start=1):
            if chunk_id in each.scores:
                scores[chunk_id] = scores.get(chunk_id, 0.0) + weights[each.name] / (k + rank)
    return Fusion(
        scores=ranked(scores), details={"method": "reciprocal_rank", "weights": weights, "k": k}
    )


def _weighted_sum(
    lists: Sequence[ScoreList], stretched: Callable[[float, str], float]
) -> tuple[dict[str, float], dict[str, float]]:
    """The sum of each list's stretched scores times its share; the floor stretches to 0."""
    shares = _shares(lists)
    scores = dict.fromkeys((chunk_id for each in lists for chunk_id in each.scores), 0.0)
    for each in lists:
        for chunk_id, score in each.scores.items():
            scores[chunk_id] += shares[each.name] * stretched(score, each.name)
    return ranked(scores), shares


def _shares(lists: Sequence[ScoreList]) -> dict[str, float]:
    """Weights by name, summing to 1; equal ones where all are 0."""
    total = sum(each.weight for each in lists)
    if total <= 0.0:
        return {each.name: 1.0 / len(lists) for each in lists}
    return {each.name: each.weight / total for each in lists}


def _moments(scores: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation; zeros of nothing."""
    if not scores:
        return 0.0, 0.0
    mean = math.fsum(scores) / len(scores)
    return mean, math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / len(scores))
