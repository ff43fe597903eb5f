"""Commits what was read, in groups and in order, in a thread of its own.

Embedding happens here too: it is the longest part, and the next documents are read meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ragmem.errors import SourceError
from ragmem.ingestion.allocator import give_back_memory
from ragmem.ingestion.guarding import reason_of
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.notebook import Notebook
from ragmem.ingestion.pipeline import Belt, Stopped
from ragmem.ingestion.reading import FetchedItem, ItemReader
from ragmem.ingestion.tally import Tally
from ragmem.ingestion.writer import CopiedItem, DocumentWriter, PreparedDocument
from ragmem.store.documents import same_content
from ragmem.store.sources import ItemState, Source, put_items
from ragmem.store.store import Store

_LARGE_CHARACTERS = 2**20
_IDLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """An item whose content was read before, and the item itself in case that is not stored."""

    copied: CopiedItem
    fetched: FetchedItem


Reading = PreparedDocument | Copy | ItemState
"""What reading an item came to: a document, a copy of one, or only the item's new state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSizes:
    """How much work is done before the next step.

    Attributes:
        chunks, documents: a group is committed when it holds this many of either: large enough
            that sorting by length pays and commits cost little, small enough that a kill loses a
            second or two.
        content_bytes: so is one whose copies hold this much: unlike documents, they keep their
            content until it is known to be stored.
        indexing: the indexes follow when this many documents wait: each of their commits costs
            tens of milliseconds.
    """

    chunks: int = 128
    documents: int = 64
    content_bytes: int = 16 * 2**20
    indexing: int = 1024


