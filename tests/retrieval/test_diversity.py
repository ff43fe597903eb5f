"""Maximal marginal relevance, by hand and against picking one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragmem.errors import UsageError
from ragmem.query import Reranking
from ragmem.retrieval.diversity import DiverseReranker, marginal_relevance
from ragmem.types import FloatVector, Hit

VECTORS = {
    "first": np.array([1, 0], dtype=np.float32),
    "copy": np.array([1, 0], dtype=np.float32),
    "other": np.array([0, 1], dtype=np.float32),
    "opposite": np.array([-1, 0], dtype=np.float32),
}


def vectors_of(chunk_ids: Sequence[str]) -> Mapping[str, FloatVector]:
    return {chunk_id: VECTORS[chunk_id] for chunk_id in chunk_ids if chunk_id in VECTORS}


def hits(**scores: float) -> list[Hit]:
    plain = Hit(
        document_uri="a",
        document_title="",
        chunk_id="",
        text="a text",
        start=0,
        end=6,
        score=0,
        scores={},
    )
    return [replace(plain, chunk_id=name, score=score) for name, score in scores.items()]


class Doubling:
    """A reranker that explains itself."""

    name = "doubling"

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[float]:
        return list(self.explain(question, hits).scores)

    def explain(self, question: str, hits: Sequence[Hit]) -> Reranking:
        return Reranking(
            scores=tuple(2 * hit.score for hit in hits),
            parts=tuple({"component": hit.score} for hit in hits),
            constants={"factor": 2},
        )


class Silent:
    """A reranker that only scores."""

    name = "silent"

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[float]:
        return [-hit.score for hit in hits]


def test_a_copy_of_the_best_falls_behind_something_else() -> None:
    reranker = DiverseReranker(None, vectors_of, diversity=0.5)

    explained = reranker.explain("q", hits(first=0.9, copy=0.8, other=0.5, unknown=0.1))

    assert explained.scores == pytest.approx((0.5, 0.4375 - 0.5, 0.25, 0.0))
    assert [part["similarity"] for part in explained.parts] == pytest.approx([0, 1, 0, 0])
    assert reranker.name == "diversity"


def test_what_points_away_is_no_more_than_not_alike() -> None:
    explained = DiverseReranker(None, vectors_of, diversity=0.5).explain(
        "q", hits(first=1.0, opposite=0.5, other=0.0)
    )

    assert [part["similarity"] for part in explained.parts] == [0, 0, 0]


def test_the_score_recomputes_from_its_parts() -> None:
    reranker = DiverseReranker(Doubling(), vectors_of, diversity=0.3)

    explained = reranker.explain("q", hits(first=0.9, copy=0.8, other=0.5))

    low, high = explained.constants["bounds"]  # type: ignore[misc]
    assert explained.constants["factor"] == 2
    for score, part in zip(explained.scores, explained.parts, strict=True):
        assert part["reranked"] == 2 * part["component"]
        assert part["relevance"] == pytest.approx((part["reranked"] - low) / (high - low))
        assert score == pytest.approx(0.7 * part["relevance"] - 0.3 * part["similarity"])
    assert reranker.name == "doubling with diversity"


def test_without_diversity_the_order_is_the_rerankers() -> None:
    scores = DiverseReranker(Silent(), vectors_of, diversity=0).rerank("q", hits(first=3, copy=1))

    assert scores == [0, 1]


def test_scores_that_are_all_alike() -> None:
    scores = DiverseReranker(None, vectors_of, diversity=0.5).rerank("q", hits(first=1, copy=1))

    assert scores == [0.5, 0]


@pytest.mark.parametrize("diversity", [-0.1, 1.1, float("nan")])
def test_a_diversity_out_of_bounds_is_refused(diversity: float) -> None:
    with pytest.raises(UsageError, match="diversity is"):
        DiverseReranker(None, vectors_of, diversity=diversity)


@given(
    rows=st.lists(
        st.tuples(st.sampled_from([0, 0.25, 0.5, 1]), st.integers(-2, 2), st.integers(-2, 2)),
        max_size=8,
    ),
    diversity=st.sampled_from([0, 0.25, 0.5, 1]),
)
def test_sorting_by_the_scores_gives_the_picks(
    rows: list[tuple[float, int, int]], diversity: float
) -> None:
    relevance = np.array([row[0] for row in rows], dtype=np.float64)
    points = np.array([row[1:] for row in rows], dtype=np.float64).reshape(-1, 2)
    cosines = points @ points.T / 8
    picked: list[int] = []
    while len(picked) < len(rows):

        def marginal(row: int) -> float:
            alike = max([0.0, *(cosines[row, other] for other in picked)])
            return float((1 - diversity) * relevance[row] - diversity * alike)

        picked.append(max((row for row in range(len(rows)) if row not in picked), key=marginal))

    scores, _ = marginal_relevance(relevance, cosines, diversity=diversity)

    assert sorted(range(len(rows)), key=lambda row: -scores[row]) == picked
