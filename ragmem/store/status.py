"""A store in numbers, and how each source's last run ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection

from ragmem.store.documents import list_documents
from ragmem.store.index_ops import count_pending
from ragmem.store.jobs import last_job
from ragmem.store.sources import Source, access_lists, failed_items, list_sources
from ragmem.store.stamp import read_stamp
from ragmem.store.store import Store
from ragmem.types import DocumentInfo, ItemReport, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """A source and its last run.

    Attributes:
        connector: the connector's name; empty where it was not told.
        status: `done`, `failed` (the source could not be listed to its end), `running`,
            `interrupted` (the process was killed) or `never`.
        counts: what the run did, by the names of `SyncReport`.
        failed: the items that cannot be read, with reasons.
        reason: why the source as a whole failed; empty otherwise.
    """

    uri: str
    connector: str = ""
    status: Literal["done", "failed", "running", "interrupted", "never"]
    started_at: datetime | None
    finished_at: datetime | None
    counts: Mapping[str, int]
    failed: tuple[ItemReport, ...]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """A store in numbers.

    Attributes:
        embedding_model: what the store was embedded with; empty in a new one.
        documents: those that the scope sees, by URI.
        chunks: how many chunks these have.
        pending: changes that the indexes have not made yet.
        sources: the tenant's sources, by URI; those with a document that the scope does not see
            are left out, for their names and failures would tell of it.
    """

    embedding_model: str
    documents: tuple[DocumentInfo, ...]
    chunks: int
    pending: int
    sources: tuple[SourceStatus, ...]


def read_status(store: Store, *, scope: Scope) -> StoreStatus:
    """Read the numbers in one consistent view."""
    with store.reading() as connection:
        stamp = read_stamp(connection)
        documents = tuple(list_documents(connection, scope=scope))
        return StoreStatus(
            embedding_model="" if stamp is None else stamp.embedding_model,
            documents=documents,
            chunks=sum(document.chunks for document in documents),
            pending=count_pending(connection),
            sources=tuple(
                _source_status(connection, source, nobody_writes=store.read_only)
                for source in list_sources(connection, tenant=scope.tenant)
                if all(
                    scope.sees(tenant=source.tenant, acl=acl)
                    for acl in access_lists(connection, source)
                )
            ),
        )


def _source_status(connection: Connection, source: Source, *, nobody_writes: bool) -> SourceStatus:
    job = last_job(connection, source.id)
    # Readers share the store's lock: a run that they find running has no process any more.
    killed = job is not None and job.status == "running" and nobody_writes
    return SourceStatus(
        uri=source.uri,
        connector=str((source.recipe or {}).get("connector") or ""),
        status="never" if job is None else "interrupted" if killed else job.status,
        started_at=None if job is None else _with_zone(job.started_at),
        finished_at=None if job is None else _with_zone(job.finished_at),
        counts={} if job is None else job.counts,
        reason="" if job is None else job.reason,
        failed=tuple(
            ItemReport(uri=item.uri, reason=item.reason)
            for item in failed_items(connection, source.id)
        ),
    )


def _with_zone(at: datetime | None) -> datetime | None:
    """The store keeps UTC, and says so to whoever reads it."""
    return None if at is None else at.replace(tzinfo=UTC)
