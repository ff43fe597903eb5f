"""The searcher: rankings, scopes, bounds, and traces from which every score recomputes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from search_world import World

from ragmem.errors import UsageError
from ragmem.indexes.ranking import cosines_to
from ragmem.query import FirstLook, Proposal
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.retrieval.search import Ranking, Searcher, SearchSettings, WeightedSource
from ragmem.types import Candidate, Hit, Scope

ANYONE = Scope()
ANA = Scope(user="ana")


class BackwardsReranker:
    """Likes best what came last."""

    name = "backwards"

    def rerank(self, question: str, hits: Sequence[Hit]) -> list[float]:
        return [float(row) - 100.0 for row in range(len(hits))]


class Proposes:
    """Proposes nothing, under any name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def propose(self, look: FirstLook, *, k: int) -> Proposal:
        return Proposal(scores={})


WORDS = ("Green", "White", "Yellow", "Dark", "Young", "Broken")


@pytest.fixture
def world() -> World:
    world = World()
    world.add("tea", "Green tea is brewed at eighty degrees. Black tea needs boiling water.")
    world.add("coffee", "Coffee is roasted before it is ground. Espresso needs nine bars.")
    world.add("secret", "The secret tea recipe needs jasmine.", acl=frozenset({"user:ana"}))
    return world


def searcher(world: World, settings: SearchSettings | None = None, **parts: object) -> Searcher:
    return Searcher(
        embedder=world.embedder,
        dense=world.dense,
        lexical=world.lexical,
        chunks=world,
        reranker=parts.get("reranker", FeatureReranker()),  # type: ignore[arg-type]
        sources=parts.get("sources", ()),  # type: ignore[arg-type]
        settings=settings,
    )


@pytest.mark.parametrize("ranking", ["default", "lexical", "dense", "fused", "reranked"])
def test_every_ranking_finds_the_sentence_that_was_asked_for(
    world: World, ranking: Ranking
) -> None:
    found = searcher(world).search("black tea boiling water", k=3, scope=ANYONE, ranking=ranking)
    assert found.hits[0].text == "Black tea needs boiling water."
    best_first = [hit.score for hit in found.hits]
    assert best_first == sorted(best_first, reverse=True)
    for hit in found.hits:
        assert world.documents[hit.document_uri].text[hit.start : hit.end] == hit.text


@pytest.mark.parametrize("ranking", ["lexical", "dense", "fused", "reranked"])
def test_what_a_scope_may_not_see_is_neither_found_nor_scored(
    world: World, ranking: Ranking
) -> None:
    hidden = searcher(world).search("secret jasmine", k=9, scope=ANYONE, ranking=ranking)
    shown = searcher(world).search("secret jasmine", k=9, scope=ANA, ranking=ranking)
    assert "secret" not in {hit.document_uri for hit in hidden.hits}
    assert all("secret#0" not in stage.scores for stage in hidden.trace.stages)
    assert shown.hits[0].document_uri == "secret"


def test_every_score_recomputes_from_the_trace(world: World) -> None:
    settings = SearchSettings(candidates=2, rerank_candidates=2, default_ranking="reranked")
    search = searcher(world, settings, reranker=BackwardsReranker())
    trace = search.search("tea water", k=5, scope=ANYONE).trace
    dense, lexical, fused = (trace.stage(name) for name in ("dense", "lexical", "fused"))
    settling = {key for stage in (dense, lexical) for key in list(stage.scores)[:2]}
    scale = [dense.scores[key] for key in settling]
    low, high = min(scale), max(scale)
    assert fused.details["bounds"]["dense"] == (low, high)  # type: ignore[index]
    weight = fused.details["weights"]["dense"]  # type: ignore[index]
    assert weight == pytest.approx(0.6)
    for chunk_id, score in fused.scores.items():
        stretched = (dense.scores[chunk_id] - low) / (high - low)
        share = lexical.scores.get(chunk_id, 0.0) / max(lexical.scores.values())
        assert score == pytest.approx(weight * stretched + (1 - weight) * share)
    head = list(fused.scores)[:2]
    shift = trace.stage("reranked").details["tail_shift"]
    assert shift == -101.0
    expected = {head[0]: -100.0, head[1]: -99.0}
    expected |= {key: fused.scores[key] + shift for key in list(fused.scores)[2:5]}
    assert trace.stage("reranked").scores == pytest.approx(expected)


def test_hits_carry_the_components_of_their_score(world: World) -> None:
    found = searcher(world).search("tea water", k=4, scope=ANYONE, ranking="reranked")
    for hit in found.hits:
        assert hit.score == hit.scores["reranked"]
        for name in hit.scores:
            assert hit.scores[name] == found.trace.stage(name).scores[hit.chunk_id]
    assert {"dense", "lexical", "fused", "reranked"} <= found.hits[0].scores.keys()


def test_lexical_candidates_get_their_exact_similarity(world: World) -> None:
    found = searcher(world, SearchSettings(candidates=1)).search(
        "espresso tea tea degrees", k=1, scope=ANYONE, ranking="fused"
    )
    vector = world.embedder.embed_query("espresso tea tea degrees")
    dense, lexical = found.trace.stage("dense"), found.trace.stage("lexical")
    assert dense.scores.keys() >= lexical.scores.keys()
    assert dense.scores == pytest.approx(
        cosines_to(vector, world.dense.vectors(list(dense.scores)))
    )


