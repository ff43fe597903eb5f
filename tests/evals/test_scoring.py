"""Metrics and intervals: equal to the reference, and right on cases done by hand."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from ir_measures import R, nDCG

from evals.results import bootstrap_mean, median
from evals.retrieval import documents_of, score
from ragmem import Hit, SearchResult, Trace


def a_hit(uri: str, score: float) -> Hit:
    return Hit(
        document_uri=uri,
        document_title="",
        chunk_id=f"{uri}/{score}",
        text="",
        start=0,
        end=0,
        score=score,
        scores={},
    )


def test_a_document_ranks_where_its_best_chunk_does() -> None:
    hits = (a_hit("beir:a", 3), a_hit("beir:b", 2), a_hit("beir:a", 1), a_hit("beir:q", 1))
    ranked = documents_of(SearchResult(hits=hits, trace=Trace()), query_id="q")
    assert sorted(ranked, key=lambda name: -ranked[name]) == ["a", "b"]


def test_scores_by_hand() -> None:
    qrels = {"q1": {"a": 1, "b": 1}, "q2": {"c": 1}, "q3": {"d": 1}}
    run = {"q1": {"x": 3.0, "a": 2.0, "b": 1.0}, "q2": {"c": 1.0}}
    scores = score(qrels, run)
    ideal = 1 + 1 / np.log2(3)
    assert scores["ndcg@10"] == pytest.approx([(1 / np.log2(3) + 1 / np.log2(4)) / ideal, 1, 0])
    assert scores["recall@2"] == [0.5, 1.0, 0.0]
    assert scores["recall@100"] == [1.0, 1.0, 0.0]


def test_means_equal_the_reference() -> None:
    rng = np.random.default_rng(7)
    qrels = {
        f"q{q}": {f"d{d}": int(rng.integers(0, 3)) for d in rng.choice(200, 12, replace=False)}
        | {"d999": 1}
        for q in range(40)
    }
    run = {q: {f"d{d}": float(rng.normal()) for d in range(150)} for q in qrels}
    ours = score(qrels, run)
    reference = ir_measures.calc_aggregate([nDCG @ 10, R @ 100], qrels, run)
    assert np.mean(ours["ndcg@10"]) == pytest.approx(reference[nDCG @ 10], abs=1e-9)
    assert np.mean(ours["recall@100"]) == pytest.approx(reference[R @ 100], abs=1e-9)


def test_intervals_hold_the_mean_and_shrink_with_the_sample() -> None:
    rng = np.random.default_rng(0)
    small = bootstrap_mean(list(rng.normal(size=30)), seed=1)
    large = bootstrap_mean(list(rng.normal(size=3000)), seed=1)
    assert small.low < small.value < small.high
    # The interval of a mean is about 2 * 1.96 / sqrt(n) wide.
    assert small.high - small.low == pytest.approx(2 * 1.96 / np.sqrt(30), rel=0.3)
    assert large.high - large.low == pytest.approx(2 * 1.96 / np.sqrt(3000), rel=0.1)
    assert bootstrap_mean([0.5] * 9, seed=1) == bootstrap_mean([0.5] * 9, seed=2)


def test_a_median_is_no_mean() -> None:
    assert median([1.0, 2.0, 300.0], seed=0).value == 2.0
