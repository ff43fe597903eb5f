"""A small in-memory world of documents to search, over the real in-memory indexes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from fakes import HashEmbedder

from ragmem.chunking.sentences import sentence_spans
from ragmem.errors import UnknownDocument
from ragmem.indexes.bm25 import RankBM25Index
from ragmem.indexes.exact import ExactIndex
from ragmem.ingestion.signing import sign
from ragmem.types import PUBLIC, Chunk, Document, IndexEntry, PageSpan, Scope, StoredChunk


@dataclass
class World:
    """Documents by URI, one chunk a sentence, indexed densely and lexically."""

    embedder: HashEmbedder = field(default_factory=lambda: HashEmbedder(dimensions=64))
    documents: dict[str, Document] = field(default_factory=dict)
    chunks: dict[str, StoredChunk] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dense = ExactIndex(self.embedder.dimensions)
        self.lexical = RankBM25Index()

    def add(
        self,
        uri: str,
        text: str,
        *,
        title: str = "",
        acl: frozenset[str] = PUBLIC,
        pages: tuple[PageSpan, ...] = (),
        whole: bool = False,
    ) -> None:
        """Index a document, a chunk a sentence or one `whole` chunk."""
        self.documents[uri] = Document(
            id=uri,
            uri=uri,
            text=text,
            title=title,
            pages=pages,
            language="en",
            media_type="text/plain",
            text_format="plain",
            metadata={},
            tenant="default",
            acl=acl,
        )
        for start, end in [(0, len(text))] if whole else sentence_spans(text):
            chunk = Chunk(start=start, end=end, text=text[start:end])
            chunk_id = f"{uri}#{start}"
            self.chunks[chunk_id] = StoredChunk(
                id=chunk_id,
                document_id=uri,
                document_uri=uri,
                document_title=title,
                metadata={},
                chunk=chunk,
                signature=sign(text),
            )
            entry = IndexEntry(
                chunk_id=chunk_id,
                document_id=uri,
                tenant="default",
                acl=acl,
                title=title,
                text=chunk.text,
                language="en",
                metadata={},
            )
            self.dense.upsert([entry], self.embedder.embed_documents([chunk.text]))
            self.lexical.upsert([entry])
        self.lexical.commit()

    def read_chunks(self, chunk_ids: Sequence[str], *, scope: Scope) -> Mapping[str, StoredChunk]:
        return {
            chunk_id: self.chunks[chunk_id]
            for chunk_id in chunk_ids
            if chunk_id in self.chunks and self._seen(self.chunks[chunk_id].document_uri, scope)
        }

    def read_span(self, document_uri: str, start: int, end: int, *, scope: Scope) -> str:
        if not self._seen(document_uri, scope):
            raise UnknownDocument(document_uri)
        return self.documents[document_uri].text[start:end]

    def page_at(self, document_uri: str, offset: int, *, scope: Scope) -> int | None:
        pages = self.documents[document_uri].pages
        return next((page.number for page in pages if page.start <= offset < page.end), None)

    def _seen(self, uri: str, scope: Scope) -> bool:
        document = self.documents.get(uri)
        return document is not None and scope.sees(tenant=document.tenant, acl=document.acl)
