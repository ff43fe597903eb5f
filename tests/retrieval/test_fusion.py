"""Fusion against its formulas, on ties, gaps and degenerate lists."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragmem.errors import UsageError
from ragmem.retrieval.fusion import (
    Fusion,
    FusionMethod,
    ScoreList,
    distribution_based,
    fuse,
    ranked,
    reciprocal_rank,
    unseen_score,
)
from ragmem.retrieval.fusion import min_max_convex as convex

SCORES = st.dictionaries(st.text("abcdef", min_size=1, max_size=2), st.floats(0.01, 50.0))


def min_max_convex(
    dense: dict[str, float], lexical: dict[str, float], *, dense_weight: float = 0.6
) -> Fusion:
    """A dense list, whose floor is unknown, and a lexical one."""
    return convex(
        [
            ScoreList(name="dense", scores=ranked(dense), weight=dense_weight),
            ScoreList(name="lexical", scores=ranked(lexical), weight=1 - dense_weight, floor=0.0),
        ]
    )


def in_order(name: str, *chunk_ids: str) -> ScoreList:
    """A list whose scores only say the order."""
    return ScoreList(
        name=name, scores={key: -float(at) for at, key in enumerate(chunk_ids)}, weight=1.0
    )


def test_convex_weights_stretched_scores() -> None:
    fusion = min_max_convex({"a": 0.8, "b": 0.5, "c": 0.2}, {"b": 10.0, "c": 5.0}, dense_weight=0.6)
    assert fusion.scores == pytest.approx({"a": 0.6, "b": 0.6 * 0.5 + 0.4, "c": 0.4 * 0.5})
    assert list(fusion.scores) == ["b", "a", "c"]


def test_a_missing_lexical_score_is_zero_and_a_missing_dense_score_the_minimum() -> None:
    fusion = min_max_convex({"a": 0.9, "b": 0.1}, {"x": 4.0}, dense_weight=0.5)
    assert fusion.scores == pytest.approx({"a": 0.5, "x": 0.5, "b": 0.0})


def test_equal_scores_are_ordered_by_chunk_id() -> None:
    assert list(min_max_convex({"b": 0.5, "a": 0.5, "c": 0.5}, {}).scores) == ["a", "b", "c"]
    assert list(reciprocal_rank([in_order("one", "b", "a"), in_order("two", "a", "b")]).scores) == [
        "a",
        "b",
    ]


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
    fusion = reciprocal_rank([in_order("one", "a", "b"), in_order("two", "b", "c")], k=60)
    assert fusion.scores == pytest.approx({"b": 1 / 62 + 1 / 61, "a": 1 / 61, "c": 1 / 62})


def test_weights_of_reciprocal_ranks_keep_their_sum() -> None:
    lists = [in_order("one", "a"), in_order("two", "b")]
    heavy = [ScoreList(name="one", scores={"a": 1.0}, weight=3.0), lists[1]]
    assert reciprocal_rank(heavy, k=1).scores == pytest.approx({"a": 1.5 / 2, "b": 0.5 / 2})


def test_distribution_based_scores_stand_within_three_deviations() -> None:
    scores = {"a": 3.0, "b": 2.0, "c": 1.0}
    deviation = (2 / 3) ** 0.5
    fusion = distribution_based([ScoreList(name="one", scores=scores, weight=2.0)])
    assert fusion.scores == pytest.approx(
        {key: (score - 2 + 3 * deviation) / (6 * deviation) for key, score in scores.items()}
    )
    alike = distribution_based([ScoreList(name="one", scores={"a": 1.0, "b": 1.0}, weight=1.0)])
    assert alike.scores == {"a": 0.5, "b": 0.5}
    assert distribution_based([]).scores == {}


def test_an_unknown_fusion_is_refused() -> None:
    with pytest.raises(UsageError, match="known are min_max_convex"):
        fuse([], method="best")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["min_max_convex", "distribution_based", "reciprocal_rank"])
def test_a_list_measured_by_the_scores_of_all_keeps_the_fused_scores(method: FusionMethod) -> None:
    dense = ranked({"a": 0.9, "b": 0.7, "c": 0.5, "d": 0.1})
    lexical = ranked({"b": 9.0, "c": 3.0, "e": 1.0})
    every = fuse(
        [
            ScoreList(name="dense", scores=dense, weight=0.6),
            ScoreList(name="lexical", scores=lexical, weight=0.4, floor=0.0),
        ],
        method=method,
    )
    some = fuse(
        [
            ScoreList(name="dense", scores={"b": 0.7, "c": 0.5}, weight=0.6, scale=dense),
            ScoreList(name="lexical", scores={"c": 3.0}, weight=0.4, floor=0.0, scale=lexical),
        ],
        method=method,
    )
    assert some.scores.keys() == {"b", "c"}
    assert some.scores["c"] == every.scores["c"]


def test_scores_outside_the_scale_keep_their_order() -> None:
    lists = [ScoreList(name="dense", scores={"a": 3.0, "b": 1.0}, weight=1.0, scale={"c": 2.0})]
    assert fuse(lists, method="min_max_convex").scores == {"a": 2.0, "b": 0.0}


@pytest.mark.parametrize("method", ["min_max_convex", "distribution_based", "reciprocal_rank"])
def test_no_chunk_beyond_the_lists_scores_more_than_the_threshold(method: FusionMethod) -> None:
    every = {
        "dense": ranked({"a": 0.9, "b": 0.7, "c": 0.5, "d": 0.4, "e": 0.3}),
        "lexical": ranked({"b": 9.0, "a": 6.0, "d": 5.0, "c": 3.0}),
    }
    whole = [
        ScoreList(name="dense", scores=every["dense"], weight=0.6),
        ScoreList(name="lexical", scores=every["lexical"], weight=0.4, floor=0.0),
    ]
    cut = [
        ScoreList(
            name=each.name,
            scores={key: score for key, score in each.scores.items() if key in ("a", "b")},
            weight=each.weight,
            floor=each.floor,
            scale=each.scores,
            unseen=each.scores["b" if each.name == "dense" else "a"],
        )
        for each in whole
    ]
    beyond = unseen_score(cut, method=method)
    assert beyond is not None
    assert all(fuse(whole, method=method).scores[key] <= beyond for key in "cde")
    assert unseen_score(whole, method=method) is None
