"""What every chunker must do."""

import re
from collections.abc import Callable, Sequence

import pytest
from fakes import HashEmbedder
from llama_index.core.node_parser import MarkdownNodeParser, SentenceSplitter, TokenTextSplitter
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from ragmem.chunking.llama_index import NodeParserChunker
from ragmem.chunking.semantic import SemanticChunker
from ragmem.chunking.sentence_chunks import SentenceChunker
from ragmem.chunking.structure import StructureChunker
from ragmem.ports import Chunker, TokenCounter
from ragmem.types import PageSpan, ParsedDocument

MARKDOWN = (
    "# Handbook\n\nWelcome.\n\n## Rules\n\n"
    + "Be kind to others. Be kind to others. Ask before you leave! Why not?\n\n" * 12
    + "| day | hours |\n|---|---|\n"
    + "".join(f"| day {i} | {i} |\n" for i in range(40))
    + "\n```python\ndef f():\n\n    return 'Be kind to others.'\n```\n\n## Rules\n\n"
    + "- Be kind to others.\n- 汉字没有空格。也可以。\n" * 10
)
DOCUMENTS = {
    "empty": ParsedDocument(text="", text_format="plain"),
    "blank": ParsedDocument(text=" \n\n\t\n", text_format="markdown"),
    "markdown": ParsedDocument(text=MARKDOWN, text_format="markdown", title="Handbook"),
    "pages": ParsedDocument(
        text=MARKDOWN,
        text_format="plain",
        pages=tuple(
            PageSpan(number=i + 1, start=i * 500, end=min((i + 1) * 500, len(MARKDOWN)))
            for i in range(len(MARKDOWN) // 500 + 1)
        ),
    ),
    "code": ParsedDocument(
        text="".join(f"def f_{i}(x):\n    return x + {i}\n\n\n" for i in range(60)),
        text_format="code",
    ),
    "repeated": ParsedDocument(text="Again and again. " * 300, text_format="plain"),
}


class ClassCounter:
    """Counts words, and every other mark by itself."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(re.findall(r"[^\W_]+|[^\w\s]|_", text)) for text in texts]


class TinyTokenizer:
    """A byte-level tokenizer trained on a few sentences: line breaks count, parts do not add up."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer(models.BPE())
        self._tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=400,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        self._tokenizer.train_from_iterator([MARKDOWN], trainer)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]


class CountingEmbedder(HashEmbedder):
    """Counts as another does."""

    def __init__(self, tokens: TokenCounter) -> None:
        super().__init__()
        self._tokens = tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._tokens.count_tokens(texts)


def _sentences(text: str) -> list[str]:
    return re.findall(r"[^.!?]+[.!?]*|[.!?]+", text)


def _sentence_splitter(tokens: TokenCounter) -> Chunker:
    parser = SentenceSplitter(
        chunk_size=60, chunk_overlap=15, tokenizer=str.split, chunking_tokenizer_fn=_sentences
    )
    return NodeParserChunker(parser, tokens, name="sentences")


def _token_splitter(tokens: TokenCounter) -> Chunker:
    parser = TokenTextSplitter(chunk_size=60, chunk_overlap=10, tokenizer=str.split)
    return NodeParserChunker(parser, tokens, name="tokens")


MAKERS: dict[str, Callable[[TokenCounter], Chunker]] = {
    "structure": lambda tokens: StructureChunker(tokens, chunk_tokens=64, overlap_tokens=0),
    "structure-overlap": lambda tokens: StructureChunker(
        tokens, chunk_tokens=100, overlap_tokens=20
    ),
    "structure-without-headers": lambda tokens: StructureChunker(
        tokens, chunk_tokens=64, overlap_tokens=0, contextual_headers=False
    ),
    "sentences": lambda tokens: SentenceChunker(tokens, chunk_tokens=64),
    "semantic": lambda tokens: SemanticChunker(CountingEmbedder(tokens), chunk_tokens=64),
    "llama-index-sentences": _sentence_splitter,
    "llama-index-tokens": _token_splitter,
    "llama-index-markdown": lambda tokens: NodeParserChunker(
        MarkdownNodeParser(), tokens, name="markdown"
    ),
}


@pytest.fixture(scope="module", params=[ClassCounter, TinyTokenizer])
def tokens(request: pytest.FixtureRequest) -> TokenCounter:
    counter: TokenCounter = request.param()
    return counter


@pytest.fixture(params=MAKERS)
def chunker(request: pytest.FixtureRequest, tokens: TokenCounter) -> Chunker:
    return MAKERS[request.param](tokens)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_chunks_are_exact_ordered_and_lose_nothing(
    chunker: Chunker, tokens: TokenCounter, name: str
) -> None:
    document = DOCUMENTS[name]
    chunks = chunker.chunk(document)
    reached = 0
    for chunk in chunks:
        assert chunk.text == document.text[chunk.start : chunk.end]
        assert chunk.text.strip()
        assert not document.text[reached : chunk.start].strip()
        reached = max(reached, chunk.end)
    assert not document.text[reached:].strip()
    places = [(chunk.start, chunk.end) for chunk in chunks]
    assert places == sorted(set(places))
    assert [chunk.tokens for chunk in chunks] == tokens.count_tokens([c.text for c in chunks])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_cutting_twice_gives_the_same(chunker: Chunker, name: str) -> None:
    assert chunker.chunk(DOCUMENTS[name]) == chunker.chunk(DOCUMENTS[name])


def test_pages_are_those_of_the_first_characters(chunker: Chunker) -> None:
    document = DOCUMENTS["pages"]
    pages = {page.number: page for page in document.pages}
    for chunk in chunker.chunk(document):
        assert chunk.page is not None
        assert pages[chunk.page].start <= chunk.start < pages[chunk.page].end
    assert all(chunk.page is None for chunk in chunker.chunk(DOCUMENTS["markdown"]))


def test_headings_are_outermost_first(chunker: Chunker) -> None:
    paths = {chunk.heading_path for chunk in chunker.chunk(DOCUMENTS["markdown"])}
    assert ("Handbook", "Rules") in paths
    assert all(path[0] == "Handbook" for path in paths)


def test_fingerprints_tell_chunkers_apart(tokens: TokenCounter) -> None:
    fingerprints = [make(tokens).fingerprint for make in MAKERS.values()]
    assert len(set(fingerprints)) == len(MAKERS)
    assert fingerprints == [make(tokens).fingerprint for make in MAKERS.values()]


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("size", [40, 64, 100])
def test_chunks_keep_the_budget(tokens: TokenCounter, name: str, size: int) -> None:
    chunkers: list[Chunker] = [
        StructureChunker(tokens, chunk_tokens=size, overlap_tokens=10),
        StructureChunker(tokens, chunk_tokens=size, overlap_tokens=10, contextual_headers=False),
        SentenceChunker(tokens, chunk_tokens=size),
        SemanticChunker(CountingEmbedder(tokens), chunk_tokens=size, percentile=60),
    ]
    for chunker in chunkers:
        chunks = chunker.chunk(DOCUMENTS[name])
        counts = tokens.count_tokens([chunk.embedded_text for chunk in chunks])
        assert all(count <= size for count in counts)


def test_without_headers_only_a_tables_header_row_stands_before_a_chunk(
    tokens: TokenCounter,
) -> None:
    chunks = MAKERS["structure-without-headers"](tokens).chunk(DOCUMENTS["markdown"])
    assert {chunk.context for chunk in chunks} == {"", "| day | hours |"}
    assert ("Handbook", "Rules") in {chunk.heading_path for chunk in chunks}
