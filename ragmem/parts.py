"""Builds the parts that settings describe: the one place, with `opening`, that reads settings.

Parts are built when they are first needed: showing a document loads neither model nor index.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
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
    QueryTransform,
    Reranker,
    SuggestsTerms,
    TokenCounter,
)
from ragmem.retrieval.rewriting import RULES, Rewriter, by_transform
from ragmem.retrieval.search import Searcher
from ragmem.retrieval.understanding import Technique
from ragmem.search_parts import enlarger_for, reranker_for, search_settings, sources_for
from ragmem.settings import Settings
from ragmem.store.reader import StoreReader
from ragmem.store.stamp import Stamp
from ragmem.store.store import Store
from ragmem.types import SourceDescription

_T = TypeVar("_T")


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
        self._sparse_folder = folder / "sparse"

    @_part
    def embedder(self) -> Embedder:
        """The embedding model.

        Raises:
            ModelUnavailable: it is not on this machine.
            UsageError: it cannot be used for late chunking, and the settings want that.
        """
        if not self.settings.late_chunking:
            return self._own_embedder()
        from ragmem.chunking.late import LateEmbedder

        return LateEmbedder(self._own_embedder())

    def _own_embedder(self) -> Embedder:
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
        from ragmem.chunking.choosing import chosen_chunker

        return chosen_chunker(
            self.settings.chunking,
            self.embedder,
            chunk_tokens=self._chunk_tokens(),
            overlap_tokens=self.settings.overlap_tokens,
            semantic_percentile=self.settings.semantic_percentile,
            contextual_headers=self.settings.contextual_headers,
        )

    def _chunk_tokens(self) -> int:
        """The setting, or less than what is read at once where a model writes contexts too."""
        settings = self.settings
        if settings.chunk_tokens or not settings.write_context:
            return settings.chunk_tokens
        from ragmem.chunking.choosing import CHUNK_TOKENS
        from ragmem.ingestion.written_context import CONTEXT_TOKENS

        return min(self.embedder.max_tokens - CONTEXT_TOKENS, CHUNK_TOKENS)

    def chunker_for(self, store: Store) -> Chunker:
        """The chunker, with a model that writes contexts where the settings want that.

        Raises:
            ModelUnavailable: the chat model is not on this machine.
            UsageError: contexts shall be written and the settings name no chat model.
        """
        if not self.settings.write_context:
            return self.chunker
        from ragmem.ingestion.written_context import ContextWriter

        chat = self._chat_for("write_context")
        return ContextWriter(self.chunker, chat=chat, embedder=self.embedder, store=store)

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
    def sparse(self) -> LexicalIndex | None:
        """The index of learned sparse vectors; None where the settings name no model for it.

        Raises:
            ModelUnavailable: the model is not on this machine.
            StoreMismatch: the index was made with another model.
        """
        if not self.settings.sparse_model:
            return None
        from ragmem.indexes.sparse import SparseIndex
        from ragmem.models.sparse_encoder import SentenceTransformersSparseEncoder

        encoder = SentenceTransformersSparseEncoder(self.settings.sparse_model)
        return SparseIndex(self._sparse_folder, encoder)

    @_part
    def reranker(self) -> Reranker:
        """The reranker.

        Raises:
            ModelUnavailable: its model is not on this machine.
            UsageError: it needs a chat model and the settings name none, or vectors of tokens and
                the embedder gives none.
        """
        return reranker_for(
            self.settings,
            given=self._given.reranker,
            embedder=lambda: self.embedder,
            dense=lambda: self.dense,
            chat=partial(self._chat_for, "the listwise reranker"),
        )

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

    def _chat_for(self, purpose: str) -> ChatModel:
        if self.chat is None:
            raise UsageError(f"{purpose} needs a chat model and chat_model is empty; name one")
        return self.chat

    def transforms(self, store: Store) -> list[QueryTransform]:
        """What reads a question before it is searched for, in the settings' order.

        Raises:
            ModelUnavailable: the chat model is not on this machine.
            UsageError: one needs a chat model and the settings name none.
        """
        return [self._transform(name, store) for name in self.settings.understanding]

    def _transform(self, name: Technique, store: Store) -> QueryTransform:
        from ragmem.understanding_parts import query_transform

        return query_transform(
            name,
            chat=partial(self._chat_for, name),
            reader=StoreReader(store),
            lexical=self.lexical,
            date_fields=self.settings.date_fields,
            date_languages=self.settings.date_languages,
        )

    def rewriters(self, store: Store) -> list[Rewriter]:
        """What is searched for where a question found too little, the chat model's texts last.

        Raises:
            ModelUnavailable: the chat model is not on this machine.
        """
        if self.settings.corrective_searches == 0:
            return []
        spelling: list[Rewriter] = []
        if isinstance(self.lexical, SuggestsTerms):
            spelling.append(by_transform(self._transform("spelling", store), asks_model=False))
        model: list[Rewriter] = []
        if self.chat is not None:
            model.append(by_transform(self._transform("multi_query", store), asks_model=True))
        return [*spelling, *RULES, *model]

    @property
    def stamp(self) -> Stamp:
        """What a store built with these parts is stamped with."""
        return Stamp(embedding_model=self.embedder.model_id, dimensions=self.embedder.dimensions)

    def searcher(self, store: Store) -> Searcher:
        """A searcher over a store."""
        reader = StoreReader(store)
        return Searcher(
            embedder=self.embedder,
            dense=self.dense,
            lexical=self.lexical,
            chunks=reader,
            reranker=self.reranker,
            transforms=self.transforms(store),
            sources=sources_for(self.settings, dense=self.dense, sparse=self.sparse, reader=reader),
            enlarger=enlarger_for(self.settings, reader),
            settings=search_settings(self.settings),
        )

    def indexer(self, store: Store) -> Indexer:
        """What makes the indexes follow a store."""
        return Indexer(
            store=store,
            dense=self.dense,
            lexical=self.lexical,
            sparse=self.sparse,
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
        """Whether all indexes that the settings name have files."""
        folders = [self._dense_folder, self._lexical_folder]
        if self.settings.sparse_model:
            folders.append(self._sparse_folder)
        return all(folder.is_dir() for folder in folders)

    def discard_unnamed_indexes(self) -> None:
        """Delete the files of an index that the settings no longer name.

        It would not follow the store, and be behind it unseen when the setting is back.
        """
        if not self.settings.sparse_model:
            shutil.rmtree(self._sparse_folder, ignore_errors=True)

    def discard_unopened_indexes(self) -> None:
        """Delete the files of indexes that are not open; new ones are made when next needed."""
        folders = {
            "dense": self._dense_folder,
            "lexical": self._lexical_folder,
            "sparse": self._sparse_folder,
        }
        for name, folder in folders.items():
            if name not in self.__dict__:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Close what was built; what was not stays unbuilt."""
        self._close("chat", "dense", "lexical", "sparse", "parser")

    def _close(self, *names: str) -> None:
        with self.lock:
            for name in names:
                part = self.__dict__.pop(name, None)
                if part is not None and part not in (self._given.chat, self._given.parser):
                    part.close()
