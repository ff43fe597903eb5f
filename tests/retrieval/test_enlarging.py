"""Hits that grow: exact text, one hit a place, never beyond scope, limit or section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pytest
from fakes import HashEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st
from search_world import World

from ragmem import Agent, Replacements, Settings, TextDocument
from ragmem.errors import UnknownDocument, UsageError
from ragmem.retrieval.enlarging import Enlarger
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.retrieval.search import Ranking, Searcher, SearchSettings
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import PUBLIC, Hit, PageSpan, Scope, StoredChunk

ANYONE = Scope()
ANA = Scope(user="ana")
SENTENCES = [
    f"Sentence number {name} says so." for name in ("one", "two", "three", "four", "five", "six")
]
TEXT = " ".join(SENTENCES)
To = Literal["sentences", "section"]


@dataclass
class Library(World):
    """A world that knows what stands around a chunk; headings are given by hand."""

    asked: list[str] = field(default_factory=list)

    def neighbours(self, chunk_id: str, *, characters: int, scope: Scope) -> Sequence[StoredChunk]:
        self.asked.append(chunk_id)
        own = self.read_chunks([chunk_id], scope=scope).get(chunk_id)
        if own is None:
            return []
        return [
            each
            for each in self.chunks.values()
            if each.document_id == own.document_id
            and each.chunk.start >= own.chunk.end - characters
            and each.chunk.end <= own.chunk.start + characters
        ]

    def put_under(self, uri: str, headings: Sequence[tuple[str, ...]]) -> None:
        """Say under which headings a document's chunks stand."""
        own = [key for key, each in self.chunks.items() if each.document_uri == uri]
        for key, path in zip(own, headings, strict=True):
            stored = self.chunks[key]
            self.chunks[key] = replace(stored, chunk=replace(stored.chunk, heading_path=path))

    def hit(self, uri: str, number: int, *, score: float = 1.0) -> Hit:
        """The chunk of a document with this number as a hit."""
        stored = [each for each in self.chunks.values() if each.document_uri == uri][number]
        chunk = stored.chunk
        return Hit(
            document_uri=uri,
            document_title="",
            chunk_id=stored.id,
            text=chunk.text,
            start=chunk.start,
            end=chunk.end,
            score=score,
            scores={"fused": score},
            heading_path=chunk.heading_path,
            page=self.page_at(uri, chunk.start, scope=ANA),
        )


@pytest.fixture
def library() -> Library:
    library = Library()
    library.add("six", TEXT)
    return library


def enlarged(
    library: Library,
    hits: Sequence[Hit],
    *,
    to: To = "section",
    characters: int = 2000,
    sentences: int = 1,
    wanted: int = 10,
    scope: Scope = ANYONE,
) -> list[Hit]:
    enlarger = Enlarger(documents=library, to=to, sentences=sentences, characters=characters)
    return enlarger.enlarge(hits, wanted=wanted, scope=scope, trace=TraceBuilder())


def test_a_hit_grows_to_its_whole_section(library: Library) -> None:
    headings = [("A",), ("A", "B"), ("A", "B"), ("A", "B", "C"), ("A", "D"), ("A", "D")]
    library.put_under("six", headings)
    (hit,) = enlarged(library, [library.hit("six", 2)])
    assert hit.text == " ".join(SENTENCES[1:4])
    assert TEXT[hit.start : hit.end] == hit.text
    (outer,) = enlarged(library, [library.hit("six", 0)])
    assert outer.text == TEXT


def test_hits_in_one_section_become_one_with_the_best_score(library: Library) -> None:
    library.put_under("six", [("A",)] * 3 + [("B",)] * 3)
    hits = [library.hit("six", n, score=s) for n, s in ((1, 0.9), (4, 0.8), (0, 0.7), (5, 0.6))]
    one, two = enlarged(library, hits)
    assert (one.score, one.scores, one.chunk_id) == (0.9, {"fused": 0.9}, hits[0].chunk_id)
    assert one.text == " ".join(SENTENCES[:3])
    assert list(one.matched) == [hits[0].chunk_id, hits[2].chunk_id]
    assert [TEXT[start:end] for start, end in one.matched.values()] == [SENTENCES[1], SENTENCES[0]]
    assert two.text == " ".join(SENTENCES[3:])
    assert (two.score, list(two.matched)) == (0.8, [hits[1].chunk_id, hits[3].chunk_id])


