"""Small deterministic stand-ins for the heavy parts, shared by the tests."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from ragmem.errors import ParseError
from ragmem.types import (
    Chunk,
    FloatMatrix,
    FloatVector,
    ParsedDocument,
    RawDocument,
    SkippedItem,
    SourceItem,
    TermWeights,
)


class HashEmbedder:
    """An `Embedder` whose vectors are sums of one random vector a word; counts what it reads."""

    def __init__(self, *, model_id: str = "hash-16", dimensions: int = 16) -> None:
        self.model_id = model_id
        self.dimensions = dimensions
        self.max_tokens = 256
        self.read: list[str] = []

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> FloatMatrix:
        self.read += texts
        rows = [self.embed_query(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.dimensions), dtype=np.float32)

    def embed_query(self, text: str) -> FloatVector:
        total = np.full(self.dimensions, 1e-6, dtype=np.float32)
        for word in text.lower().split():
            seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
            total += np.random.default_rng(seed).normal(size=self.dimensions).astype(np.float32)
        return (total / np.linalg.norm(total)).astype(np.float32)


class WordEncoder:
    """A `SparseEncoder` with a term a word, weighed by how often it stands there."""

    def __init__(self, *, model_id: str = "words") -> None:
        self.model_id = model_id
        self.read: list[str] = []

    def encode_documents(self, texts: Sequence[str]) -> list[TermWeights]:
        self.read += texts
        return [self.encode_query(text) for text in texts]

    def encode_query(self, text: str) -> TermWeights:
        terms = [zlib.crc32(word.encode()) for word in text.lower().split()]
        counts = sorted((term, terms.count(term)) for term in set(terms))
        return TermWeights(
            terms=np.array([term for term, _ in counts], dtype=np.uint32),
            weights=np.array([count for _, count in counts], dtype=np.float32),
        )


class LineChunker:
    """A `Chunker` that makes one chunk of each line that is not blank."""

    fingerprint = "lines"

    def chunk(self, document: ParsedDocument) -> list[Chunk]:
        chunks, start = [], 0
        for line in document.text.splitlines(keepends=True):
            text = line.rstrip("\n")
            if text.strip():
                chunks.append(Chunk(start=start, end=start + len(text), text=text, tokens=1))
            start += len(line)
        return chunks


class TextParser:
    """A `Parser` for UTF-8 text; a text that starts with BROKEN cannot be read."""

    fingerprint = "text"

    def parse(self, raw: RawDocument) -> ParsedDocument:
        text = raw.content.decode()
        if text.startswith("BROKEN"):
            raise ParseError("the file is broken; save it again")
        warnings = ("something was repaired",) if text.startswith("REPAIRED") else ()
        return ParsedDocument(text=text, text_format="plain", warnings=warnings)


class DictConnector:
    """A `Connector` over a dict of texts; values that are exceptions are raised by `fetch`."""

    def __init__(self, texts: dict[str, str | Exception]) -> None:
        self.texts = texts
        self.skips: dict[str, str] = {}
        self.fetched: list[str] = []
        self.fails_after: int | None = None
        self.failure: Exception = RuntimeError("unset")
        self.source_uri = "dict:all"
        self.fingerprints = True

    def discover(self) -> Iterator[SourceItem | SkippedItem]:
        for number, (uri, text) in enumerate(list(self.texts.items())):
            if self.fails_after is not None and number >= self.fails_after:
                raise self.failure
            fingerprint = hashlib.sha256(str(text).encode()).hexdigest()
            yield SourceItem(uri=uri, fingerprint=fingerprint if self.fingerprints else "")
        for uri, reason in self.skips.items():
            yield SkippedItem(uri=uri, reason=reason)

    def fetch(self, item: SourceItem) -> RawDocument:
        self.fetched.append(item.uri)
        text = self.texts[item.uri]
        if isinstance(text, Exception):
            raise text
        return RawDocument(uri=item.uri, name="x.txt", content=text.encode())
