"""Builds the parts that settings describe: the one place, with `opening`, that reads settings.

Parts are built when they are first needed: showing a document loads neither model nor index.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from ragmem.errors import UsageError
from ragmem.ingestion.indexer import Indexer
from ragmem.models.cache import model_path
from ragmem.ports import (
    ChatModel,
    Chunker,
    Connector,
    DenseIndex,
    Embedder,
    LexicalIndex,
    Parser,
    Reranker,
    TokenCounter,
)
from ragmem.retrieval.search import Searcher, SearchSettings
from ragmem.settings import Settings
from ragmem.store.reader import StoreReader
from ragmem.store.stamp import Stamp
from ragmem.store.store import Store
from ragmem.types import SourceDescription

_T = TypeVar("_T")
_CHUNK_TOKENS = 254
"""The default embedder's window; longer chunks say more than one vector can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacements:
    """Parts of the caller's own, in place of those that the settings describe.

    Attributes:
        embedder: turns texts into vectors; its `model_id` is stamped into the store.
        chunker: makes a chunker that counts in the embedder's tokens, such as
            `lambda tokens: NodeParserChunker(parser, tokens, name="sentences")`.
        reranker: takes a closer look at the candidates.
        chat: generates; it is not closed with the agent.
        parser: reads documents; it is not closed with the agent.
    """

    embedder: Embedder | None = None
    chunker: Callable[[TokenCounter], Chunker] | None = None
    reranker: Reranker | None = None
    chat: ChatModel | None = None
    parser: Parser | None = None


class _part(cached_property[_T]):  # noqa: N801
    """A part that is built when it is first read, by one thread only."""

    def __get__(self, parts: Parts, owner: type | None = None) -> _T:  # type: ignore[override]
        # Python 3.12 took the lock out of `cached_property`.
        with parts.lock:
            return super().__get__(parts, owner)


