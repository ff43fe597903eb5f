"""One run over one source: list, compare, read what may have changed, commit, delete what went."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ragmem.errors import SourceError, TransientSourceError, UsageError
from ragmem.ingestion.checks import check_text
from ragmem.ingestion.committing import Committer, Reading
from ragmem.ingestion.deletion import drop_items, lost_documents
from ragmem.ingestion.guarding import guarded, reason_of, storable
from ragmem.ingestion.notebook import Notebook
from ragmem.ingestion.pipeline import Belt, Stopped
from ragmem.ingestion.reading import FetchedItem, ItemReader, SyncOptions
from ragmem.ingestion.retrying import Retrier, RetryPolicy
from ragmem.ingestion.tally import Tally
from ragmem.ports import Closes, Connector, FetchesInParallel, ListsOnlyNews, TakesNotes
from ragmem.store.document_uris import document_id_of, written_as
from ragmem.store.embeddings import delete_unused_embeddings
from ragmem.store.insert import batches
from ragmem.store.sources import ItemState, Source, put_items
from ragmem.store.store import Store
from ragmem.store.written_contexts import delete_unused_contexts
from ragmem.types import SkippedItem, SourceItem

_HELD_BACK = "gone from the source, and kept until --allow-mass-delete (allow_mass_delete=True)"


@dataclass(slots=True)
class _Listing:
    """What the source has listed so far, by URI, and whether that is everything."""

    items: set[str] = field(default_factory=set)
    skipped: dict[str, str] = field(default_factory=dict)
    complete: bool = False


class SyncRun:
    """The state of one run; `run` it once."""

    def __init__(
        self,
        *,
        store: Store,
        reader: ItemReader,
        committer: Committer,
        retries: RetryPolicy,
        belt: Belt[Reading],
        connector: Connector,
        source: Source,
        options: SyncOptions,
        before: dict[str, ItemState],
        tally: Tally,
        stop: threading.Event,
    ) -> None:
        """Prepare a run.

        Args:
            before: what became of each item of the source at its last run, by URI.
            tally: counts what the run does.
            stop: set where one of the two threads gives up.
        """
        self._store = store
        self._reader = reader
        self._committer = committer
        # Apart: a listing that goes on must not make a source look up whose items are all refused.
        self._listing_retrier = Retrier(retries, stop=stop)
        self._fetching_retrier = Retrier(retries, stop=stop)
        self._belt = belt
        self._connector = connector
        self._source = source
        self._options = options
        self._before = before
        self._tally = tally
        self._stop = stop
        self._listing = _Listing()
        self._notebook: Notebook | None = None

    def run(self) -> bool:
        """Do it; the source is read in this thread, what was read is committed in another.

        Returns:
            Whether the source could be listed to its end and all went as it should.
        """
        if isinstance(self._connector, TakesNotes):
            self._notebook = Notebook(self._store, self._source.id)
            self._connector.use_notes(self._notebook)
            self._committer.notebook = self._notebook
        self._committer.start()
        try:
            self._read_all()
            self._belt.end()
        except Stopped:
            pass  # the committer failed, and joining it tells why
        except BaseException:
            self._stop.set()
            raise
        finally:
            self._end_reading()
        return self._finish()

    def _end_reading(self) -> None:
        try:
            self._committer.join()
        except KeyboardInterrupt:
            # The committer must not go on writing behind the caller's back.
            self._stop.set()
            self._committer.join()
            raise
        finally:
            self._belt.close()
            if isinstance(self._connector, Closes):
                closes = self._connector
                try:
                    guarded("the connector", closes.close)
                except SourceError as error:
                    self._tally.failed(self._source.uri, f"closing the source: {error}")
            if self._notebook is not None:
                self._notebook.save()

    def _read_all(self) -> None:
        as_written = self._as_written()
        try:
            for found in self._found():
                if isinstance(found, SourceItem):
                    self._handle(found, as_written)
            self._listing.complete = True
        except SourceError as error:
            self._tally.failed(self._source.uri, reason_of(error))

    def _as_written(self) -> set[str]:
        """The items whose documents are as they were written for them.

        Another source may have written the same document since, or someone removed it.
        """
        as_written: set[str] = set()
        for batch in batches(list(self._before)):
            places = {document_id_of(tenant=self._source.tenant, uri=uri): uri for uri in batch}
            with self._store.reading() as connection:
                written = written_as(connection, list(places))
            as_written.update(
                places[place]
                for place, document in written.items()
                if document.content_hash == self._before[places[place]].content_hash
            )
        return as_written

    def _found(self) -> Iterator[SourceItem | SkippedItem]:
        """What the source lists and the store can name."""
        for found in self._listed():
            try:
                check_text(found.uri)
                if isinstance(found, SourceItem):
                    check_text(found.fingerprint)
            except UsageError as error:
                # Such a name can be neither stored nor hashed, only reported.
                uri = str(found.uri).encode("ascii", "backslashreplace").decode()
                self._tally.discovered(uri)
                self._tally.failed(uri, reason_of(error))
                continue
            self._tally.discovered(found.uri)
            if isinstance(found, SkippedItem):
                self._listing.skipped[found.uri] = found.reason
                self._tally.skipped(found.uri, storable(found.reason))
            else:
                self._listing.items.add(found.uri)
            yield found

    def _listed(self) -> Iterator[SourceItem | SkippedItem]:
        """What the source lists, each item once; after a failure it lists from the beginning."""
        seen: set[str] = set()
        listed: Iterator[SourceItem | SkippedItem] | None = None

        def advance() -> SourceItem | SkippedItem | None:
            nonlocal listed
            with self._tally.stopwatch.timing("discover"):
                try:
                    if listed is None:
                        listed = iter(self._connector.discover())
                    # To the next new one: only that is progress.
                    return next((found for found in listed if found.uri not in seen), None)
                except BaseException:
                    listed = None  # a generator that raised is at its end
                    raise

        while True:
            found = self._listing_retrier.call(
                lambda: guarded("the connector", advance), on_wait=self._waiting
            )
            if found is None:
                return
            seen.add(found.uri)
            yield found

    def _handle(self, item: SourceItem, as_written: set[str]) -> None:
        """Decide by the fingerprint alone where it tells enough; else have the item read."""
        known = self._before.get(item.uri)
        token = self._reader.token(item)
        if known is not None and item.fingerprint and known.fingerprint == token:
            if known.status == "ok" and item.uri in as_written:
                self._tally.unchanged(item.uri)
                return
            if known.status == "failed" and not self._options.retry_failed:
                self._tally.failed(item.uri, known.reason)
                return
        if isinstance(self._connector, FetchesInParallel):
            size = item.size_bytes or 0
            self._belt.put(lambda: self._read(item, known), content_bytes=size)
            return
        fetched = self._fetch(item, known)
        content = fetched.raw.content if isinstance(fetched, FetchedItem) else b""
        self._belt.put(lambda: self._prepare(item, known, fetched), content_bytes=len(content))

    def _read(self, item: SourceItem, known: ItemState | None) -> Reading:
        return self._prepare(item, known, self._fetch(item, known))

    def _fetch(self, item: SourceItem, known: ItemState | None) -> FetchedItem | ItemState:
        try:
            return self._fetching_retrier.call(
                lambda: self._reader.fetch(item),
                on_wait=lambda seconds, reason: self._waiting(seconds, reason, item.uri),
            )
        except SourceError as error:
            return self._failed(item, known, error)

    def _prepare(
        self, item: SourceItem, known: ItemState | None, fetched: FetchedItem | ItemState
    ) -> Reading:
        if isinstance(fetched, ItemState):
            return fetched
        try:
            return self._committer.claim(fetched)
        except SourceError as error:
            return self._failed(item, known, error)

    def _failed(self, item: SourceItem, known: ItemState | None, error: SourceError) -> ItemState:
        is_transient = isinstance(error, TransientSourceError)
        return ItemState(
            uri=item.uri,
            fingerprint=self._reader.token(item),
            status="retry" if is_transient else "failed",
            reason=reason_of(error),
            # What was readable before stays until the source drops the item.
            content_hash="" if known is None else known.content_hash,
        )

    def _waiting(self, seconds: float, reason: str, uri: str | None = None) -> None:
        self._tally.waiting(uri or self._source.uri, f"{reason}; again in {seconds:.1f} s")

    def _finish(self) -> bool:
        """Delete what went, and bring the indexes in step."""
        complete = self._delete() and self._listing.complete
        self._committer.index()
        with self._tally.stopwatch.timing("store"), self._store.writing() as connection:
            if self._committer.leaves_unused_vectors:
                delete_unused_embeddings(connection)
            # A killed run may have left some for documents that never came.
            delete_unused_contexts(connection)
        if self._notebook is not None and complete:
            self._notebook.forget_unused()
        return complete

    def _delete(self) -> bool:
        """Whether what had to be deleted could be."""
        listing = self._listing
        gone = self._before.keys() - listing.items - listing.skipped.keys()
        # An incomplete listing proves nothing about what it does not name.
        only_news = isinstance(self._connector, ListsOnlyNews) and self._connector.lists_only_news
        if not listing.complete or not self._options.delete_missing or only_news:
            gone = set()
        left_out = self._before.keys() & listing.skipped.keys()
        had_documents = {uri for uri, state in self._before.items() if state.document_id}
        held_back = self._held_back(had_documents & (gone | left_out), len(had_documents))
        if held_back:
            self._tally.failed(
                self._source.uri,
                f"{held_back} of {len(had_documents)} documents are gone from the source; nothing "
                "was deleted: if that is right, allow it with --allow-mass-delete "
                "(allow_mass_delete=True)",
            )
            return False
        dropped = set(self._drop(gone))
        for uri in sorted(gone & had_documents):
            if uri in dropped:
                self._tally.deleted(uri)
            else:
                self._tally.kept(
                    uri,
                    "gone from here, and kept for another source that listed it too: sync that one "
                    "again, or take the document out with ragmem remove",
                )
        self._drop(left_out)
        return True

    def _held_back(self, leaving: set[str], documents: int) -> int:
        """How many documents would go, if that is more than goes without a word; otherwise 0."""
        was_held_back = any(self._before[uri].status == "gone" for uri in leaving)

        def are_too_many(count: int) -> bool:
            return count > 1 and (was_held_back or count > documents / 2)

        if self._options.allow_mass_delete or not are_too_many(len(leaving)):
            return 0
        with self._store.writing() as connection:
            lost = lost_documents(connection, self._source, sorted(leaving))
            if not are_too_many(len(lost)):
                return 0
            # New documents must not make these a minority at the next run.
            held = [replace(self._before[uri], status="gone", reason=_HELD_BACK) for uri in lost]
            put_items(connection, self._source, held)
        return len(lost)

    def _drop(self, uris: set[str]) -> list[str]:
        """Forget items, and name those whose document went."""
        if not uris:
            return []
        with self._tally.stopwatch.timing("store"), self._store.writing() as connection:
            dropped = drop_items(connection, self._source, sorted(uris))
        self._committer.leaves_unused_vectors = True
        return dropped
