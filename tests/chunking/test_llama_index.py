import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from llama_index.core.node_parser import (
    MarkdownNodeParser,
    NodeParser,
    SentenceSplitter,
    TokenTextSplitter,
)
from llama_index.core.schema import BaseNode, TextNode

from ragmem.chunking.llama_index import NodeParserChunker
from ragmem.errors import UsageError
from ragmem.types import Chunk, PageSpan, ParsedDocument


class WordCounter:
    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]


class Fixed(NodeParser):
    """Gives the nodes it was told, whatever the document."""

    texts: tuple[str, ...] = ()

    def _parse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any
    ) -> list[BaseNode]:
        return [TextNode(text=text) for text in self.texts]


class Broken(NodeParser):
    def _parse_nodes(
        self, nodes: Sequence[BaseNode], show_progress: bool = False, **kwargs: Any
    ) -> list[BaseNode]:
        raise RuntimeError("no such model")


def sentences(text: str) -> list[str]:
    return re.findall(r"[^.]+\.?", text)


def splitter(**settings: int) -> SentenceSplitter:
    return SentenceSplitter(tokenizer=str.split, chunking_tokenizer_fn=sentences, **settings)


def chunk(parser: NodeParser, text: str, **fields: Any) -> list[Chunk]:
    document = ParsedDocument(text=text, text_format="markdown", **fields)
    return NodeParserChunker(parser, WordCounter(), name="test").chunk(document)


def fixed(text: str, *parts: str) -> list[tuple[int, int]]:
    return [(one.start, one.end) for one in chunk(Fixed(texts=parts), text)]


def test_repeated_text_gets_its_own_place() -> None:
    assert fixed("one two one two one", "one", "two", "one", "two", "one") == [
        (0, 3),
        (4, 7),
        (8, 11),
        (12, 15),
        (16, 19),
    ]
    assert fixed("aaaa", "aa", "aa") == [(0, 2), (2, 4)]


def test_overlap_with_repeated_text() -> None:
    assert fixed("x y x y z x y z", "x y x y", "x y z", "y z x y", "x y z") == [
        (0, 7),
        (4, 9),
        (6, 13),
        (10, 15),
    ]


def test_changed_white_space_text_left_out_and_layers() -> None:
    assert fixed("a\n\n  b\tc", "a b", "c") == [(0, 6), (7, 8)]
    assert fixed("keep drop keep", "keep", "keep") == [(0, 4), (10, 14)]
    assert fixed("a b c d", "a b c d", "a b", "c d") == [(0, 3), (0, 7), (4, 7)]
    assert fixed("a b", "", " ", "b") == [(2, 3)]


def test_sentence_splitter_on_a_repetitive_text() -> None:
    text = "The refrain comes again. " * 40 + "The end. " + "The refrain comes again. " * 40
    chunks = chunk(splitter(chunk_size=30, chunk_overlap=8), text)
    assert len(chunks) > 8
    reached = 0
    for one in chunks:
        assert one.text == text[one.start : one.end]
        assert not text[reached : one.start].strip()
        reached = max(reached, one.end)
    assert not text[reached:].strip()
    assert sum("The end." in one.text for one in chunks) >= 1


def test_token_splitter_overlaps() -> None:
    text = "  ".join(f"word{i}\n" for i in range(200))
    parser = TokenTextSplitter(chunk_size=20, chunk_overlap=5, tokenizer=str.split)
    chunks = chunk(parser, text)
    assert {word for one in chunks for word in one.text.split()} == set(text.split())
    assert all(one.tokens == len(one.text.split()) for one in chunks)
    assert any(two.start < one.end for one, two in pairwise(chunks))


def test_markdown_parser_with_headings_and_pages() -> None:
    text = "#  Top\n\nIntro.\n\n##   Same\n\nText.\n\n##   Same\n\nText.\n"
    pages = (PageSpan(number=1, start=0, end=20), PageSpan(number=2, start=20, end=len(text)))
    chunks = chunk(MarkdownNodeParser(), text, pages=pages)
    assert [one.text for one in chunks] == [
        "#  Top\n\nIntro.",
        "##   Same\n\nText.",
        "##   Same\n\nText.",
    ]
    assert chunks[1].start < chunks[2].start
    assert [one.heading_path for one in chunks] == [("Top",), ("Top", "Same"), ("Top", "Same")]
    assert [one.page for one in chunks] == [1, 1, 2]


def test_a_parser_that_rewrites_is_refused() -> None:
    with pytest.raises(UsageError, match=r"node 2 of the node parser 'test' is no part"):
        fixed("a b", "a", "A summary.")


def test_a_parser_that_fails_is_named() -> None:
    with pytest.raises(UsageError, match=r"'test' failed: RuntimeError: no such model"):
        chunk(Broken(), "text")


def test_fingerprint_names_the_settings() -> None:
    def fingerprint(**settings: int) -> str:
        return NodeParserChunker(splitter(**settings), WordCounter(), name="a").fingerprint

    assert fingerprint(chunk_size=300) != fingerprint(chunk_size=400)
    assert fingerprint(chunk_size=300) == fingerprint(chunk_size=300)
    assert "SentenceSplitter" in fingerprint()
