"""Late chunking: windows, their keys, and vectors that know the text around a chunk."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fakes import HashEmbedder, LineChunker
from hypothesis import given, settings
from hypothesis import strategies as st
from token_embedder import TokenHashEmbedder

from ragmem.chunking.late import LateEmbedder, Window
from ragmem.errors import UsageError
from ragmem.types import Chunk, FloatVector, ParsedDocument


def chunked(text: str, context: str = "") -> list[Chunk]:
    """One chunk a line, with its true length."""
    chunks = LineChunker().chunk(ParsedDocument(text=text, text_format="plain"))
    return [
        Chunk(start=c.start, end=c.end, text=c.text, tokens=len(c.text.split()), context=context)
        for c in chunks
    ]


def lines(count: int, seed: int = 0) -> list[str]:
    chooser = random.Random(seed)
    return [f"line {chooser.randrange(10**6)} of {chooser.randrange(10**6)}" for _ in range(count)]


def pooled(embedder: TokenHashEmbedder, text: str, *spans: tuple[int, int]) -> FloatVector:
    """The mean of the tokens in the spans, of length one, written down once more."""
    (found,) = embedder.embed_tokens([text])
    rows = [
        vector
        for vector, (start, end) in zip(found.vectors, found.offsets, strict=True)
        if any(low <= start and end <= high for low, high in spans)
    ]
    mean = np.mean(rows, axis=0)
    return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)


def test_a_short_document_is_read_whole_and_each_chunk_pools_its_tokens() -> None:
    embedder = TokenHashEmbedder()
    text = "alpha beta gamma\n\ndelta epsilon\nzeta"
    late = LateEmbedder(embedder)
    (window,) = late.windows(text, chunked(text))
    assert window.text == text
    vectors = late.embed_windows([window])
    for row, chunk in zip(vectors, chunked(text), strict=True):
        assert np.allclose(row, pooled(embedder, text, (chunk.start, chunk.end)), atol=1e-6)
    alone = embedder.embed_documents([chunk.text for chunk in chunked(text)])
    assert not np.allclose(vectors, alone, atol=1e-2)


@pytest.mark.parametrize(
    ("context", "shared"),
    [
        ("Book > Part", "Book > Part"),
        ("Book > Part > Chapter", "Book > Part"),
        ("Book > Part\n| a | b |", "Book > Part"),
        ("Book", "Book"),
        ("Book > Party", "Book"),
        ("Bookshop > Part", ""),
        ("", ""),
    ],
)
def test_the_context_line_is_read_and_pooled_where_it_is_part(context: str, shared: str) -> None:
    embedder = TokenHashEmbedder()
    text = "alpha beta\ngamma delta"
    chunks = [chunked(text, "Book > Part")[0], chunked(text, context)[1]]
    late = LateEmbedder(embedder)
    (window,) = late.windows(text, chunks)
    assert window.text == f"Book > Part\n{text}"
    before = len("Book > Part\n")
    spans = [(before + chunks[1].start, before + chunks[1].end)]
    expected = pooled(embedder, window.text, *spans, *([(0, len(shared))] if shared else []))
    assert np.allclose(late.embed_windows([window])[1], expected, atol=1e-6)


def test_a_chunk_that_shares_no_context_line_is_read_under_its_neighbours() -> None:
    late = LateEmbedder(TokenHashEmbedder())
    one, two = chunked("alpha beta\ngamma delta", "Book")
    (window,) = late.windows("alpha beta\ngamma delta", [one, replace(two, context="Else")])
    assert window.spans == (((0, 4), (5, 15)), ((16, 27),))


def test_a_long_document_is_read_in_windows_that_overlap() -> None:
    embedder = TokenHashEmbedder(max_tokens=60)
    text = "\n".join(lines(200))
    chunks = chunked(text, "Title")
    late = LateEmbedder(embedder)
    windows = late.windows(text, chunks)
    assert sum(len(window.spans) for window in windows) == len(chunks)
    assert max(embedder.count_tokens([window.text for window in windows])) <= 60
    own = [text[s:e] for text, s, e in ((w.text, *spans[-1]) for w in windows for spans in w.spans)]
    assert own == [chunk.text for chunk in chunks]
    before = [window.spans[0][-1][0] - len("Title\n") for window in windows]
    assert before[0] == 0
    assert all(before[1:])
    assert embedder.embed_documents(["x"]).shape == (1, 16)
    assert late.embed_windows(windows).shape == (200, 16)


@pytest.mark.parametrize("place", [0, 100, 199])
def test_an_edit_changes_only_the_windows_near_it(place: int) -> None:
    late = LateEmbedder(TokenHashEmbedder(max_tokens=60))
    changed = []
    for seed in range(5):
        before = lines(200, seed)
        after = [*before[:place], "a new line of words", *before[place:]]
        known = set(keys(late, before))
        changed.append(sum(key not in known for key in keys(late, after)))
    assert max(changed) < 70
    assert sum(changed) / 5 < 40


def keys(late: LateEmbedder, texts: Sequence[str]) -> list[str]:
    text = "\n".join(texts)
    return [key for window in late.windows(text, chunked(text)) for key in window.keys]


def test_keys_cover_all_that_was_read() -> None:
    window = Window(text="one two", spans=(((0, 3),), ((4, 7),)))
    assert len(set(window.keys)) == 2
    assert not set(window.keys) & set(Window(text="one too", spans=window.spans).keys)
    assert window.keys == Window(text="one two", spans=window.spans).keys


def test_what_was_not_read_is_embedded_alone() -> None:
    embedder = TokenHashEmbedder(max_tokens=8)
    text = "a b c d e f g h i j k\nlast line"
    late = LateEmbedder(embedder)
    long, last = late.windows(text, chunked(text))
    rows = late.embed_windows([long, last])
    assert np.allclose(rows[0], embedder.embed_query(text.split("\n")[0]), atol=1e-6)
    assert np.allclose(rows[1], pooled(embedder, "last line", (0, 9)), atol=1e-6)


def test_wide_gaps_end_a_window() -> None:
    text = "one" + "\n" * 100_000 + "two"
    late = LateEmbedder(TokenHashEmbedder())
    assert [window.text for window in late.windows(text, chunked(text))] == ["one", "two"]
    assert late.windows("", []) == []
    assert late.embed_windows([]).shape == (0, 16)


def test_it_embeds_everything_else_as_the_embedder_does() -> None:
    embedder = TokenHashEmbedder()
    late = LateEmbedder(embedder)
    assert late.model_id != embedder.model_id
    assert late.model_id.startswith(embedder.model_id)
    assert (late.dimensions, late.max_tokens) == (16, 40)
    assert late.count_tokens(["a b"]) == [2]
    assert np.array_equal(late.embed_query("a b"), embedder.embed_query("a b"))
    assert np.array_equal(late.embed_documents(["a b"]), embedder.embed_documents(["a b"]))
    assert np.array_equal(
        late.embed_tokens(["a b"])[0].vectors, embedder.embed_tokens(["a b"])[0].vectors
    )
    with pytest.raises(UsageError, match="embed_tokens"):
        LateEmbedder(HashEmbedder())


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    words=st.lists(st.integers(0, 30), max_size=40),
    context=st.sampled_from(["", "Title", "A long title of words"]),
    reads=st.integers(6, 50),
)
def test_every_chunk_has_one_vector_of_length_one(
    words: list[int], context: str, reads: int
) -> None:
    text = "\n".join(f"{'word ' * count}end" for count in words)
    chunks = chunked(text, context)
    late = LateEmbedder(TokenHashEmbedder(max_tokens=reads))
    windows = late.windows(text, chunks)
    assert [
        window.text[spans[-1][0] : spans[-1][1]] for window in windows for spans in window.spans
    ] == [chunk.text for chunk in chunks]
    rows = late.embed_windows(windows)
    assert rows.shape == (len(chunks), 16)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
