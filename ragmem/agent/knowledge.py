"""What an agent knows: documents added from sources, searched, listed and removed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection

from ragmem.errors import UsageError
from ragmem.filters import Filter
from ragmem.ingestion.checks import check_metadata
from ragmem.ingestion.copies import detach
from ragmem.ingestion.deletion import drop_source
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.mapping import MetadataMapping
from ragmem.ingestion.reading import SyncOptions
from ragmem.ingestion.recipes import SourceRequest, from_recipe, to_recipe
from ragmem.ingestion.sync import SyncEngine
from ragmem.ingestion.tally import ProgressCallback
from ragmem.ingestion.texts import TextDocuments
from ragmem.ports import Connector
from ragmem.retrieval.near_duplicates import near_duplicates_in
from ragmem.retrieval.search import Ranking, Searcher
from ragmem.store.audit import record_action
from ragmem.store.document_uris import document_id_of, documents_at_places
from ragmem.store.embeddings import delete_unused_embeddings
from ragmem.store.jobs import last_job
from ragmem.store.reader import StoreReader, names_of
from ragmem.store.sources import failed_items, list_sources
from ragmem.store.status import StoreStatus
from ragmem.store.store import Store
from ragmem.store.written_contexts import delete_unused_contexts
from ragmem.types import (
    PUBLIC,
    Document,
    DocumentInfo,
    Metadata,
    Scope,
    SearchResult,
    SourceDescription,
    SyncReport,
    TextDocument,
)

_ANYONE = Scope()


class ConnectorChooser(Protocol):
    """Makes the connector for a location; the app knows which there are."""

    def __call__(self, source: SourceDescription) -> Connector:
        """The connector for a source.

        Raises:
            UnknownSource: none takes it, or nothing is there.
        """
        ...


class Knowledge:
    """The documents of a store. Get one from `Agent.knowledge`."""

    def __init__(
        self,
        *,
        store: Store,
        engine: SyncEngine,
        indexer: Indexer,
        searcher: Searcher,
        connector_for: ConnectorChooser,
        lock: AbstractContextManager[object],
    ) -> None:
        """Put it together; `lock` is held while something is written, by one thread at a time."""
        self._store = store
        self._reader = StoreReader(store)
        self._engine = engine
        self._indexer = indexer
        self._searcher = searcher
        self._connector_for = connector_for
        self._lock = lock

    def add(
        self,
        source: str | Path | SourceDescription | SourceRequest | Connector,
        *,
        tenant: str = "default",
        acl: Iterable[str] = PUBLIC,
        metadata: Metadata | None = None,
        mapping: MetadataMapping | None = None,
        allow_mass_delete: bool = False,
        retry_failed: bool = False,
        on_progress: ProgressCallback | None = None,
    ) -> SyncReport:
        """Bring the store in step with a source: new, changed and deleted documents.

        Args:
            source: a file, a folder, a glob, a URI, one of these with a connector's name and
                options, or a connector of your own. A request, as `failing` gives them, says
                tenant, access list and mapping itself.
            tenant: whose documents they are.
            acl: principals who may see them, such as `user:ana` or `group:staff`. Without one, new
                documents are open to the tenant or as the source says, and known ones keep the
                list they have; `everyone` opens them again.
            metadata: added to each document, for filters.
            mapping: what else becomes of the metadata that source and format tell.
            allow_mass_delete: delete even when more than half of the source's documents are gone.
            retry_failed: read again what failed for good and has not changed.
            on_progress: called after every step, from this thread or another, never twice at once.

        Returns:
            What was done; every item found is in exactly one of its counts.

        Raises:
            UnknownSource: nothing is there, or no connector takes it.
            UsageError: an option, a principal or a metadata value is none.
            StoreError: the store was opened for reading.
        """
        if isinstance(source, SourceRequest):
            tenant, acl, mapping = source.tenant, source.acl, source.mapping
            source = source.source
        mapping = mapping or MetadataMapping()
        mapping = replace(mapping, add=check_metadata({**mapping.add, **(metadata or {})}))
        options = SyncOptions(
            tenant=tenant,
            acl=frozenset((acl,) if isinstance(acl, str) else acl),
            mapping=mapping,
            allow_mass_delete=allow_mass_delete,
            retry_failed=retry_failed,
        )
        recipe = None
        if isinstance(source, str | Path | SourceDescription):
            described = _described(source)
            recipe = to_recipe(
                SourceRequest(source=described, tenant=tenant, acl=options.acl, mapping=mapping)
            )
            source = self._connector_for(described)
        if not hasattr(source, "source_uri"):
            raise UsageError(
                f"a source is a path, a URI, a SourceDescription or a connector, not "
                f"{type(source).__name__}; add several one by one"
            )
        with self._lock:
            return self._engine.sync(
                source, options=options, recipe=recipe, on_progress=on_progress
            )

    def connector(self, source: str | Path | SourceDescription) -> Connector:
        """The connector that `add` would use.

        Raises:
            UnknownSource: nothing is there, or no connector takes it.
            UsageError: an option is wrong.
        """
        return self._connector_for(_described(source))

    def failing(self, *, tenant: str = "default") -> list[SourceRequest]:
        """The sources with failures that can be asked for again, as they were asked for.

        A run that did not end well is a failure too, whatever became of the items.
        """
        with self._store.reading() as connection:
            return [
                from_recipe(source.recipe, tenant=tenant)
                for source in list_sources(connection, tenant=tenant)
                if source.recipe is not None
                and "location" in source.recipe
                and _has_failed(connection, source.id)
            ]

    def add_texts(
        self,
        documents: Iterable[TextDocument],
        *,
        tenant: str = "default",
        source: str = "texts",
        on_progress: ProgressCallback | None = None,
    ) -> SyncReport:
        """Add or replace documents that the program itself holds; others stay as they are.

        Args:
            documents: each with a URI of its own.
            tenant: whose documents they are.
            source: the name under which they belong together.
            on_progress: called after every step.

        Raises:
            UsageError: two documents have the same URI.
            StoreError: the store was opened for reading.
        """
        connector = TextDocuments(list(documents), source_uri=f"texts:{source}")
        options = SyncOptions(tenant=tenant, delete_missing=False)
        with self._lock:
            return self._engine.sync(connector, options=options, on_progress=on_progress)

    def remove(self, uri: str | Path, *, scope: Scope = _ANYONE) -> int:
        """Remove a document, or a source with all documents that no other source has.

        Of a document at several URIs, only this one goes.

        The next `add` of a source that still holds the document brings it back.

        Args:
            uri: a document's or a source's URI, or a path.
            scope: who is asking; only documents it sees can be removed.

        Returns:
            How many documents went.

        Raises:
            UnknownDocument: neither a document nor a source that the scope sees.
        """
        with self._lock:
            return self._remove(uri, scope)

    def _remove(self, uri: str | Path, scope: Scope) -> int:
        with self._store.writing() as connection:
            sources = {s.uri: s for s in list_sources(connection, tenant=scope.tenant)}
            source = next((sources[each] for each in names_of(uri) if each in sources), None)
            removed = None
            if source is not None:
                removed = drop_source(connection, source, scope=scope)
            if removed is None:
                self.document(uri, scope=scope)
                tenant = scope.tenant
                places = [document_id_of(tenant=tenant, uri=name) for name in names_of(uri)]
                removed = list(documents_at_places(connection, places))[:1]
                detach(connection, removed)
            delete_unused_embeddings(connection)
            delete_unused_contexts(connection)
            record_action(
                connection,
                tenant=scope.tenant,
                actor=f"user:{scope.user}" if scope.user else "",
                action="remove",
                details={"documents": len(removed)},
            )
        self._indexer.apply_pending()
        return len(removed)

    def search(
        self,
        question: str,
        *,
        k: int = 10,
        scope: Scope = _ANYONE,
        where: Filter | None = None,
        ranking: Ranking = "default",
        exact: bool = False,
    ) -> SearchResult:
        """Find the chunks that answer a question best.

        Args:
            question: any text but an empty one.
            k: the most hits to return.
            scope: who is asking; what it may not see is neither returned nor ranked.
            where: a filter over document metadata, applied before ranking.
            ranking: which order to return; "default" is the best.
            exact: compare with every chunk's vector instead of searching the graph of nearest
                ones: nothing is missed, at about 20 ms for a thousand chunks.

        Returns:
            At most k hits, best first, and the stages that led to them.

        Raises:
            UsageError: the question is empty or k is out of bounds.
            StoreError: the agent is closed.
        """
        self._store.check_open()
        return self._searcher.search(
            question, k=k, scope=scope, where=where, ranking=ranking, exact=exact
        )

    def documents(self, *, scope: Scope = _ANYONE) -> list[DocumentInfo]:
        """The documents that the scope sees, by URI."""
        return self._reader.documents(scope=scope)

    def document(self, uri: str | Path, *, scope: Scope = _ANYONE) -> Document:
        """One document with its text.

        Args:
            uri: its URI, or a path.
            scope: who is asking.

        Raises:
            UnknownDocument: no document with this URI is visible in the scope.
        """
        return self._reader.document(uri, scope=scope)

    def near_duplicates(self, *, scope: Scope = _ANYONE) -> list[tuple[DocumentInfo, ...]]:
        """Groups of documents that are nearly the same, of those that the scope sees."""
        return near_duplicates_in(self._reader, scope=scope)

    def status(self, *, scope: Scope = _ANYONE) -> StoreStatus:
        """The store in numbers, and how each source's last run ended."""
        return self._reader.status(scope=scope)


def _described(source: str | Path | SourceDescription) -> SourceDescription:
    if isinstance(source, SourceDescription):
        return replace(source, location=str(source.location))  # people give a Path there too
    return SourceDescription(location=str(source))


def _has_failed(connection: Connection, source_id: int) -> bool:
    job = last_job(connection, source_id)
    return (job is not None and job.status != "done") or bool(failed_items(connection, source_id))
