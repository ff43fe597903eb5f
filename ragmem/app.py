"""Composition: the one place that reads settings and builds the parts; and `Agent`, made of them.

Parts are built when they are first needed: showing a document loads neither model nor index.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Self

from ragmem.agent.answering import Answerer, AnswerEvent, SentenceEvent
from ragmem.agent.knowledge import Knowledge
from ragmem.errors import UnknownSource, UsageError
from ragmem.filters import Filter
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.reindex import embed_again
from ragmem.ingestion.sync import SyncEngine
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
from ragmem.settings import Settings, load_settings
from ragmem.store.index_ops import append_rebuild, count_pending, rebuild_pending
from ragmem.store.reader import StoreReader
from ragmem.store.stamp import Stamp
from ragmem.store.store import Store, open_store, settle_stamp
from ragmem.types import Answer, Scope

_CHUNK_TOKENS = 254
"""The default embedder's window; longer chunks say more than one vector can hold."""
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+)://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacements:
    """Parts of the caller's own, in place of those that the settings describe.

    Attributes:
        embedder: turns texts into vectors; its `model_id` is stamped into the store.
        chunker: makes a chunker that counts in the embedder's tokens, such as
            `lambda tokens: NodeParserChunker(parser, tokens, name="sentences")`.
        reranker: takes a closer look at the candidates.
        chat: generates; it is not closed with the agent.
    """

    embedder: Embedder | None = None
    chunker: Callable[[TokenCounter], Chunker] | None = None
    reranker: Reranker | None = None
    chat: ChatModel | None = None


class Parts:
    """The parts that settings describe, over one store folder."""

    def __init__(
        self, folder: Path, settings: Settings, *, replacements: Replacements | None = None
    ) -> None:
        self.folder = folder
        self.settings = settings
        self._given = replacements or Replacements()
        self._dense_folder = folder / "dense"
        self._lexical_folder = folder / "lexical"

    @cached_property
    def embedder(self) -> Embedder:
        """The embedding model.

        Raises:
            ModelUnavailable: it is not on this machine.
        """
        if self._given.embedder is not None:
            return self._given.embedder
        path = model_path(self.settings.embedding_model, cache_folder=self.settings.models_folder)
        if self.settings.embedding_engine == "sentence-transformers":
            from ragmem.models.sentence_transformers import SentenceTransformersEmbedder

            return SentenceTransformersEmbedder(path)
        from ragmem.models.onnx_embedder import OnnxEmbedder

        return OnnxEmbedder(path, threads=self.settings.threads or None)

    @cached_property
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

    @cached_property
    def parser(self) -> Parser:
        """The parser of every format."""
        from ragmem.parsing.parser import DocumentParser

        return DocumentParser(max_file_bytes=self.settings.max_file_bytes)

    @cached_property
    def dense(self) -> DenseIndex:
        """The dense index in the store's folder."""
        from ragmem.indexes.chroma import ChromaIndex

        return ChromaIndex(self._dense_folder, dimensions=self.embedder.dimensions)

    @cached_property
    def lexical(self) -> LexicalIndex:
        """The lexical index in the store's folder."""
        from ragmem.indexes.tantivy import TantivyIndex

        return TantivyIndex(self._lexical_folder)

    @cached_property
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

    @cached_property
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
            model_path(self.settings.chat_model, cache_folder=self.settings.models_folder),
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

    def connector_for(self, location: str | Path) -> Connector:
        """The connector for a path, a glob or a URI, among those installed.

        Raises:
            UnknownSource: none takes it, or nothing is there.
        """
        scheme = _SCHEME.match(str(location))
        if scheme is None or scheme[1].lower() == "file":
            from connectors.files import FilesConnector
            from ragmem.parsing.formats import SUPPORTED_SUFFIXES

            return FilesConnector(
                location,
                suffixes=SUPPORTED_SUFFIXES,
                max_file_bytes=self.settings.max_file_bytes,
            )
        for entry_point in entry_points(group="ragmem.connectors"):
            kind = entry_point.load()
            if scheme[1].lower() in kind.schemes:
                connector: Connector = kind(str(location))
                return connector
        raise UnknownSource(
            f"no connector is installed for {scheme[1]}:// (in {location}); "
            "give a file, a folder, a glob, or install a package that brings the connector"
        )

    def discard_unopened_indexes(self) -> None:
        """Delete the files of indexes that are not open; new ones are made when next needed."""
        for name, folder in (("dense", self._dense_folder), ("lexical", self._lexical_folder)):
            if name not in self.__dict__:
                shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Close what was built; what was not stays unbuilt."""
        self._close("chat", "dense", "lexical")

    def _close(self, *names: str) -> None:
        for name in names:
            part = self.__dict__.pop(name, None)
            if part is not None and part is not self._given.chat:
                part.close()


class Agent:
    """Answers from a store of documents, on this machine. Open one with `Agent.open`."""

    def __init__(self, *, store: Store, parts: Parts) -> None:
        self._store = store
        self._parts = parts

    @classmethod
    def open(
        cls,
        store: str | Path,
        *,
        settings: Settings | None = None,
        read_only: bool = False,
        timeout_seconds: float = 0.0,
        replacements: Replacements | None = None,
    ) -> Self:
        """Open a store folder, making it when it is not there.

        Changes that a killed process left half way are finished first.

        Args:
            store: the folder.
            settings: how to build, search and answer; the defaults otherwise.
            read_only: share the store with other readers; nothing can be added.
            timeout_seconds: how long to wait for another process that holds the store.
            replacements: parts of your own.

        Raises:
            StoreLocked: another process holds the store.
            StoreMismatch: it was built with another embedding model or by a newer ragmem.
            ModelUnavailable: the embedding model is not on this machine.
        """
        folder = Path(store)
        parts = Parts(folder, settings or load_settings(), replacements=replacements)
        opened = _open_and_replay(
            folder, parts, read_only=read_only, timeout_seconds=timeout_seconds
        )
        return cls(store=opened, parts=parts)

    @cached_property
    def knowledge(self) -> Knowledge:
        """The documents: add, search, list, remove."""
        store, parts = self._store, self._parts
        return Knowledge(
            store=store,
            engine=SyncEngine(
                store=store,
                parser=parts.parser,
                chunker=parts.chunker,
                embedder=parts.embedder,
                indexer=parts.indexer(store),
            ),
            indexer=parts.indexer(store),
            searcher=parts.searcher(store),
            connector_for=parts.connector_for,
        )

    def ask(
        self,
        question: str,
        *,
        user: str | None = None,
        scope: Scope | None = None,
        where: Filter | None = None,
    ) -> Answer:
        """Answer a question from the documents, with citations.

        Args:
            question: what to answer.
            user: who is asking; short for a scope with this user.
            scope: who is asking, in full.
            where: a filter over document metadata.

        Returns:
            The answer; one that the documents do not support says so and cites nothing.

        Raises:
            QuestionTooLong: the question does not fit the model's context.
            ModelUnavailable: the chat model is not on this machine.
            UsageError: the question is empty.
        """
        return self._answerer.answer(question, scope=_scope(user, scope), where=where)

    def stream(
        self,
        question: str,
        *,
        user: str | None = None,
        scope: Scope | None = None,
        where: Filter | None = None,
    ) -> Iterator[SentenceEvent | AnswerEvent]:
        """Answer like `ask`, sentence by sentence as each is checked; the whole answer comes last.

        Raises:
            QuestionTooLong: the question does not fit the model's context.
            ModelUnavailable: the chat model is not on this machine.
            UsageError: the question is empty.
        """
        return self._answerer.stream(question, scope=_scope(user, scope), where=where)

    def reindex(self, *, on_progress: Callable[[int, int], None] | None = None) -> None:
        """Build both indexes again from the stored documents, embedding nothing.

        Args:
            on_progress: called with chunks indexed and chunks in all.
        """
        with self._store.writing() as connection:
            append_rebuild(connection)
        _replay(self._store, self._parts, on_progress=on_progress)

    def close(self) -> None:
        """Let go of models, indexes and the store; doing it twice is no error."""
        self._parts.close()
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @cached_property
    def _answerer(self) -> Answerer:
        return Answerer(
            searcher=self._parts.searcher(self._store),
            embedder=self._parts.embedder,
            chat=self._parts.chat,
            documents=StoreReader(self._store),
        )


@contextmanager
def read_store(store: str | Path, *, settings: Settings | None = None) -> Iterator[StoreReader]:
    """A store's documents and status, without any model or index.

    Raises:
        StoreError: there is no store.
        StoreLocked: another process is writing it.
    """
    url = (settings or load_settings()).database_url
    opened = open_store(Path(store), url=url, read_only=True)
    try:
        yield StoreReader(opened)
    finally:
        opened.close()


def embed_store_again(
    store: str | Path,
    *,
    settings: Settings | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Chunk and embed every document of a store with the models the settings name.

    Args:
        store: the folder.
        settings: name the new models.
        on_progress: called with documents embedded and documents in all.

    Raises:
        StoreLocked: another process holds the store.
        ModelUnavailable: the embedding model is not on this machine.
    """
    folder = Path(store)
    parts = Parts(folder, settings or load_settings())
    opened = open_store(folder, url=parts.settings.database_url)
    try:
        embed_again(
            store=opened, chunker=parts.chunker, embedder=parts.embedder, on_progress=on_progress
        )
        _replay(opened, parts)
    finally:
        parts.close()
        opened.close()


