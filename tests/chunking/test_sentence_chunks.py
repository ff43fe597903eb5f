"""Chunks of sentences, one each or cut where the subject changes, and choosing a chunker."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from fakes import HashEmbedder
from hypothesis import given, settings
from hypothesis import strategies as st

from ragmem.chunking.choosing import chosen_chunker
from ragmem.chunking.semantic import SemanticChunker
from ragmem.chunking.sentence_chunks import SentenceChunker
from ragmem.chunking.structure import StructureChunker
from ragmem.errors import UsageError
from ragmem.ports import Chunker
from ragmem.types import Chunk, PageSpan, ParsedDocument, TextFormat

ANIMALS = ["cat", "dog", "horse", "cow", "sheep", "goat", "pig", "hen", "duck", "goose"]
METALS = ["iron", "copper", "zinc", "tin", "lead", "gold", "silver", "nickel", "cobalt", "steel"]


class PieceEmbedder(HashEmbedder):
    """Counts as a subword tokenizer might: up to four letters a token, each mark one."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"\w{1,4}|[^\w\s]", text)) for text in texts]


class GreedyEmbedder(HashEmbedder):
    """Anything but additive: every text costs three tokens more than its parts."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.encode()) // 3 + 3 for text in texts]


def prose(words: Sequence[str], sentences: int, seed: int = 0, length: int = 10) -> str:
    chooser = random.Random(seed)
    return " ".join(
        " ".join(chooser.choices(words, k=length)).capitalize() + "." for _ in range(sentences)
    )


def by_sentence(
    text: str, text_format: TextFormat = "plain", *, least: int = 8, size: int = 60
) -> list[Chunk]:
    chunker = SentenceChunker(PieceEmbedder(), chunk_tokens=size, least_tokens=least)
    return chunker.chunk(ParsedDocument(text=text, text_format=text_format, title="Book"))


def by_subject(
    text: str, text_format: TextFormat = "plain", *, percentile: float = 95.0, size: int = 254
) -> list[Chunk]:
    chunker = SemanticChunker(PieceEmbedder(), chunk_tokens=size, percentile=percentile)
    return chunker.chunk(ParsedDocument(text=text, text_format=text_format))


def test_each_sentence_is_a_chunk() -> None:
    text = prose(ANIMALS, 12)
    assert [chunk.text for chunk in by_sentence(text)] == re.findall(r"\w[^.]*\.", text)
    assert all(chunk.context == "Book" for chunk in by_sentence(text))


def test_fragments_stay_with_their_neighbours() -> None:
    long, short = prose(ANIMALS, 1), "And so it was here."
    assert PieceEmbedder().count_tokens([short]) == [6]
    assert [c.text for c in by_sentence(f"{short} {long} {short} {long} {short}")] == [
        f"{short} {long}",
        f"{short} {long} {short}",
    ]
    assert [c.text for c in by_sentence(f"{long} {short}\n\n{long}")] == [f"{long} {short}", long]
    assert [c.text for c in by_sentence(f"{short} {short}")] == [f"{short} {short}"]
    assert len(by_sentence(f"{short} {long} {short}", least=0)) == 3


def test_a_heading_stands_with_the_sentence_after_it() -> None:
    text = f"# Cats\n\n{prose(ANIMALS, 3)}\n\n## Iron\n\n{prose(METALS, 2)}"
    chunks = by_sentence(text, "markdown")
    assert [chunk.text.startswith("#") for chunk in chunks] == [True, False, False, True, False]
    assert [chunk.heading_path for chunk in chunks][2:4] == [("Cats",), ("Cats", "Iron")]


def test_tables_and_code_are_left_as_they_are() -> None:
    table = "| a | b |\n|---|---|\n| One. Two. | Three. |"
    code = "```\nprint('One. Two. Three.')\n```"
    sentences = prose(ANIMALS, 2)
    text = f"{sentences}\n\n{table}\n\n{sentences}\n\n{code}"
    for chunks in (by_sentence(text, "markdown"), by_subject(text, "markdown")):
        assert [chunk.text for chunk in chunks if not chunk.text.endswith(".")] == [table, code]
    source = "".join(f"def f_{i}(x):\n    return x + {i}\n\n\n" for i in range(60))
    parsed = ParsedDocument(text=source, text_format="code")
    plain = StructureChunker(PieceEmbedder(), chunk_tokens=60, overlap_tokens=0).chunk(parsed)
    for chunker in (
        SentenceChunker(PieceEmbedder(), chunk_tokens=60),
        SemanticChunker(PieceEmbedder(), chunk_tokens=60),
    ):
        assert chunker.chunk(parsed) == plain


def test_a_sentence_that_is_too_long_is_cut() -> None:
    text = prose(ANIMALS, 1, length=200)
    chunks = by_sentence(text)
    assert len(chunks) > 3
    assert max(PieceEmbedder().count_tokens([chunk.embedded_text for chunk in chunks])) <= 60


@pytest.mark.parametrize("seed", range(5))
def test_an_edit_changes_only_sentences_near_it(seed: int) -> None:
    paragraphs = [prose(ANIMALS, 1 + i % 4, seed * 1000 + i, 1 + i % 7) for i in range(100)]
    before = {chunk.text for chunk in by_sentence("\n\n".join(paragraphs), size=120)}
    paragraphs.insert(50, "No. Something new.")
    after = by_sentence("\n\n".join(paragraphs), size=120)
    assert len(after) > 80
    assert sum(chunk.text not in before for chunk in after) <= 6


def test_it_cuts_where_the_subject_changes() -> None:
    subjects = [prose(ANIMALS, 6), prose(METALS, 6, 1), prose(ANIMALS, 6, 2)]
    text = " ".join(subjects)
    assert [chunk.text for chunk in by_subject(text, percentile=85)] == subjects


def test_cuts_follow_the_percentile_of_the_documents_distances() -> None:
    text = prose(ANIMALS + METALS, 101)
    embedder = PieceEmbedder()
    chunker = SemanticChunker(embedder, chunk_tokens=2000, least_tokens=0, percentile=90)
    chunks = chunker.chunk(ParsedDocument(text=text, text_format="plain"))
    vectors = embedder.embed_documents(re.findall(r"\w[^.]*\.", text))
    cosines = vectors @ vectors.T
    distances = [
        1.0 - float(cosines[max(0, at - 3) : at, at : at + 3].mean()) for at in range(2, 100)
    ]
    limit = float(np.percentile(distances, 90))
    cuts = [
        at
        for at, (before, here, after) in enumerate(
            zip([0.0, *distances], distances, [*distances[1:], 0.0], strict=False), start=2
        )
        if here > limit and before < here >= after
    ]
    assert len(cuts) > 4
    assert [chunk.text.count(".") for chunk in chunks] == [
        after - before for before, after in pairwise([0, *cuts, 101])
    ]


def test_no_chunk_crosses_a_heading_a_table_or_a_page() -> None:
    text = "\n\n".join(f"## Part {i}\n\nShort words of part {i}." for i in range(9))
    for cut in (by_sentence, by_subject):
        chunks = cut(text, "markdown")
        assert [chunk.text.count("#") for chunk in chunks] == [2] * 9
    one, two = prose(ANIMALS, 3), prose(ANIMALS, 3, 1)
    pages = (
        PageSpan(number=1, start=0, end=len(one)),
        PageSpan(number=2, start=len(one) + 2, end=len(one) + 2 + len(two)),
    )
    paged = ParsedDocument(text=f"{one}\n\n{two}", text_format="plain", pages=pages)
    for chunker in (SentenceChunker(PieceEmbedder()), SemanticChunker(PieceEmbedder())):
        chunks = chunker.chunk(paged)
        assert [chunk for chunk in chunks if chunk.start < len(one) < chunk.end] == []


def test_nothing_is_embedded_where_there_is_nothing_to_compare() -> None:
    embedder = PieceEmbedder()
    chunker = SemanticChunker(embedder)
    for text in ("", "One sentence.", "| a | b |\n| 1 | 2 |"):
        chunker.chunk(ParsedDocument(text=text, text_format="plain"))
    assert embedder.read == []


CHUNKERS: dict[str, Callable[[HashEmbedder], Chunker]] = {
    "sentences": lambda embedder: SentenceChunker(embedder, chunk_tokens=40),
    "semantic": lambda embedder: SemanticChunker(embedder, chunk_tokens=40, percentile=50),
}
MARKDOWN = st.lists(
    st.one_of(
        st.builds(lambda n, t: "#" * n + " " + t, st.integers(1, 6), st.text(max_size=30)),
        st.integers(0, 999).map(lambda seed: prose(ANIMALS, seed % 7, seed, 1 + seed % 12)),
        st.integers(1, 9).map(lambda n: "\n".join(f"- item {i}." for i in range(n))),
        st.integers(1, 9).map(lambda n: "```\n" + "\n\n".join("f(x)" * i for i in range(n))),
        st.integers(1, 9).map(lambda n: "| a | b |\n|---|---|\n" + "| 1 | x |\n" * n),
        st.text(max_size=200),
    ),
    max_size=9,
).map("\n\n".join)


@pytest.mark.parametrize("name", CHUNKERS)
@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    text=MARKDOWN | st.text(),
    title=st.text(max_size=60),
    text_format=st.sampled_from(["plain", "markdown", "code"]),
    page_every=st.sampled_from([0, 7, 150]),
    embedder=st.sampled_from([PieceEmbedder(), GreedyEmbedder()]),
)
def test_invariants(
    name: str,
    text: str,
    title: str,
    text_format: TextFormat,
    page_every: int,
    embedder: HashEmbedder,
) -> None:
    starts = list(range(0, len(text), page_every)) if page_every else []
    pages = tuple(
        PageSpan(number=i + 1, start=start, end=min(start + page_every, len(text)))
        for i, start in enumerate(starts)
    )
    parsed = ParsedDocument(text=text, text_format=text_format, title=title, pages=pages)
    chunks = CHUNKERS[name](embedder).chunk(parsed)
    reached = 0
    for chunk in chunks:
        assert chunk.text == text[chunk.start : chunk.end]
        assert chunk.text.strip()
        assert embedder.count_tokens([chunk.embedded_text])[0] <= 40
        assert [chunk.tokens] == embedder.count_tokens([chunk.text])
        assert chunk.start >= reached
        assert not text[reached : chunk.start].strip()
        reached = chunk.end
    assert not text[reached:].strip()


def test_fingerprints_name_every_setting() -> None:
    embedder, other = HashEmbedder(), HashEmbedder(model_id="other")
    made = [
        SentenceChunker(embedder),
        SentenceChunker(embedder, chunk_tokens=200),
        SentenceChunker(embedder, least_tokens=3),
        SentenceChunker(embedder, contextual_headers=False),
        SentenceChunker(embedder, tokens_name="minilm"),
        SemanticChunker(embedder),
        SemanticChunker(embedder, chunk_tokens=200),
        SemanticChunker(embedder, least_tokens=3),
        SemanticChunker(embedder, percentile=90),
        SemanticChunker(embedder, contextual_headers=False),
        SemanticChunker(other),
    ]
    assert len({chunker.fingerprint for chunker in made}) == len(made)


@pytest.mark.parametrize("percentile", [0.0, 100.0, -5.0])
def test_a_percentile_that_makes_no_sense_is_refused(percentile: float) -> None:
    with pytest.raises(UsageError, match="percentile"):
        SemanticChunker(HashEmbedder(), percentile=percentile)
    with pytest.raises(UsageError, match="chunk_tokens"):
        SentenceChunker(HashEmbedder(), chunk_tokens=3)


def test_the_chunker_is_chosen_and_sized() -> None:
    def fingerprint(chunking: str, chunk_tokens: int = 0) -> str:
        return chosen_chunker(
            chunking,  # type: ignore[arg-type]
            HashEmbedder(),
            chunk_tokens=chunk_tokens,
            overlap_tokens=32,
            semantic_percentile=90.0,
            contextual_headers=False,
        ).fingerprint

    assert fingerprint("structure").startswith("structure/3?chunk_tokens=254&overlap_tokens=32&")
    assert "overlap_tokens=10&contextual_headers=False" in fingerprint("structure", 40)
    assert fingerprint("sentences").startswith("sentences/1?chunk_tokens=254&")
    assert "percentile=90.0&contextual_headers=False" in fingerprint("semantic")
    with pytest.raises(UsageError, match="reads 256"):
        fingerprint("structure", 257)
