"""Brings the store in step with a source, as a job that the store remembers.

Everything a run has committed stays after a kill; the next run goes on from there.
"""

from __future__ import annotations

import threading
import time

from ragmem.ingestion.committing import Committer, GroupSizes, Reading
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.pipeline import Belt, BeltSizes
from ragmem.ingestion.reading import ItemReader, SyncOptions
from ragmem.ingestion.retrying import RetryPolicy
from ragmem.ingestion.run import SyncRun
from ragmem.ingestion.tally import ProgressCallback, Tally
from ragmem.ingestion.writer import DocumentWriter
from ragmem.ports import Chunker, Connector, Embedder, FetchesInParallel, Parser
from ragmem.store.jobs import JobStatus, finish_job, put_counts, start_job
from ragmem.store.sources import (
    ItemState,
    Source,
    SourceRecipe,
    describe_source,
    read_items,
    source_of,
)
from ragmem.store.store import Store
from ragmem.types import SyncReport

_COUNTS_SECONDS = 5.0
_MOST_THREADS = 8


class SyncEngine:
    """Syncs sources into a store. One run at a time."""

    def __init__(
        self,
        *,
        store: Store,
        parser: Parser,
        chunker: Chunker,
        embedder: Embedder,
        indexer: Indexer,
        sizes: GroupSizes | None = None,
        retries: RetryPolicy | None = None,
    ) -> None:
        self._store = store
        self._parser = parser
        self._chunker = chunker
        self._writer = DocumentWriter(store=store, embedder=embedder)
        self._indexer = indexer
        self._sizes = sizes or GroupSizes()
        self._retries = retries or RetryPolicy()

    def sync(
        self,
        connector: Connector,
        *,
        options: SyncOptions,
        recipe: SourceRecipe | None = None,
        on_progress: ProgressCallback | None = None,
    ) -> SyncReport:
        """Bring the store in step with a source.

        Args:
            connector: the source; read in this thread.
            options: what the caller says about it.
            recipe: how the caller asked for it, kept so that it can be asked for again.
            on_progress: called after every step, in this thread or another, never twice at once.

        Returns:
            What was done; an item that fails is reported and does not stop the run.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._store.writing() as connection:
            source = source_of(connection, tenant=options.tenant, uri=connector.source_uri)
            describe_source(connection, source.id, recipe or {"acl": sorted(options.acl)})
            job_id = start_job(connection, source.id)
            before = read_items(connection, source.id)
        tally = Tally(on_progress=on_progress)
        job = _RunningJob(self._store, job_id, tally)
        run = self._run(connector, source, options=options, before=before, tally=tally, job=job)
        complete = False
        try:
            complete = run.run()
        finally:
            reasons = tally.reasons_of(source.uri)
            if not complete and not reasons:
                reasons = ["it was stopped before its end"]
            job.finish("done" if complete else "failed", reason="; ".join(reasons))
        return tally.report()

    def _run(
        self,
        connector: Connector,
        source: Source,
        *,
        options: SyncOptions,
        before: dict[str, ItemState],
        tally: Tally,
        job: _RunningJob,
    ) -> SyncRun:
        """Put the parts of a run together."""
        stop = threading.Event()
        belt: Belt[Reading] = Belt(_belt_sizes(connector), stop=stop)
        reader = ItemReader(
            store=self._store,
            parser=self._parser,
            chunker=self._chunker,
            connector=connector,
            options=options,
            tally=tally,
            stop=stop,
        )
        committer = Committer(
            store=self._store,
            source=source,
            reader=reader,
            writer=self._writer,
            indexer=self._indexer,
            belt=belt,
            sizes=self._sizes,
            tally=tally,
            stop=stop,
            on_commit=job.note_counts,
        )
        return SyncRun(
            store=self._store,
            reader=reader,
            committer=committer,
            retries=self._retries,
            belt=belt,
            connector=connector,
            source=source,
            options=options,
            before=before,
            tally=tally,
            stop=stop,
        )


class _RunningJob:
    """Keeps a job's row in step with what the run counts."""

    def __init__(self, store: Store, job_id: int, tally: Tally) -> None:
        self._store = store
        self._job_id = job_id
        self._tally = tally
        self._noted_at = time.monotonic()

    def note_counts(self) -> None:
        """Note the counts, unless that was done a moment ago."""
        if time.monotonic() - self._noted_at < _COUNTS_SECONDS:
            return
        self._noted_at = time.monotonic()
        with self._store.writing() as connection:
            put_counts(connection, self._job_id, self._tally.counts())

    def finish(self, status: JobStatus, *, reason: str) -> None:
        """Note how the run ended."""
        with self._store.writing() as connection:
            finish_job(
                connection,
                self._job_id,
                status=status,
                counts=self._tally.counts(),
                reason=reason,
            )


def _belt_sizes(connector: Connector) -> BeltSizes:
    sizes = BeltSizes()
    if isinstance(connector, FetchesInParallel):
        threads = min(max(sizes.threads, connector.parallel_fetches), _MOST_THREADS)
        return BeltSizes(threads=threads)
    return sizes
