"""Pseudo-relevance feedback: the formula, and that scope and filter hold in its search."""

from __future__ import annotations

import numpy as np
import pytest
from search_world import World

from ragmem.query import FirstLook, Query, Wording
from ragmem.retrieval.feedback import FeedbackSource, moved
from ragmem.types import Scope

QUESTION = "Green tea"


def vector(*values: float) -> np.ndarray:  # type: ignore[type-arg]
    return np.array(values, dtype=np.float32)


@pytest.fixture
def world() -> World:
    world = World()
    world.add("tea", "Green tea is brewed at eighty degrees. It steeps two minutes.")
    world.add("pot", "A kettle heats water to eighty degrees in two minutes.")
    world.add("secret", "Brewed at eighty degrees by Ana.", acl=frozenset({"user:ana"}))
    return world


def look(world: World, fused: dict[str, float], scope: Scope) -> FirstLook:
    query = Query(question=QUESTION, wordings=(Wording(text=QUESTION),))
    asked = world.embedder.embed_query(QUESTION)
    return FirstLook(query=query, vector=asked, scores={"fused": fused}, scope=scope)


def test_the_vector_moves_towards_the_weighted_mean() -> None:
    found = moved(vector(1, 0), np.stack([vector(0, 1), vector(1, 0)]), vector(3, 1), share=0.5)
    expected = vector(0.5 + 0.5 * 0.25, 0.5 * 0.75)
    assert found == pytest.approx(expected / np.linalg.norm(expected))
    even = moved(vector(1, 0), np.stack([vector(0, 1), vector(1, 0)]), vector(0, 0), share=1.0)
    assert even == pytest.approx(vector(2**-0.5, 2**-0.5))
    assert moved(vector(1, 0), vector(-1, 0)[np.newaxis], vector(1), share=0.5) == pytest.approx(
        vector(1, 0)
    )


def test_every_score_is_the_cosine_to_the_moved_vector(world: World) -> None:
    source = FeedbackSource(world.dense, believed=1, share=0.4)
    fused = {"tea#0": 0.9, "pot#0": 0.1}
    proposal = source.propose(look(world, fused, Scope()), k=1)
    best = world.dense.vectors(["tea#0"])["tea#0"]
    asked = world.embedder.embed_query(QUESTION)
    expected = moved(asked, best[np.newaxis], vector(0.9), share=0.4)
    assert proposal.scores.keys() == fused.keys()
    for chunk_id, score in proposal.scores.items():
        cosine = float(world.dense.vectors([chunk_id])[chunk_id] @ expected)
        assert score == pytest.approx(cosine, abs=1e-5)
    assert proposal.details["believed"] == {"tea#0": 0.9}


def test_nothing_out_of_sight_is_proposed(world: World) -> None:
    source = FeedbackSource(world.dense)
    seen = source.propose(look(world, {"tea#0": 0.9}, Scope(user="ana")), k=10).scores
    unseen = source.propose(look(world, {"tea#0": 0.9}, Scope()), k=10).scores
    assert "secret#0" in seen
    assert "secret#0" not in unseen


@pytest.mark.parametrize("fused", [{}, {"gone": 1.0}])
def test_without_candidates_there_is_no_feedback(world: World, fused: dict[str, float]) -> None:
    assert FeedbackSource(world.dense).propose(look(world, fused, Scope()), k=5).scores == {}