def test_a_section_beyond_the_limit_is_shown_around_the_hit(library: Library) -> None:
    (hit,) = enlarged(library, [library.hit("six", 2)], characters=110)
    assert hit.text == " ".join(SENTENCES[1:4])
    (first,) = enlarged(library, [library.hit("six", 0)], characters=110)
    assert first.text == " ".join(SENTENCES[:3])
    (alone,) = enlarged(library, [library.hit("six", 0)], characters=5)
    assert (alone.text, list(alone.matched)) == (SENTENCES[0], [alone.chunk_id])


def test_no_text_is_shown_twice(library: Library) -> None:
    hits = [library.hit("six", 0), library.hit("six", 3)]
    one, two = enlarged(library, hits, characters=75)
    assert one.text == " ".join(SENTENCES[:2])
    assert two.text == " ".join(SENTENCES[2:4])
    assert [hit.text for hit in enlarged(library, hits, characters=75, wanted=1)] == [one.text]


def test_a_hit_grows_by_sentences_inside_its_section(library: Library) -> None:
    library.add("long", f"First half. {TEXT} Second half.", whole=True)
    library.put_under("six", [("A",)] * 2 + [("B",)] * 4)
    (hit,) = enlarged(library, [library.hit("six", 3)], to="sentences")
    assert hit.text == " ".join(SENTENCES[2:5])
    (hit,) = enlarged(library, [library.hit("six", 2)], to="sentences")
    assert hit.text == " ".join(SENTENCES[2:4])
    (hit,) = enlarged(library, [library.hit("six", 3)], to="sentences", sentences=9)
    assert hit.text == " ".join(SENTENCES[2:])


def test_the_page_is_that_of_the_first_character() -> None:
    library = Library()
    pages = (
        PageSpan(number=1, start=0, end=len(SENTENCES[0])),
        PageSpan(number=2, start=len(SENTENCES[0]), end=len(TEXT)),
    )
    library.add("paged", TEXT, pages=pages)
    (hit,) = enlarged(library, [library.hit("paged", 2)])
    assert (hit.start, hit.page) == (0, 1)
    (hit,) = enlarged(library, [library.hit("paged", 3)], to="sentences")
    assert (hit.start, hit.page) == (library.hit("paged", 2).start, 2)


def test_what_changed_meanwhile_stays_as_it_was_found(library: Library) -> None:
    hit = library.hit("six", 2)
    library.documents["six"] = replace(library.documents["six"], text="x" * 500)
    assert enlarged(library, [hit])[0].text == hit.text
    library.chunks.clear()
    assert enlarged(library, [hit])[0].text == hit.text

    class Gone(Library):
        def read_span(self, document_uri: str, start: int, end: int, *, scope: Scope) -> str:
            raise UnknownDocument(document_uri)

    gone = Gone()
    gone.add("six", TEXT)
    assert enlarged(gone, [hit])[0].text == hit.text


def test_nothing_out_of_sight_is_read(library: Library) -> None:
    library.add("secret", TEXT, acl=frozenset({"user:ana"}))
    hit = library.hit("secret", 2)
    assert enlarged(library, [hit], scope=ANYONE)[0].text == hit.text
    assert enlarged(library, [hit], scope=ANA)[0].text == TEXT


