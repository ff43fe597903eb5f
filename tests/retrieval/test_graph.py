"""The graph of names over a real store: what it links, what it never shows, what it explains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from sync_bench import Bench, bench_at

from ragmem.filters import Filter, equals
from ragmem.ingestion.texts import TextDocuments
from ragmem.query import FirstLook, Proposal, Query, Wording
from ragmem.retrieval.graph import GraphSource
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.retrieval.search import Searcher, WeightedSource
from ragmem.store.names import MOST_LINKED
from ragmem.store.reader import StoreReader
from ragmem.types import ParsedDocument, RawDocument, Scope, SearchResult, TextDocument

QUESTION = "who directed the film shot in Tarvo"
FILMS = {
    "Tarvo": "Tarvo is a town on the coast. The film Iron Lake was shot there.",
    "Iron Lake (film)": "It was directed by Olga Berg and lasts two hours.",
    "Copper Hill": "A hill of no importance, far from any lake of iron.",
    "Quiet Valley": "A town in a valley with a film club.",
}


class TitledTexts:
    """A `Parser` for texts that come with titles."""

    fingerprint = "titled"

    def parse(self, raw: RawDocument) -> ParsedDocument:
        return ParsedDocument(text=str(raw.content), text_format="plain", title=raw.title or "")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path / "store", parser=TitledTexts()) as opened:
        yield opened


def add(bench: Bench, texts: Mapping[str, str], *, year: int = 0, **options: object) -> None:
    documents = [
        TextDocument(uri=title, title=title, text=text, metadata={"year": year})
        for title, text in texts.items()
    ]
    source = TextDocuments(documents, source_uri=f"texts:{next(iter(texts))}")
    assert bench.sync(source, **options).complete


def searcher(bench: Bench, *, weight: float = 1.0) -> Searcher:
    names = StoreReader(bench.store)
    graph = WeightedSource(source=GraphSource(names=names, dense=bench.dense), weight=weight)
    return Searcher(
        embedder=bench.embedder,
        dense=bench.dense,
        lexical=bench.lexical,
        chunks=names,
        reranker=FeatureReranker(),
        sources=[graph],
    )


def propose(
    bench: Bench,
    question: str,
    *,
    found: Mapping[str, float],
    scope: Scope | None = None,
    where: Filter | None = None,
) -> dict[str, float]:
    """What is proposed where the first look found these documents, by title."""
    return titles(bench, proposal(bench, question, found=found, scope=scope, where=where).scores)


def proposal(
    bench: Bench,
    question: str,
    *,
    found: Mapping[str, float],
    scope: Scope | None = None,
    where: Filter | None = None,
) -> Proposal:
    ids = {title: chunk_id for chunk_id, title in titles_of(bench).items()}
    look = FirstLook(
        query=Query(question=question, wordings=(Wording(text=question),), where=where),
        vector=bench.embedder.embed_query(question),
        scores={"fused": {ids[title]: score for title, score in found.items()}},
        scope=scope or Scope(),
    )
    return GraphSource(names=StoreReader(bench.store), dense=bench.dense).propose(look, k=100)


def titles_of(bench: Bench) -> dict[str, str]:
    return {key: entry.title.strip() for key, entry in bench.dense.entries().items()}


def titles(bench: Bench, scores: Mapping[str, float]) -> dict[str, float]:
    known = titles_of(bench)
    return {known[key]: score for key, score in scores.items()}


def test_a_passage_leads_to_the_one_that_it_mentions(bench: Bench) -> None:
    add(bench, FILMS)
    found = propose(bench, QUESTION, found={"Quiet Valley": 1.0, "Copper Hill": 0.5})
    assert found.keys() == {"Quiet Valley", "Copper Hill", "Tarvo", "Iron Lake (film)"}
    assert found["Iron Lake (film)"] > found["Quiet Valley"] > found["Copper Hill"]


def test_a_search_finds_what_the_best_passage_leads_to(bench: Bench) -> None:
    add(bench, FILMS)
    result = searcher(bench).search(QUESTION, scope=Scope())
    assert {hit.document_title for hit in result.hits[:2]} == {"Tarvo", "Iron Lake (film)"}


def test_titles_may_be_more_than_names(bench: Bench) -> None:
    add(bench, {"One": "it fell in the May floods of Tarvo", "May floods of Tarvo": "a disaster"})
    assert "May floods of Tarvo" in propose(bench, "what fell", found={"One": 1.0})


def test_a_title_that_is_an_everyday_word_links_nothing(bench: Bench) -> None:
    texts = {"One": "a study on Car Repair", "Two": "good car repair is rare", "Car repair": "x"}
    add(bench, texts)
    assert "Car repair" in propose(bench, "which study", found={"One": 1.0})
    assert propose(bench, "which study", found={"One": 1.0, "Two": 0.9}) == {}


def test_a_title_within_a_longer_one_is_not_meant(bench: Bench) -> None:
    add(bench, {"One": "born in Port Ilsen City", "Port Ilsen": "a town", "Port Ilsen City": "x"})
    assert "Port Ilsen" not in propose(bench, "born where", found={"One": 1.0})


def test_passages_without_titles_are_linked_by_rare_names(bench: Bench) -> None:
    pair = {"a": "an album by Olga Berg", "b": "he married Olga Berg in spring"}
    add(bench, pair)
    many = {f"m{number}": f"{number} times Ida Falk" for number in range(MOST_LINKED + 1)}
    add(bench, many)
    assert propose(bench, "her husband", found={"a": 1.0}).keys() == {"a", "b"}
    assert propose(bench, "how often", found={"m1": 1.0}) == {}


def test_of_several_passages_under_a_title_the_most_similar_is_meant(bench: Bench) -> None:
    town = "how many people live there\nwhere trains stop\nits coat of arms"
    add(bench, {"One": "born in Tarvo", "Tarvo": town})
    question = "how many people live there"
    meant = proposal(bench, question, found={"One": 1.0})
    texts = StoreReader(bench.store).read_chunks(list(meant.scores), scope=Scope())
    ranked = sorted(meant.scores, key=lambda each: -meant.scores[each])
    assert texts[ranked[0]].chunk.text == question


def test_a_document_does_not_lead_to_itself(bench: Bench) -> None:
    add(bench, {"Tarvo": "Tarvo has a port\nthe port of Tarvo is old\nships leave Tarvo"})
    assert propose(bench, "old ships", found={"Tarvo": 1.0}) == {}


def test_what_the_scope_does_not_see_carries_nothing(bench: Bench) -> None:
    add(bench, {"Tarvo": FILMS["Tarvo"]})
    add(bench, {"Iron Lake": "secret"}, acl=frozenset({"user:ana"}))
    add(bench, {"Olga Berg": "Iron Lake"}, tenant="other")
    seen = propose(bench, QUESTION, found={"Tarvo": 1.0}, scope=Scope(user="ana"))
    assert seen.keys() == {"Tarvo", "Iron Lake"}
    hidden = propose(bench, "Iron Lake in Tarvo", found={"Tarvo": 1.0})
    assert hidden.keys() == {"Tarvo"}
    result = searcher(bench).search("Iron Lake in Tarvo", scope=Scope())
    assert "Iron Lake" not in repr(result.trace.stage("graph").details["links"])


def test_what_the_filter_leaves_out_carries_nothing(bench: Bench) -> None:
    add(bench, {"Tarvo": FILMS["Tarvo"]}, year=1)
    add(bench, {"Iron Lake": "old"}, year=2)
    found = {"Tarvo": 1.0}
    assert "Iron Lake" in propose(bench, "shot where", found=found)
    assert propose(bench, "shot where", found=found, where=equals(year=1)) == {}
    assert propose(bench, "Iron Lake", found=found, where=equals(year=1)) == {}


def test_passages_that_the_question_names_are_seeds(bench: Bench) -> None:
    add(bench, FILMS)
    found = propose(bench, "how long is Iron Lake", found={"Quiet Valley": 1.0})
    assert max(found, key=lambda each: found[each]) == "Iron Lake (film)"


def test_nothing_linked_changes_nothing(bench: Bench) -> None:
    add(bench, {"one": "plain words of a text", "two": "other words of it", "three": "nothing"})
    result = searcher(bench, weight=5.0).search("which words", scope=Scope())
    assert result.trace.stage("graph").scores == {}
    order = list(result.trace.stage("fused").scores)
    assert [hit.chunk_id for hit in result.hits] == order


def test_an_empty_store_proposes_nothing(bench: Bench) -> None:
    assert propose(bench, QUESTION, found={}) == {}


def test_scores_recompute_from_the_trace(bench: Bench) -> None:
    add(bench, FILMS)
    result = searcher(bench).search(QUESTION, scope=Scope())
    assert result == _again(bench, result)
    graph, fused = result.trace.stage("graph"), result.trace.stage("fused")
    details = graph.details
    damping, seeds, named = details["damping"], details["seeds"], details["named"]
    links, sharpness = details["links"], details["sharpness"]
    assert isinstance(damping, float)
    assert isinstance(sharpness, float)
    assert isinstance(seeds, dict)
    assert isinstance(named, dict)
    assert isinstance(links, dict)
    assert links
    best = max(fused.scores.values())
    for chunk_id, mass in seeds.items():
        if chunk_id not in named:
            assert mass == pytest.approx((fused.scores[chunk_id] / best) ** sharpness)
    for chunk_id, score in graph.scores.items():
        expected = (1.0 - damping) * seeds.get(chunk_id, 0.0)
        if chunk_id in links:
            source, _, weight, spread = links[chunk_id]
            expected = damping * seeds[source] * weight / spread
        assert score == pytest.approx(expected)


def _again(bench: Bench, result: SearchResult) -> SearchResult:
    """The same search, with the times of the first: nothing else may differ."""
    again = searcher(bench).search(QUESTION, scope=Scope())
    assert again.hits == result.hits
    for one, other in zip(result.trace.stages, again.trace.stages, strict=True):
        assert (one.name, one.scores, one.details) == (other.name, other.scores, other.details)
    return result
