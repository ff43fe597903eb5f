"""One run over one source: list, compare, read what may have changed, commit, delete what went."""

from __future__ import annotations

from dataclasses import dataclass

from ragmem.errors import PermanentSourceError, SourceError, UsageError
from ragmem.ingestion.checks import check_text
from ragmem.ingestion.deletion import drop_items
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.reading import ItemReader, guarded
from ragmem.ingestion.tally import Tally
from ragmem.ingestion.writer import DocumentWriter, PreparedDocument
from ragmem.ports import Connector
from ragmem.store.documents import WrittenAs, written_as
from ragmem.store.embeddings import delete_unused_embeddings
from ragmem.store.sources import ItemState, Source, put_items
from ragmem.store.store import Store
from ragmem.types import SkippedItem, SourceItem


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSizes:
    """How much work is done before the next step.

    Attributes:
        chunks, documents: a group is committed when it holds this many of either: large enough
            that sorting by length pays and commits cost little, small enough that a kill loses a
            second or two.
        indexing: the indexes follow when this many documents wait: each of their commits costs
            tens of milliseconds.
    """

    chunks: int = 128
    documents: int = 64
    indexing: int = 1024


class SyncRun:
    """The state of one run; `run` it once."""

    def __init__(
        self,
        *,
        store: Store,
        reader: ItemReader,
        writer: DocumentWriter,
        indexer: Indexer,
        connector: Connector,
        source: Source,
        delete_missing: bool,
        before: dict[str, ItemState],
        tally: Tally,
        sizes: GroupSizes,
    ) -> None:
        """Prepare a run.

        Args:
            delete_missing: whether documents that the source no longer lists are deleted.
            before: what became of each item of the source at its last run, by URI.
            tally: counts what the run does.
            sizes: how much work is done before the next step.
        """
        self._store = store
        self._reader = reader
        self._writer = writer
        self._indexer = indexer
        self._connector = connector
        self._source = source
        self._delete_missing = delete_missing
        self._before = before
        self._tally = tally
        self._sizes = sizes
        self._group: list[PreparedDocument] = []
        self._states: list[ItemState] = []
        self._waiting = 0
        self._leaves_unused_vectors = False

    def run(self) -> bool:
        """Do it.

        Returns:
            Whether the source could be listed to its end.
        """
        items, skipped, complete = self._discover()
        documents = [state.document_id for state in self._before.values() if state.document_id]
        with self._store.reading() as connection:
            written = written_as(connection, documents)
        for item in items.values():
            self._handle(item, written)
        self._flush()
        for left_out in skipped.values():
            self._tally.skipped(left_out.uri, left_out.reason)
        gone = self._before.keys() - items.keys() - skipped.keys()
        # An incomplete listing proves nothing about what it does not name.
        if complete and self._delete_missing:
            for uri in self._drop(gone):
                self._tally.deleted(uri)
        self._drop(self._before.keys() & skipped.keys())
        self._index()
        if self._leaves_unused_vectors:
            with self._tally.stopwatch.timing("store"), self._store.writing() as connection:
                delete_unused_embeddings(connection)
        return complete

    def _discover(self) -> tuple[dict[str, SourceItem], dict[str, SkippedItem], bool]:
        items: dict[str, SourceItem] = {}
        skipped: dict[str, SkippedItem] = {}

        def listen() -> None:
            for found in self._connector.discover():
                if found.uri in items or found.uri in skipped:
                    continue
                try:
                    check_text(found.uri)
                except UsageError as error:
                    # Such a name can be neither stored nor hashed, only reported.
                    uri = found.uri.encode("ascii", "backslashreplace").decode()
                    self._tally.discovered(uri)
                    self._tally.failed(uri, str(error))
                    continue
                if isinstance(found, SkippedItem):
                    skipped[found.uri] = found
                else:
                    items[found.uri] = found
                self._tally.discovered(found.uri)

        with self._tally.stopwatch.timing("discover"):
            try:
                guarded("the connector", listen)
            except SourceError as error:
                self._tally.failed(self._connector.source_uri, str(error))
                return items, skipped, False
        return items, skipped, True

    def _handle(self, item: SourceItem, written: dict[str, WrittenAs]) -> None:
        """Decide by the fingerprint alone where it tells enough; else read the item."""
        known = self._before.get(item.uri)
        token = self._reader.token(item)
        if known is not None and item.fingerprint and known.fingerprint == token:
            # Another source may have written the same document since, or someone removed it.
            document = written.get(known.document_id or "")
            as_written = document is not None and document.content_hash == known.content_hash
            if known.status == "ok" and as_written:
                self._tally.unchanged(item.uri)
                return
            if known.status == "failed":
                self._tally.failed(item.uri, known.reason)
                return
        try:
            read = self._reader.read(item)
        except SourceError as error:
            self._states.append(
                ItemState(
                    uri=item.uri,
                    fingerprint=token,
                    status="failed" if isinstance(error, PermanentSourceError) else "retry",
                    reason=str(error),
                    # What was readable before stays until the source drops the item.
                    document_id=None if known is None else known.document_id,
                    content_hash="" if known is None else known.content_hash,
                )
            )
            self._tally.failed(item.uri, str(error))
            return
        if isinstance(read, ItemState):
            self._states.append(read)
            self._tally.unchanged(item.uri)
            return
        self._tally.parsed(item.uri)
        self._group.append(read)
        chunks_waiting = sum(len(prepared.chunks) for prepared in self._group)
        if chunks_waiting >= self._sizes.chunks or len(self._group) >= self._sizes.documents:
            self._flush()

    def _flush(self) -> None:
        """Embed and commit the documents that are prepared, and note the other items' states."""
        group, self._group = self._group, []
        states, self._states = self._states, []
        if states:
            with self._store.writing() as connection:
                put_items(connection, self._source.id, states)
        if not group:
            return
        texts = [chunk.embedded_text for prepared in group for chunk in prepared.chunks]
        with self._tally.stopwatch.timing("embed"):
            embedded = self._writer.embed_missing(texts, on_progress=self._tally.embedding)
        self._tally.embedded(embedded)
        with self._tally.stopwatch.timing("store"):
            new_ids = self._writer.write(self._source.id, group)
        for prepared in group:
            is_new = prepared.document.id in new_ids
            self._leaves_unused_vectors |= not is_new
            self._tally.committed(
                prepared.document.uri,
                is_new=is_new,
                chunks=len(prepared.chunks),
                warnings=prepared.warnings,
            )
        self._waiting += len(group)
        if self._waiting >= self._sizes.indexing:
            self._index()

    def _index(self) -> None:
        with self._tally.stopwatch.timing("index"):
            self._indexer.apply_pending(on_progress=self._tally.indexing)
        self._waiting = 0

    def _drop(self, uris: set[str]) -> list[str]:
        """Forget items, delete the documents that only they stood for, and name those."""
        if not uris:
            return []
        states = [self._before[uri] for uri in sorted(uris)]
        documents = {s.document_id: s.uri for s in states if s.document_id is not None}
        with self._tally.stopwatch.timing("store"), self._store.writing() as connection:
            dropped = drop_items(
                connection, self._source, [state.uri for state in states], list(documents)
            )
        self._leaves_unused_vectors = True
        return [documents[document_id] for document_id in dropped]