class Committer:
    """Takes readings off a belt until it ends; `start`, then `join`."""

    def __init__(
        self,
        *,
        store: Store,
        source: Source,
        reader: ItemReader,
        writer: DocumentWriter,
        indexer: Indexer,
        belt: Belt[Reading],
        sizes: GroupSizes,
        tally: Tally,
        stop: threading.Event,
        on_commit: Callable[[], None],
    ) -> None:
        """Prepare; `on_commit` is called now and then after a group was committed."""
        self._store = store
        self._source = source
        self._reader = reader
        self._writer = writer
        self._indexer = indexer
        self._belt = belt
        self._sizes = sizes
        self._tally = tally
        self._stop = stop
        self._on_commit = on_commit
        self.notebook: Notebook | None = None
        self.leaves_unused_vectors = False
        self._group: list[PreparedDocument | Copy] = []
        self._states: list[ItemState] = []
        self._waiting = 0
        self._claimed: set[str] = set()
        self._claiming = threading.Lock()
        self._failure: BaseException | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ragmem-commit", daemon=True)

    def claim(self, fetched: FetchedItem) -> PreparedDocument | Copy:
        """Parse an item, unless the same content was or is being parsed; any thread may call it.

        Raises:
            SourceError: it cannot be parsed.
        """
        key = fetched.content_key
        with self._claiming:
            is_first = key not in self._claimed
            self._claimed.add(key)
        if is_first:
            with self._store.reading() as connection:
                stored = same_content(connection, tenant=self._source.tenant, content_key=key)
            if stored is None:
                return self._reader.prepare(fetched)
        return Copy(copied=self._reader.as_copy(fetched), fetched=fetched)

    def start(self) -> None:
        """Begin taking readings."""
        self._thread.start()

    def join(self) -> None:
        """Wait until everything is committed.

        Raises:
            StoreError: the store failed; what was committed stays.
        """
        # An interrupt while a thread is joined makes Python up to 3.12 believe that it has ended.
        self._ended.wait()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def index(self) -> None:
        """Bring the indexes in step with what is committed."""
        with self._tally.stopwatch.timing("index"):
            self._indexer.apply_pending(on_progress=self._tally.indexing)
        if self._waiting:
            give_back_memory()
        self._waiting = 0

    def _run(self) -> None:
        try:
            for future in self._belt.take(idle_seconds=_IDLE_SECONDS):
                if future is None:
                    self._flush()  # a slow source: what is there is safe before more comes
                else:
                    self._take(future.result())
            self._flush()
        except Stopped:
            pass  # the other thread failed, and raises what happened
        except BaseException as error:  # noqa: BLE001 - `join` raises it in the other thread
            self._failure = error
            self._stop.set()
        finally:
            self._ended.set()

    def _take(self, reading: Reading) -> None:
        if isinstance(reading, ItemState):
            self._states.append(reading)
            if reading.status == "ok":
                self._tally.unchanged(reading.uri)
            else:
                self._tally.failed(reading.uri, reading.reason)
        else:
            if isinstance(reading, PreparedDocument):
                self._tally.parsed(reading.document.uri)
            self._group.append(reading)
        if self._is_full():
            self._flush()

    def _is_full(self) -> bool:
        chunks = sum(len(each.chunks) for each in self._documents())
        held = sum(len(each.fetched.raw.content) for each in self._group if isinstance(each, Copy))
        return (
            chunks >= self._sizes.chunks
            or len(self._group) + len(self._states) >= self._sizes.documents
            or held >= self._sizes.content_bytes
        )

    def _documents(self) -> list[PreparedDocument]:
        return [each for each in self._group if isinstance(each, PreparedDocument)]

    def _flush(self) -> None:
        """Embed and commit the documents that are prepared, and note the other items' states."""
        while self._group or self._states:
            self._embed()
            group, self._group = self._group, []
            states, self._states = self._states, []
            self._note(states)
            self._commit(group)
            is_large = _characters(group) > _LARGE_CHARACTERS
            del group
            if is_large:
                give_back_memory()
            if self.notebook is not None:
                self.notebook.save()
            self._on_commit()
        if self._waiting >= self._sizes.indexing:
            self.index()

    def _note(self, states: list[ItemState]) -> None:
        if states:
            with self._tally.stopwatch.timing("store"), self._store.writing() as connection:
                put_items(connection, self._source, states)

    def _embed(self) -> None:
        documents = [(each.document.text, each.chunks) for each in self._documents()]
        if documents:
            with self._tally.stopwatch.timing("embed"):
                embedded = self._writer.embed_missing(documents, on_progress=self._tally.embedding)
            self._tally.embedded(embedded)

    def _commit(self, group: list[PreparedDocument | Copy]) -> None:
        if not group:
            return
        items = [each.copied if isinstance(each, Copy) else each for each in group]
        with self._tally.stopwatch.timing("store"):
            written = self._writer.write(self._source, items)
        missing = {copied.item.uri for copied in written.missing}
        for each in group:
            uri = _uri_of(each)
            is_new = uri in written.new
            self.leaves_unused_vectors |= not is_new
            if uri in missing:
                assert isinstance(each, Copy)
                self._parse_after_all(each.fetched)
            elif isinstance(each, Copy) or uri in written.copies:
                self._tally.copied(uri, is_new=is_new, is_copy=uri in written.copies)
            else:
                self._tally.committed(
                    uri, is_new=is_new, chunks=len(each.chunks), warnings=each.warnings
                )
        self._waiting += len(group)

    def _parse_after_all(self, fetched: FetchedItem) -> None:
        """The document that this was a copy of could not be read, or has changed meanwhile."""
        try:
            self._group.append(self._reader.prepare(fetched))
        except SourceError as error:
            state = ItemState(
                uri=fetched.raw.uri,
                fingerprint=fetched.state.fingerprint,
                status="failed",
                reason=reason_of(error),
            )
            self._states.append(state)
            self._tally.failed(state.uri, state.reason)


def _uri_of(each: PreparedDocument | Copy) -> str:
    return each.copied.item.uri if isinstance(each, Copy) else each.document.uri


def _characters(group: list[PreparedDocument | Copy]) -> int:
    return sum(len(each.document.text) for each in group if isinstance(each, PreparedDocument))