def _open_and_replay(
    folder: Path, parts: Parts, *, read_only: bool, timeout_seconds: float
) -> Store:
    """Open a store whose indexes hold everything that the database does."""
    url = parts.settings.database_url
    store = open_store(folder, url=url, read_only=read_only, timeout_seconds=timeout_seconds)
    try:
        settle_stamp(store, parts.stamp)
        with store.reading() as connection:
            pending = count_pending(connection)
        if pending and read_only:
            # Only a writer may finish what a killed process left, so be one for a moment.
            store.close()
            _open_and_replay(
                folder, parts, read_only=False, timeout_seconds=timeout_seconds
            ).close()
            parts.close()
            return open_store(folder, url=url, read_only=True, timeout_seconds=timeout_seconds)
        if pending:
            _replay(store, parts)
    except BaseException:
        parts.close()
        store.close()
        raise
    return store


def _replay(
    store: Store, parts: Parts, *, on_progress: Callable[[int, int], None] | None = None
) -> None:
    """Bring the indexes to what the store notes."""
    with store.reading() as connection:
        rebuild = rebuild_pending(connection) is not None
    if rebuild:
        # What is there may be damaged or of another format, and could not even be opened. What is
        # open is in use elsewhere and is cleared by the indexer.
        parts.discard_unopened_indexes()
    parts.indexer(store).apply_pending(on_progress=on_progress)


def _scope(user: str | None, scope: Scope | None) -> Scope:
    if user is not None and scope is not None:
        raise UsageError("give either user or scope, not both")
    return scope or Scope(user=user)
