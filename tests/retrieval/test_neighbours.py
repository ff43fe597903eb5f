"""Candidates that are alike support each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from ragmem.query import FirstLook, Query, Wording
from ragmem.retrieval.neighbours import CANDIDATES, NeighbourSource, neighbours_means
from ragmem.types import FloatMatrix, FloatVector, Scope


def rows(*values: Sequence[float]) -> FloatMatrix:
    matrix = np.array(values, dtype=np.float32)
    return (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)


def look(fused: Mapping[str, float]) -> FirstLook:
    return FirstLook(
        query=Query(question="tea", wordings=(Wording(text="tea"),)),
        vector=rows([1.0, 0.0])[0],
        scores={"fused": fused},
        scope=Scope(),
    )


def source(vectors: Mapping[str, FloatVector], neighbours: int = 10) -> NeighbourSource:
    return NeighbourSource(
        lambda ids: {key: vectors[key] for key in ids if key in vectors}, neighbours=neighbours
    )


def test_the_mean_is_weighted_by_the_cosine() -> None:
    vectors = rows([1, 0], [1, 1], [0, 1])
    means = neighbours_means(vectors, np.array([0.2, 0.6, 1.0], dtype=np.float32), neighbours=2)
    cosine = 2**-0.5
    assert means[0] == pytest.approx(0.6)  # its other neighbour is like it in nothing
    assert means[1] == pytest.approx((cosine * 0.2 + cosine * 1.0) / (2 * cosine))
    assert means[2] == pytest.approx(0.6)


def test_only_the_nearest_count() -> None:
    vectors = rows([1, 0], [1, 0.1], [1, 0.5], [1, 0.6])
    scores = np.array([0.0, 1.0, 0.5, 0.25], dtype=np.float32)
    assert neighbours_means(vectors, scores, neighbours=1) == pytest.approx([1.0, 0.0, 0.25, 0.5])


def test_a_row_like_no_other_keeps_its_score() -> None:
    vectors = rows([1, 0, 0], [0, 1, 0], [-1, 0, 0])
    scores = np.array([0.9, 0.4, 0.1], dtype=np.float32)
    assert neighbours_means(vectors, scores, neighbours=2) == pytest.approx(scores)


def test_what_stands_among_good_candidates_rises() -> None:
    vectors = dict(zip("abcde", rows([1, 0], [1, 0.1], [1, 0.05], [0, 1], [0.1, 1]), strict=True))
    fused = {"a": 0.9, "b": 0.8, "d": 0.5, "c": 0.4, "e": 0.1}
    scores = source(vectors, 2).propose(look(fused), k=10).scores
    assert scores.keys() == fused.keys()
    assert scores["c"] > scores["d"]


def test_candidates_without_a_vector_and_those_too_many_are_left_out() -> None:
    vectors = {str(number): rows([1, number])[0] for number in range(CANDIDATES + 5)}
    fused = {"gone": 2.0} | {key: 1.0 - int(key) / 1000 for key in vectors}
    proposal = source(vectors).propose(look(fused), k=10)
    assert set(proposal.scores) == {str(number) for number in range(CANDIDATES - 1)}
    assert proposal.floor == 0.0
    assert proposal.details["candidates"] == CANDIDATES - 1


@pytest.mark.parametrize("fused", [{}, {"a": 0.7}])
def test_one_candidate_alone_keeps_its_score(fused: dict[str, float]) -> None:
    assert source({"a": rows([1, 0])[0]}).propose(look(fused), k=10).scores == fused
