"""The sparse source in a search: what it adds, and that its scores recompute."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import WordEncoder
from search_world import World

from ragmem.indexes.sparse import SparseIndex
from ragmem.query import FirstLook, Query, Wording
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.retrieval.search import Searcher, SearchSettings, WeightedSource
from ragmem.retrieval.sparse import SparseSource
from ragmem.types import PUBLIC, IndexEntry, Scope

TEXTS = {
    "tea": "Green tea is brewed at eighty degrees.",
    "coffee": "Coffee is brewed under pressure.",
    "secret": "The secret tea is jasmine.",
}


@pytest.fixture
def world() -> World:
    world = World()
    for uri, text in TEXTS.items():
        world.add(uri, text, acl=frozenset({"user:ana"}) if uri == "secret" else PUBLIC)
    return world


@pytest.fixture
def source(world: World, tmp_path: Path) -> SparseSource:
    index = SparseIndex(tmp_path / "sparse", WordEncoder())
    index.upsert(
        [
            IndexEntry(
                chunk_id=chunk_id,
                document_id=stored.document_id,
                tenant="default",
                acl=world.documents[stored.document_uri].acl,
                title="",
                text=stored.chunk.text,
                language="en",
                metadata={},
            )
            for chunk_id, stored in world.chunks.items()
        ]
    )
    index.commit()
    return SparseSource(index)


def test_what_others_found_has_its_exact_score(world: World, source: SparseSource) -> None:
    look = FirstLook(
        query=Query(question="brewed tea", wordings=(Wording(text="brewed tea"),)),
        vector=world.embedder.embed_query("brewed tea"),
        scores={"dense": {"coffee#0": 0.9, "tea#0": 0.8}, "lexical": {"unknown": 1.0}},
        scope=Scope(),
    )

    proposal = source.propose(look, k=1)

    assert proposal.scores == {"tea#0": 2.0, "coffee#0": 1.0}
    assert proposal.floor == 0.0
    assert proposal.details == {"candidates": 1, "filled": 1}


@pytest.mark.parametrize("user", [None, "ana"])
def test_a_search_finds_with_it_and_its_scores_recompute(
    world: World, source: SparseSource, user: str | None
) -> None:
    searcher = Searcher(
        embedder=world.embedder,
        dense=world.dense,
        lexical=world.lexical,
        chunks=world,
        reranker=FeatureReranker(),
        sources=[WeightedSource(source=source, weight=0.5)],
        settings=SearchSettings(default_ranking="fused"),
    )

    result = searcher.search("tea", scope=Scope(user=user))

    names = {hit.document_uri for hit in result.hits if "sparse" in hit.scores}
    assert names == ({"tea", "secret"} if user else {"tea"})
    fused = result.trace.stage("combined")
    weights, bounds = fused.details["weights"], fused.details["bounds"]
    assert isinstance(weights, dict)
    assert isinstance(bounds, dict)
    assert weights == pytest.approx({"lexical": 0.4 / 1.5, "dense": 0.6 / 1.5, "sparse": 0.5 / 1.5})
    for hit in result.hits:
        total = 0.0
        for name, weight in weights.items():
            low, high = bounds[name]
            score = hit.scores.get(name, low)
            total += weight * ((score - low) / (high - low) if high > low else 1.0)
        assert hit.score == pytest.approx(total)
