"""`Agent`: the facade over knowledge and answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from ragmem.agent.answer_settings import AnswerSettings
from ragmem.agent.answering import Answerer, AnswerEvent, SentenceEvent
from ragmem.agent.knowledge import Knowledge
from ragmem.errors import UsageError
from ragmem.filters import Filter
from ragmem.ingestion.sync import SyncEngine
from ragmem.opening import open_and_replay, rebuild_indexes
from ragmem.parts import Parts, Replacements
from ragmem.retrieval.corrective import CorrectiveBudget
from ragmem.settings import Settings, load_settings
from ragmem.store.reader import StoreReader
from ragmem.store.store import Store
from ragmem.types import Answer, Scope


class Agent:
    """Answers from a store of documents, on this machine. Open one with `Agent.open`.

    Thread-safe: searches and answers run side by side, writers one at a time.
    """

    def __init__(self, *, store: Store, parts: Parts) -> None:
        self._store = store
        self._parts = parts
        self._lock = threading.RLock()
        self._knowledge: Knowledge | None = None
        self._answers: Answerer | None = None

    @classmethod
    def open(
        cls,
        store: str | Path,
        *,
        settings: Settings | None = None,
        read_only: bool = False,
        create: bool = True,
        timeout_seconds: float = 0.0,
        replacements: Replacements | None = None,
    ) -> Self:
        """Open a store folder, making it when it is not there.

        Changes that a killed process left half way are finished first.

        Args:
            store: the folder.
            settings: how to build, search and answer; the defaults otherwise.
            read_only: share the store with other readers; nothing can be added.
            create: whether a store that is not there is made; never when opened read-only.
            timeout_seconds: how long to wait for another process that holds the store.
            replacements: parts of your own.

        Raises:
            StoreMissing: there is no store and none is to be made.
            StoreLocked: another process holds the store.
            StoreMismatch: it was built with another embedding model or by a newer ragmem.
            ModelUnavailable: the embedding model is not on this machine.
        """
        folder = Path(store)
        parts = Parts(folder, settings or load_settings(), replacements=replacements)
        opened = open_and_replay(
            folder, parts, read_only=read_only, create=create, timeout_seconds=timeout_seconds
        )
        return cls(store=opened, parts=parts)

    @property
    def knowledge(self) -> Knowledge:
        """The documents: add, search, list, remove."""
        with self._lock:
            self._store.check_open()
            if self._knowledge is None:
                self._knowledge = self._make_knowledge()
            return self._knowledge

    def _make_knowledge(self) -> Knowledge:
        store, parts = self._store, self._parts
        indexer = parts.indexer(store)
        return Knowledge(
            store=store,
            engine=SyncEngine(
                store=store,
                parser=parts.parser,
                chunker=parts.chunker_for(store),
                embedder=parts.embedder,
                indexer=indexer,
            ),
            indexer=indexer,
            searcher=parts.searcher(store),
            connector_for=parts.connector_for,
            lock=self._lock,
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
        """Build every index again from the stored documents, embedding nothing.

        Args:
            on_progress: called with chunks indexed and chunks in all.
        """
        with self._lock:
            rebuild_indexes(self._store, self._parts, on_progress=on_progress)

    def close(self) -> None:
        """Let go of models, indexes and the store; doing it twice is no error."""
        with self._lock:
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

    @property
    def _answerer(self) -> Answerer:
        with self._lock:
            self._store.check_open()
            if self._answers is None:
                settings = self._parts.settings
                self._answers = Answerer(
                    searcher=self._parts.searcher(self._store),
                    embedder=self._parts.embedder,
                    chat=self._parts.chat,
                    documents=StoreReader(self._store),
                    settings=AnswerSettings(
                        least_sufficiency=settings.least_sufficiency,
                        corrective=CorrectiveBudget(
                            searches=settings.corrective_searches,
                            seconds=settings.corrective_seconds,
                        ),
                    ),
                    rewriters=self._parts.rewriters(self._store),
                )
            return self._answers


def _scope(user: str | None, scope: Scope | None) -> Scope:
    if user is not None and scope is not None:
        raise UsageError("give either user or scope, not both")
    return scope or Scope(user=user)
