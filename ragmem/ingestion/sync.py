"""Brings the store in step with a source, as a job that the store remembers.

Everything a run has committed stays after a kill; the next run goes on from there.
"""

from __future__ import annotations

from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.reading import ItemReader, SyncOptions
from ragmem.ingestion.run import GroupSizes, SyncRun
from ragmem.ingestion.tally import ProgressCallback, Tally
from ragmem.ingestion.writer import DocumentWriter
from ragmem.ports import Chunker, Connector, Embedder, Parser
from ragmem.store.jobs import finish_job, start_job
from ragmem.store.sources import read_items, source_of
from ragmem.store.store import Store
from ragmem.types import SyncReport


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
    ) -> None:
        self._store = store
        self._parser = parser
        self._chunker = chunker
        self._writer = DocumentWriter(store=store, embedder=embedder)
        self._indexer = indexer
        self._sizes = sizes or GroupSizes()

    def sync(
        self,
        connector: Connector,
        *,
        options: SyncOptions,
        on_progress: ProgressCallback | None = None,
    ) -> SyncReport:
        """Bring the store in step with a source.

        Args:
            connector: the source.
            options: what the caller says about it.
            on_progress: called after every step, in this thread.

        Returns:
            What was done; an item that fails is reported and does not stop the run.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._store.writing() as connection:
            source = source_of(connection, tenant=options.tenant, uri=connector.source_uri)
            job_id = start_job(connection, source.id)
            before = read_items(connection, source.id)
        tally = Tally(on_progress=on_progress)
        run = SyncRun(
            store=self._store,
            reader=ItemReader(
                store=self._store,
                parser=self._parser,
                chunker=self._chunker,
                connector=connector,
                options=options,
                tally=tally,
            ),
            writer=self._writer,
            indexer=self._indexer,
            connector=connector,
            source=source,
            delete_missing=options.delete_missing,
            before=before,
            tally=tally,
            sizes=self._sizes,
        )
        complete = False
        try:
            complete = run.run()
        finally:
            self._finish(job_id, tally.report(), complete=complete)
        return tally.report()

    def _finish(self, job_id: int, report: SyncReport, *, complete: bool) -> None:
        with self._store.writing() as connection:
            finish_job(
                connection,
                job_id,
                status="done" if complete else "failed",
                counts={
                    "added": report.added,
                    "updated": report.updated,
                    "unchanged": report.unchanged,
                    "deleted": report.deleted,
                    "failed": len(report.failed),
                    "skipped": len(report.skipped),
                },
            )
