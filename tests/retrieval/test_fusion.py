"""Fusion against its formulas, on ties, gaps and degenerate lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragmem.retrieval.fusion import min_max_convex, reciprocal_rank

SCORES = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.floats(0.01, 50.0))


def test_convex_weights_stretched_scores() -> None:
    fusion = min_max_convex({"a": 0.8, "b": 0.5, "c": 0.2}, {"b": 10.0, "c": 5.0}, dense_weight=0.6)
    assert fusion.scores == pytest.approx({"a": 0.6, "b": 0.6 * 0.5 + 0.4, "c": 0.4 * 0.5})
    assert list(fusion.scores) == ["b", "a", "c"]


def test_a_missing_lexical_score_is_zero_and_a_missing_dense_score_the_minimum() -> None:
    fusion = min_max_convex({"a": 0.9, "b": 0.1}, {"x": 4.0}, dense_weight=0.5)
    assert fusion.scores == pytest.approx({"a": 0.5, "x": 0.5, "b": 0.0})


def test_equal_scores_are_ordered_by_chunk_id() -> None:
    assert list(min_max_convex({"b": 0.5, "a": 0.5, "c": 0.5}, {}).scores) == ["a", "b", "c"]
    assert list(reciprocal_rank([["b", "a"], ["a", "b"]]).scores) == ["a", "b"]


def test_nothing_found_fuses_to_nothing() -> None:
    assert min_max_convex({}, {}).scores == {}
    assert reciprocal_rank([]).scores == {}


def test_one_list_alone_keeps_its_order() -> None:
    assert list(min_max_convex({}, {"a": 1.0, "b": 3.0}).scores) == ["b", "a"]
    assert list(min_max_convex({"a": -0.2, "b": -0.1}, {}).scores) == ["b", "a"]


@given(dense=SCORES, lexical=SCORES, weight=st.floats(0.0, 1.0))
def test_convex_scores_lie_between_zero_and_one_and_come_sorted(
    dense: dict[str, float], lexical: dict[str, float], weight: float
) -> None:
    fusion = min_max_convex(dense, lexical, dense_weight=weight)
    values = list(fusion.scores.values())
    assert fusion.scores.keys() == dense.keys() | lexical.keys()
    assert values == sorted(values, reverse=True)
    assert all(-1e-9 <= value <= 1.0 + 1e-9 for value in values)


@given(dense=SCORES, lexical=SCORES, factor=st.floats(0.5, 20.0))
def test_the_scale_of_a_list_does_not_matter(
    dense: dict[str, float], lexical: dict[str, float], factor: float
) -> None:
    scaled = {chunk_id: score * factor for chunk_id, score in lexical.items()}
    assert min_max_convex(dense, scaled).scores == pytest.approx(
        min_max_convex(dense, lexical).scores
    )


def test_reciprocal_rank_adds_over_the_rankings() -> None:
    fusion = reciprocal_rank([["a", "b"], ["b", "c"]], k=60)
    assert fusion.scores == pytest.approx({"b": 1 / 62 + 1 / 61, "a": 1 / 61, "c": 1 / 62})