class Parts:
    """The parts that settings describe, over one store folder."""

    def __init__(
        self, folder: Path, settings: Settings, *, replacements: Replacements | None = None
    ) -> None:
        self.folder = folder
        self.settings = settings
        self._given = replacements or Replacements()
        self.lock = threading.RLock()  # one for all: parts are built of parts
        self._dense_folder = folder / "dense"
        self._lexical_folder = folder / "lexical"

    @_part
    def embedder(self) -> Embedder:
        """The embedding model.

        Raises:
            ModelUnavailable: it is not on this machine.
        """
        if self._given.embedder is not None:
            return self._given.embedder
        path = model_path(self.settings.embedding_model, cache_folder=self.settings.models)
        if self.settings.embedding_engine == "sentence-transformers":
            from ragmem.models.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder(path)
        from ragmem.models.onnx_embedder import OnnxEmbedder

        return OnnxEmbedder(path, threads=self.settings.threads or None)

    @_part
    def chunker(self) -> Chunker:
        """The chunker, counting in the embedder's tokens."""
        if self._given.chunker is not None:
            return self._given.chunker(self.embedder)
        from ragmem.chunking.structure import StructureChunker

        longest = self.embedder.max_tokens
        chunk_tokens = self.settings.chunk_tokens or min(longest, _CHUNK_TOKENS)
        if chunk_tokens > longest:
            raise UsageError(
                f"chunk_tokens is {chunk_tokens} and the embedding model "
                f"{self.settings.embedding_model} reads {longest}; "
                "set chunk_tokens to that or less"
            )
        return StructureChunker(
            self.embedder,
            chunk_tokens=chunk_tokens,
            overlap_tokens=min(self.settings.overlap_tokens, chunk_tokens // 4),
            tokens_name=self.embedder.model_id,
        )

    @_part
    def parser(self) -> Parser:
        """The parser of every format, in worker processes."""
        if self._given.parser is not None:
            return self._given.parser
        from ragmem.parsing.isolation import IsolatedParser

        return IsolatedParser(
            max_file_bytes=self.settings.max_file_bytes,
            max_characters=self.settings.max_characters,
            workers=self.settings.parse_workers,
            timeout_seconds=self.settings.parse_timeout_seconds,
            memory_bytes=self.settings.parse_memory_bytes,
        )

    @_part
    def dense(self) -> DenseIndex:
        """The dense index in the store's folder."""
        from ragmem.indexes.chroma import ChromaIndex

        return ChromaIndex(self._dense_folder, dimensions=self.embedder.dimensions)

    @_part
    def lexical(self) -> LexicalIndex:
        """The lexical index in the store's folder."""
        from ragmem.indexes.tantivy import TantivyIndex

        return TantivyIndex(self._lexical_folder)

    @_part
    def reranker(self) -> Reranker:
        """The reranker.

        Raises:
            ModelUnavailable: the cross-encoder is not on this machine.
        """
        if self._given.reranker is not None:
            return self._given.reranker
        if self.settings.reranker in ("features", "none"):  # none: only where it is asked for
            from ragmem.retrieval.rerank import FeatureReranker

            return FeatureReranker()
        from ragmem.models.sentence_transformers import CrossEncoderReranker

        return CrossEncoderReranker(self.settings.reranker)

    @_part
    def chat(self) -> ChatModel | None:
        """The chat model; None where the settings name none.

        Raises:
            ModelUnavailable: it is not on this machine.
        """
        if self._given.chat is not None:
            return self._given.chat
        if not self.settings.chat_model:
            return None
        from ragmem.models.llama_cpp import LlamaCppChat

        return LlamaCppChat(
            model_path(self.settings.chat_model, cache_folder=self.settings.models),
            context_tokens=self.settings.context_tokens,
            threads=self.settings.threads or None,
        )

    @property
    def stamp(self) -> Stamp:
        """What a store built with these parts is stamped with."""
        return Stamp(embedding_model=self.embedder.model_id, dimensions=self.embedder.dimensions)

    def searcher(self, store: Store) -> Searcher:
        """A searcher over a store."""
        settings = self.settings
        return Searcher(
            embedder=self.embedder,
            dense=self.dense,
            lexical=self.lexical,
            chunks=StoreReader(store),
            reranker=self.reranker,
            settings=SearchSettings(
                candidates=settings.candidates,
                fusion=settings.fusion,
                dense_weight=settings.dense_weight,
                default_ranking="reranked" if settings.reranker != "none" else "fused",
                rerank_candidates=settings.rerank_candidates,
                collapse_near_duplicates=settings.collapse_near_duplicates,
            ),
        )

    def indexer(self, store: Store) -> Indexer:
        """What makes the indexes follow a store."""
        return Indexer(
            store=store,
            dense=self.dense,
            lexical=self.lexical,
            model_id=self.embedder.model_id,
        )

    def connector_for(self, source: SourceDescription) -> Connector:
        """The connector for a source, among those installed.

        Raises:
            UnknownSource: none takes it, or nothing is there.
            UsageError: an option is wrong.
        """
        from ragmem.connecting import connect
        from ragmem.parsing.formats import SUPPORTED_SUFFIXES

        return connect(
            source,
            defaults={
                "suffixes": SUPPORTED_SUFFIXES,
                "max_file_bytes": self.settings.max_file_bytes,
            },
        )

    def index_folders_exist(self) -> bool:
        """Whether both indexes have files."""
        return self._dense_folder.is_dir() and self._lexical_folder.is_dir()

    def discard_unopened_indexes(self) -> None:
        """Delete the files of indexes that are not open; new ones are made when next needed."""
        for name, folder in (("dense", self._dense_folder), ("lexical", self._lexical_folder)):
            if name not in self.__dict__:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Close what was built; what was not stays unbuilt."""
        self._close("chat", "dense", "lexical", "parser")

    def _close(self, *names: str) -> None:
        with self.lock:
            for name in names:
                part = self.__dict__.pop(name, None)
                if part is not None and part not in (self._given.chat, self._given.parser):
                    part.close()