@pytest.mark.parametrize("name", ["sentences", "characters"])
def test_counts_below_one_are_refused(library: Library, name: str) -> None:
    with pytest.raises(UsageError, match=name):
        Enlarger(documents=library, to="section", **{name: 0})  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    paths=st.lists(st.sampled_from([(), ("A",), ("A", "B"), ("C",)]), min_size=12, max_size=12),
    order=st.permutations(range(12)),
    to=st.sampled_from(["sentences", "section"]),
    characters=st.integers(1, 500),
    wanted=st.integers(1, 12),
)
def test_invariants(
    paths: list[tuple[str, ...]], order: list[int], to: To, characters: int, wanted: int
) -> None:
    library = Library()
    for uri in ("one", "two"):
        library.add(uri, TEXT)
        library.put_under(uri, paths[:6] if uri == "one" else paths[6:])
    found = [library.hit(uri, n) for uri in ("one", "two") for n in range(6)]
    hits = [replace(found[place], score=1.0 - rank) for rank, place in enumerate(order)]
    grown = enlarged(library, hits, to=to, characters=characters, wanted=wanted)
    assert 1 <= len(grown) <= wanted
    assert [hit.score for hit in grown] == sorted((hit.score for hit in grown), reverse=True)
    covered: set[tuple[str, int]] = set()
    for hit in grown:
        assert hit.text == TEXT[hit.start : hit.end]
        assert len(hit.text) <= max(characters, len(max(SENTENCES, key=len)))
        assert next(iter(hit.matched)) == hit.chunk_id
        assert all(hit.start <= low < high <= hit.end for low, high in hit.matched.values())
        own = {(hit.document_uri, at) for at in range(hit.start, hit.end)}
        assert not covered & own
        covered |= own
    matched = [chunk_id for hit in grown for chunk_id in hit.matched]
    assert len(matched) == len(set(matched))
    if wanted == 12:
        assert set(matched) == {hit.chunk_id for hit in hits}


@pytest.mark.parametrize("ranking", ["default", "fused"])
def test_only_the_default_ranking_enlarges(library: Library, ranking: Ranking) -> None:
    searcher = Searcher(
        embedder=library.embedder,
        dense=library.dense,
        lexical=library.lexical,
        chunks=library,
        reranker=FeatureReranker(),
        enlarger=Enlarger(documents=library, to="section"),
        settings=SearchSettings(default_ranking="reranked"),
    )
    result = searcher.search("sentence number three", k=2, scope=ANYONE, ranking=ranking)
    if ranking == "fused":
        assert result.hits[0].text == SENTENCES[2]
        assert result.hits[0].matched == {}
        assert "enlarged" not in [stage.name for stage in result.trace.stages]
        return
    (hit,) = result.hits
    assert (hit.text, len(hit.matched)) == (TEXT, 6)
    stage = result.trace.stage("enlarged")
    assert stage.scores == {hit.chunk_id: hit.score}
    assert stage.details["spans"] == {hit.chunk_id: (0, len(TEXT))}
    assert set(stage.details["joined"]) == set(hit.matched) - {hit.chunk_id}  # type: ignore[call-overload]


@pytest.mark.parametrize("chunking", ["structure", "sentences", "semantic"])
def test_every_chunking_can_be_enlarged_to_its_section(
    tmp_path: Path, chunking: Literal["structure", "sentences", "semantic"]
) -> None:
    parts = [
        f"## Part {name}\n\n"
        + " ".join(f"The {name} has the colour {n} of {name} number {n}." for n in range(20))
        for name in ("kettle", "toaster", "lamp")
    ]
    text = "# Manual\n\n" + "\n\n".join(parts)
    secret = TextDocument(
        uri="note:secret", text=text, text_format="markdown", acl=frozenset({"user:ana"})
    )
    public = replace(secret, uri="note:manual", text=f"{text}\n\nThe end is near.", acl=PUBLIC)
    chosen = Settings(chat_model="", chunking=chunking, chunk_tokens=60, enlarge="section")
    replacements = Replacements(embedder=HashEmbedder())
    with Agent.open(tmp_path / "store", settings=chosen, replacements=replacements) as agent:
        agent.knowledge.add_texts([secret, public])
        hits = agent.knowledge.search("colour 7 of toaster", k=3).hits
        seen = agent.knowledge.search("colour 7 of toaster", k=3, scope=ANA).hits
    assert {hit.document_uri for hit in hits} == {"note:manual"}
    assert hits[0].text == parts[1]
    assert hits[0].heading_path == ("Manual", "Part toaster")
    assert all(public.text[hit.start : hit.end] == hit.text for hit in hits)
    assert seen[0].text == parts[1]