def test_reciprocal_rank_is_an_option(world: World) -> None:
    settings = SearchSettings(fusion="reciprocal_rank", dense_weight=0.5, reciprocal_rank_k=10)
    trace = searcher(world, settings).search("tea", k=2, scope=ANYONE, ranking="fused").trace
    dense, lexical = list(trace.stage("dense").scores), list(trace.stage("lexical").scores)
    for chunk_id, score in trace.stage("fused").scores.items():
        ranks = [order.index(chunk_id) + 1 for order in (dense, lexical) if chunk_id in order]
        assert score == pytest.approx(sum(1 / (10 + rank) for rank in ranks))


def test_candidates_beyond_the_reranker_stay_below_those_it_read(world: World) -> None:
    settings = SearchSettings(rerank_candidates=2)
    search = searcher(world, settings, reranker=BackwardsReranker())
    fused = search.search("tea needs water", k=4, scope=ANYONE, ranking="fused").hits
    reranked = search.search("tea needs water", k=4, scope=ANYONE, ranking="reranked").hits
    ids = [hit.chunk_id for hit in fused]
    assert [hit.chunk_id for hit in reranked] == [ids[1], ids[0], *ids[2:]]


def test_chunks_the_store_no_longer_has_are_replaced_by_the_next_ones(world: World) -> None:
    best = searcher(world).search("black tea water", k=1, scope=ANYONE).hits[0]
    del world.chunks[best.chunk_id]
    found = searcher(world).search("black tea water", k=2, scope=ANYONE)
    assert len(found.hits) == 2
    assert best.chunk_id not in {hit.chunk_id for hit in found.hits}
    assert found.trace.stage("read").details["unreadable"] == (best.chunk_id,)


def test_a_near_duplicate_is_named_by_the_hit_it_repeats(world: World) -> None:
    text = " ".join(f"{word} leaves are dried and rolled by hand in spring" for word in WORDS)
    world.add("first", text, whole=True)
    world.add("second", text.replace("spring", "autumn", 1), whole=True)
    world.add("hidden", text + " again", whole=True, acl=frozenset({"user:ana"}))
    found = searcher(world).search("leaves rolled by hand", k=10, scope=ANYONE)
    shown = [hit for hit in found.hits if hit.document_uri in ("first", "second")]
    assert len(shown) == 1
    assert {shown[0].document_uri, *shown[0].near_duplicates} == {"first", "second"}
    assert len(found.trace.stage("read").details["collapsed"]) == 1  # type: ignore[arg-type]
    everything = SearchSettings(collapse_near_duplicates=False)
    found = searcher(world, everything).search("leaves rolled by hand", k=10, scope=ANYONE)
    assert {"first", "second"} <= {hit.document_uri for hit in found.hits}


def test_an_index_that_leaks_is_caught_when_chunks_are_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    leak = [Candidate(chunk_id="secret#0", score=1.0)]
    monkeypatch.setattr(world.dense, "search", lambda *args, **kwargs: leak)
    assert searcher(world).search("tea", k=3, scope=ANYONE, ranking="dense").hits == ()


def test_a_question_the_embedder_cuts_says_so(world: World) -> None:
    world.embedder.max_tokens = 3
    trace = searcher(world).search("tea " * 10, k=1, scope=ANYONE).trace
    assert trace.stage("embed").details["truncated_tokens"] == 7


@pytest.mark.parametrize("question", ["", " \n\t"])
def test_an_empty_question_is_refused(world: World, question: str) -> None:
    with pytest.raises(UsageError, match="empty"):
        searcher(world).search(question, k=1, scope=ANYONE)


def test_half_a_surrogate_pair_is_refused(world: World) -> None:
    with pytest.raises(UsageError, match="surrogate"):
        searcher(world).search("tea \ud83d", k=1, scope=ANYONE)


@pytest.mark.parametrize("k", [0, -1, 1001])
def test_k_has_bounds(world: World, k: int) -> None:
    with pytest.raises(UsageError, match="between 1 and 1000"):
        searcher(world).search("tea", k=k, scope=ANYONE)


def test_an_empty_store_finds_nothing() -> None:
    found = searcher(World()).search("tea", k=5, scope=ANYONE, ranking="reranked")
    assert found.hits == ()
    assert [stage.name for stage in found.trace.stages] == [
        "embed", "lexical", "dense", "fused", "read", "reranked",
    ]  # fmt: skip


def test_settings_that_cannot_be_followed_are_refused() -> None:
    with pytest.raises(UsageError, match="candidates"):
        SearchSettings(candidates=0)
    with pytest.raises(UsageError, match="dense_weight"):
        SearchSettings(dense_weight=1.5)


@pytest.mark.parametrize("names", [["dense"], ["fused"], ["lexical.2"], ["own", "own"]])
def test_a_source_with_a_name_that_is_taken_is_refused(world: World, names: list[str]) -> None:
    sources = [WeightedSource(source=Proposes(name), weight=0.5) for name in names]
    with pytest.raises(UsageError, match=f"called '{names[-1]}'"):
        searcher(world, sources=sources)
