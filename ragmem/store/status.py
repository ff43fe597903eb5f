"""A store in numbers, and how each source's last run ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from ragmem.store.chunks import count_chunks
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
        status: `done`, `failed` (the source could not be listed to its end), `running` (or killed
            while it ran) or `never`.
        counts: what the run did, by the names of `SyncReport`.
        failed: the items that cannot be read, with reasons.
    """

    uri: str
    status: Literal["done", "failed", "running", "never"]
    started_at: datetime | None
    finished_at: datetime | None
    counts: Mapping[str, int]
    failed: tuple[ItemReport, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreStatus:
    """A store in numbers.

    Attributes:
        embedding_model: what the store was embedded with; empty in a new one.
        documents: those that the scope sees, by URI.
        chunks: chunks over all tenants.
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
        return StoreStatus(
            embedding_model="" if stamp is None else stamp.embedding_model,
            documents=tuple(list_documents(connection, scope=scope)),
            chunks=count_chunks(connection),
            pending=count_pending(connection),
            sources=tuple(
                _source_status(connection, source)
                for source in list_sources(connection, tenant=scope.tenant)
                if all(
                    scope.sees(tenant=source.tenant, acl=acl)
                    for acl in access_lists(connection, source.id)
                )
            ),
        )


def _source_status(connection: Connection, source: Source) -> SourceStatus:
    job = last_job(connection, source.id)
    return SourceStatus(
        uri=source.uri,
        status="never" if job is None else job.status,
        started_at=None if job is None else job.started_at,
        finished_at=None if job is None else job.finished_at,
        counts={} if job is None else job.counts,
        failed=tuple(
            ItemReport(uri=item.uri, reason=item.reason)
            for item in failed_items(connection, source.id)
        ),
    )
