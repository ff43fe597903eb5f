"""How many hits are wanted changes no score: sources see as much of a search as ever."""

from __future__ import annotations

import random

import pytest
from search_world import World

from ragmem.retrieval.feedback import FeedbackSource
from ragmem.retrieval.neighbours import NeighbourSource
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.retrieval.search import Searcher, SearchSettings, WeightedSource
from ragmem.types import Scope

WORDS = [f"word{number}" for number in range(30)]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("ranking", ["fused", "reranked"])
def test_the_first_hits_are_the_same_however_many_are_wanted(ranking: str, exact: bool) -> None:
    chance = random.Random(7)
    world = World()
    for number in range(120):
        world.add(f"n:{number}", " ".join(chance.choices(WORDS, k=8)), whole=True)
    sources = [
        WeightedSource(source=FeedbackSource(world.dense), weight=0.5),
        WeightedSource(source=NeighbourSource(world.dense.vectors), weight=0.5),
    ]
    searcher = Searcher(
        embedder=world.embedder,
        dense=world.dense,
        lexical=world.lexical,
        chunks=world,
        reranker=FeatureReranker(),
        sources=sources,
        settings=SearchSettings(
            candidates=10,
            rerank_candidates=8,
            default_ranking=ranking,  # type: ignore[arg-type]
        ),
    )
    question = "word1 word5 word9"
    few = searcher.search(question, k=5, scope=Scope()).hits
    assert few[0].scores.keys() >= {"feedback", "neighbours"}
    for k in (10, 11, 40, 120):
        many = searcher.search(question, k=k, scope=Scope(), exact=exact).hits
        assert [(hit.chunk_id, hit.score) for hit in many[:5]] == [
            (hit.chunk_id, hit.score) for hit in few
        ]
