"""Metrics: equal to the reference, and right on cases done by hand."""

from __future__ import annotations

import ir_measures
import numpy as np
import pytest
from ir_measures import R, nDCG

from evals.beir_data import BeirData
from evals.retrieval import COMPARED, RANKINGS, documents_of, evaluate, score
from ragmem import Agent, Hit, SearchResult, Trace


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


def test_every_ranking_is_scored_and_compared(agent: Agent, data: BeirData) -> None:
    metrics = evaluate(
        agent, data, seed=0, progress=lambda *_: None, compared_by=("ndcg@10", "recall@5")
    )
    names = ("ndcg@10", "recall@2", "recall@5", "recall@10", "recall@100", "latency_ms_p50")
    alone = {f"{ranking}.{name}" for ranking in RANKINGS for name in names}
    compared = {
        f"{ours}-{theirs}.{name}" for ours, theirs in COMPARED for name in ("ndcg@10", "recall@5")
    }
    assert metrics.keys() == alone | compared
    for ours, theirs in COMPARED:
        gain = metrics[f"{ours}-{theirs}.ndcg@10"]
        expected = metrics[f"{ours}.ndcg@10"].value - metrics[f"{theirs}.ndcg@10"].value
        assert gain.value == pytest.approx(expected)
        assert gain.low <= gain.value <= gain.high
        assert gain.n == len(data.queries)
