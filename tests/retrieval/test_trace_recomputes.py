"""Every final score, and the order of the hits, is rebuilt from the trace alone.

The formulas are written out again here, so that the trace and not the code is what is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from search_world import World

from ragmem.filters import equals
from ragmem.query import FirstLook, Proposal, Query, Wording
from ragmem.retrieval.fusion import FusionMethod
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.retrieval.search import Ranking, Searcher, SearchSettings, WeightedSource
from ragmem.types import PUBLIC, FloatVector, Hit, IndexEntry, Scope, SearchResult, Stage

METHODS: tuple[FusionMethod, ...] = get_args(FusionMethod)
WORDS = ("green", "tea", "water", "black", "boils", "Coffee", "roasted", "spring", "leaves", "24")
LEAVES = " ".join(f"The {word} leaves are dried and rolled by hand in spring." for word in WORDS)
EVEN = equals(even=True)
Scores = Mapping[str, float]


def fused(stage: Stage, stages: Mapping[str, Stage]) -> Scores:
    """What a stage of fusion must have given, from the lists that it names."""
    total: dict[str, float] = {}
    for name, weight in _of(stage, "weights").items():
        stretch = _stretch(stage, name, stages)
        for chunk_id, score in stages[name].scores.items():
            total[chunk_id] = total.get(chunk_id, 0.0) + weight * stretch(chunk_id, score)
    return total


def _stretch(stage: Stage, name: str, stages: Mapping[str, Stage]) -> Callable[[str, float], float]:
    method = _of(stage, "method")
    if method == "reciprocal_rank":
        # A filter leaves gaps between the ranks.
        beside = stages[f"{name}.unfiltered"].scores if f"{name}.unfiltered" in stages else {}
        order = best_first({**beside, **stages[name].scores})
        return lambda chunk_id, _: 1.0 / (_of(stage, "k") + order.index(chunk_id) + 1)
    if method == "min_max_convex":
        low, high = _of(stage, "bounds")[name]
        return lambda _, score: (score - low) / (high - low) if high > low else 1.0 + score - high
    mean, deviation = _of(stage, "moments")[name]
    if deviation <= 0.0:
        return lambda *_: 0.5
    return lambda _, score: min(1.0, max(0.0, (score - mean) / (6.0 * deviation) + 0.5))


def reranked(stage: Stage, before: Scores, read: Sequence[str]) -> Scores:
    """What the closer look must have given; a reranker without parts is taken at its word."""
    head = read[: _of(stage, "candidates")]
    scores = {each: before[each] + _of(stage, "tail_shift") for each in read[len(head) :]}
    if "parts" not in stage.details:
        return scores | {each: stage.scores[each] for each in head}
    weights, every = _of(stage, "constants")["weights"], _of(stage, "parts")
    assert list(every) == list(head)
    for chunk_id, parts in every.items():
        assert parts["component"] == pytest.approx(before[chunk_id])
        scores[chunk_id] = sum(weights[name] * part for name, part in parts.items())
    return scores


def assert_recomputes(result: SearchResult, k: int) -> None:
    stages = {stage.name: stage for stage in result.trace.stages}
    assert len(stages) == len(result.trace.stages)
    order: Scores = next((stage.scores for stage in stages.values() if stage.scores), {})
    for stage in (stages[name] for name in ("fused", "combined") if name in stages):
        order = stage.scores
        assert list(order) == best_first(order)
        assert order == pytest.approx(fused(stage, stages))
    gone = {*_of(stages["read"], "unreadable"), *_of(stages["read"], "collapsed")}
    read = [each for each in order if each not in gone][: _of(stages["read"], "read")]
    if "reranked" in stages:
        order = reranked(stages["reranked"], order, read)
        assert stages["reranked"].scores == pytest.approx(order)
    expected = sorted((order[each] for each in read), reverse=True)[:k]
    assert [hit.score for hit in result.hits] == pytest.approx(expected)
    for hit in result.hits:
        assert hit.score == pytest.approx(order[hit.chunk_id])
        assert hit.scores == {
            stage.name: stage.scores[hit.chunk_id]
            for stage in stages.values()
            if hit.chunk_id in stage.scores and not stage.name.endswith(".unfiltered")
        }


def _of(stage: Stage, name: str) -> Any:
    return stage.details[name]


def best_first(scores: Scores) -> list[str]:
    return sorted(scores, key=lambda chunk_id: (-scores[chunk_id], chunk_id))


@dataclass
class Rewords:
    """Searches with other texts beside the question, or in its place."""

    wordings: Sequence[Wording]
    keep: bool
    name: str = "rewords"

    def transform(self, query: Query, *, scope: Scope) -> Query:
        kept = query.wordings if self.keep else ()
        return replace(query, wordings=(*kept, *self.wordings))


@dataclass
class Proposes:
    """Proposes chunks, found before or not, whatever is asked."""

    name: str
    scores: Scores
    floor: float | None = None
    looked: list[FloatVector] = field(default_factory=list)

    def propose(self, look: FirstLook, *, k: int) -> Proposal:
        self.looked.append(look.vector)
        return Proposal(scores=self.scores, floor=self.floor)


class Backwards:
    """Likes best what came last, and does not tell why."""

    name = "backwards"

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[float]:
        return [row - len(hits) / 2 for row in range(len(hits))]


TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(" ".join)
WORDINGS = st.builds(
    Wording,
    text=TEXTS,
    weight=st.floats(0.05, 2.0),
    index=st.sampled_from(["both", "dense", "lexical"]),
)


def world_of(texts: Sequence[str]) -> World:
    """One document a text, and three that are nearly the same; every other is `even`."""
    world = World()
    alike = [LEAVES.replace("spring", "autumn", number) for number in range(3)]
    for number, text in enumerate([*texts, *alike]):
        world.add(f"d{number}", text, whole=True)
        entry = IndexEntry(
            chunk_id=f"d{number}#0",
            document_id=f"d{number}",
            tenant="default",
            acl=PUBLIC,
            title="",
            text=text,
            language="en",
            metadata={"even": number % 2 == 0},
        )
        world.dense.upsert([entry], world.embedder.embed_documents([text]))
        world.lexical.upsert([entry])
    world.lexical.commit()
    return world


@st.composite
def results(draw: st.DrawFn, method: FusionMethod) -> tuple[SearchResult, int]:
    """What a search for at most k hits gives in some world, with something switched on."""
    world = world_of(draw(st.lists(TEXTS, max_size=9)))
    proposals = st.dictionaries(st.sampled_from(sorted(world.chunks)), st.floats(0.0, 9.0))
    sources = [
        WeightedSource(
            source=Proposes(name, draw(proposals), draw(st.sampled_from([None, 0.0, -1.0]))),
            weight=draw(st.floats(0.0, 1.5)),
        )
        for name in draw(st.sampled_from([(), ("graph",), ("graph", "feedback")]))
    ]
    wordings = draw(st.lists(WORDINGS, max_size=3))
    transforms = [Rewords(wordings, keep=not wordings or draw(st.booleans()))]
    searcher = Searcher(
        embedder=world.embedder,
        dense=world.dense,
        lexical=world.lexical,
        chunks=world,
        reranker=draw(st.sampled_from([FeatureReranker(), Backwards()])),
        transforms=draw(st.sampled_from([[], transforms])),
        sources=sources,
        settings=SearchSettings(
            candidates=draw(st.integers(1, 6)),
            fusion=method,
            dense_weight=draw(st.floats(0.0, 1.0)),
            reciprocal_rank_k=draw(st.sampled_from([1, 60])),
            default_ranking=draw(st.sampled_from(["lexical", "dense", "fused", "reranked"])),
            rerank_candidates=draw(st.integers(1, 6)),
            collapse_near_duplicates=draw(st.booleans()),
        ),
    )
    question, k = draw(TEXTS), draw(st.integers(1, 8))
    rankings: tuple[Ranking, ...] = ("default", "default", "fused", "reranked", "dense", "lexical")
    ranking, where = draw(st.sampled_from(rankings)), draw(st.sampled_from([None, EVEN]))
    return searcher.search(question, k=k, scope=Scope(), ranking=ranking, where=where), k


@pytest.mark.parametrize("method", METHODS)
def test_every_final_score_recomputes_from_the_trace(method: FusionMethod) -> None:
    @given(made=results(method))
    @settings(deadline=None, max_examples=60)
    def recomputes(made: tuple[SearchResult, int]) -> None:
        assert_recomputes(*made)

    recomputes()


def test_sources_start_from_the_vector_of_the_question_itself() -> None:
    world = world_of(["green tea", "black tea"])
    source = Proposes("graph", {"d0#0": 1.0})
    searcher = Searcher(
        embedder=world.embedder,
        dense=world.dense,
        lexical=world.lexical,
        chunks=world,
        reranker=Backwards(),
        transforms=[Rewords([Wording(text="coffee", index="lexical")], keep=False)],
        sources=[WeightedSource(source=source, weight=1.0)],
    )
    searcher.search("green tea", scope=Scope())
    assert source.looked[0] == pytest.approx(world.embedder.embed_query("green tea"))
