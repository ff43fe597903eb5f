"""Runs of the sync engine: when they started, how they ended, what they counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, insert, select, update

from ragmem.store.clock import utc_now
from ragmem.store.schema import jobs

_JOBS_A_SOURCE = 20

JobStatus = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One run over one source; a run that was killed stays `running` until the next one starts.

    Attributes:
        reason: why the source as a whole failed; empty otherwise.
    """

    id: int
    status: JobStatus
    started_at: datetime
    finished_at: datetime | None
    counts: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""


def start_job(connection: Connection, source_id: int) -> int:
    """Note that a run has started.

    Earlier runs of the source that never ended have failed; only the newest few are kept.
    """
    connection.execute(
        update(jobs)
        .where(jobs.c.source_id == source_id, jobs.c.status == "running")
        .values(status="failed")
    )
    result = connection.execute(
        insert(jobs).values(source_id=source_id, status="running", started_at=utc_now(), counts={})
    )
    assert result.inserted_primary_key is not None
    of_source = jobs.c.source_id == source_id
    newest = select(jobs.c.id).where(of_source).order_by(jobs.c.id.desc()).limit(_JOBS_A_SOURCE)
    connection.execute(delete(jobs).where(of_source, jobs.c.id.not_in(newest)))
    return int(result.inserted_primary_key[0])


def finish_job(
    connection: Connection,
    job_id: int,
    *,
    status: JobStatus,
    counts: Mapping[str, int],
    reason: str = "",
) -> None:
    """Note how a run ended."""
    connection.execute(
        update(jobs)
        .where(jobs.c.id == job_id)
        .values(status=status, finished_at=utc_now(), counts=dict(counts), reason=reason)
    )


def put_counts(connection: Connection, job_id: int, counts: Mapping[str, int]) -> None:
    """Note what a run has done so far: what is known of it if it is killed."""
    connection.execute(update(jobs).where(jobs.c.id == job_id).values(counts=dict(counts)))


def last_job(connection: Connection, source_id: int) -> Job | None:
    """The newest run over a source."""
    query = select(jobs).where(jobs.c.source_id == source_id).order_by(jobs.c.id.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    return Job(
        id=row["id"],
        status=row["status"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        counts=row["counts"],
        reason=row["reason"],
    )
