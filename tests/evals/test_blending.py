"""Blending again what a search found: the same order as searching again."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from evals.beir_data import BeirData
from evals.retrieval import ranked_documents
from evals.tuning.blending import NEUTRAL, blend, collect, grids, overrides
from ragmem import Agent, Settings


def quiet(_stage: str, _done: int, _total: int) -> None:
    """Report nothing."""


CHANGES: list[dict[str, object]] = [
    {"dense_weight": 0.5},
    {"dense_weight": 0.2},
    {"dense_weight": 1.0},
    {"dense_weight": 0.0},
    {"dense_weight": 0.7, "fusion": "reciprocal_rank"},
    {"dense_weight": 0.3, "fusion": "distribution_based"},
]


WITHOUT_SOURCES: dict[str, object] = {"graph": False, "neighbours_weight": 0.0}


def test_it_equals_a_search_with_these_settings(
    agent: Agent, data: BeirData, open_agent: Callable[[Settings], Agent]
) -> None:
    agent.close()
    neutral = {**NEUTRAL, **WITHOUT_SOURCES}
    with open_agent(Settings(**neutral)) as plain:  # type: ignore[arg-type]
        collected = collect(plain, data, progress=quiet)
    for changed in CHANGES:
        settings = Settings(**{**neutral, **changed})  # type: ignore[arg-type]
        with open_agent(settings) as other:
            searched = ranked_documents(other, data, progress=quiet, k=100)
        assert blend(collected, settings) == searched, changed


def test_sources_are_weighed_again_as_they_proposed(
    agent: Agent, data: BeirData, open_agent: Callable[[Settings], Agent]
) -> None:
    collected = collect(agent, data, progress=quiet)
    agent.close()
    assert "neighbours" in collected.sources
    for weight in (0.1, 0.7):
        settings = Settings(**{**NEUTRAL, "neighbours_weight": weight})  # type: ignore[arg-type]
        with open_agent(settings) as other:
            searched = ranked_documents(other, data, progress=quiet, k=100)
        assert blend(collected, settings) == searched


def test_grids_grow_and_begin_with_the_settings_as_they_are() -> None:
    base = Settings(dense_weight=0.6, sparse_weight=0.4)
    smallest, *_, largest = found = grids(base, ["sparse"])
    assert smallest == [base]
    assert [len(grid) for grid in found] == [1, 11, 33, 33 + 11 * 2]
    for smaller, larger in pairwise(found):
        assert larger[: len(smaller)] == smaller
    assert {"sparse_weight": 0.8} in [overrides(each, base) for each in largest]
    assert len(set(largest)) == len(largest)
