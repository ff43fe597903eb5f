"""Which chunk belongs to which document and tenant, and who may see it: SQLite beside Chroma.

Chroma holds vectors by chunk id and nothing else. Its own metadata filters took 24 to 146 ms at
100,000 chunks and cannot order strings; a row here costs microseconds, and each distinct audience
and metadata value is judged once (see `attributes.py`; metadata is in `metadata_sets.py`). The
vectors themselves are not this module's business.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragmem.filters import Filter
from ragmem.indexes.attributes import encode_audience, sees
from ragmem.indexes.index_file import IndexFile
from ragmem.indexes.metadata_sets import SCHEMA, MetadataSets
from ragmem.types import IndexEntry, Metadata, Scope

_FORMAT = 2
_SCHEMA = f"""
CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY, collection TEXT NOT NULL, tombstones INTEGER NOT NULL DEFAULT 0);
CREATE TABLE audiences (code INTEGER PRIMARY KEY, tenant TEXT NOT NULL, value TEXT UNIQUE);
CREATE INDEX audiences_tenant ON audiences (tenant);
CREATE TABLE entries (
    chunk_id TEXT PRIMARY KEY, document_id TEXT NOT NULL,
    audience INTEGER NOT NULL, metadata INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX entries_document ON entries (document_id);
CREATE INDEX entries_audience ON entries (audience);
CREATE INDEX entries_metadata ON entries (metadata, audience);
CREATE TABLE left_behind (
    audience INTEGER NOT NULL, metadata INTEGER NOT NULL, PRIMARY KEY (audience, metadata))
    WITHOUT ROWID;
{SCHEMA}"""
# The plus keeps SQLite from multiplying the two lists.
_ADMITTED = (
    "metadata IN (SELECT value FROM json_each(?)) AND +audience IN (SELECT value FROM json_each(?))"
)
_VISIBLE = "audience IN (SELECT value FROM json_each(?))"
_REMEMBERED_FILTERS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a search may see of a tenant.

    Attributes:
        audiences: codes of the tenants with access lists that the scope may see.
        metadata: codes of the metadata sets that the filter admits; None without a filter.
        admitted, total: numbers of chunks.
    """

    audiences: frozenset[int]
    metadata: frozenset[int] | None
    admitted: int
    total: int


class Roster:
    """The rows of one index. Thread-safe; every change is on disk when its method returns."""

    def __init__(self, path: Path, *, dimensions: int, index: str = "dense") -> None:
        """Open the file, creating it where there is none.

        Args:
            path: the file.
            dimensions: of the vectors beside it.
            index: what messages call the index.

        Raises:
            StoreMismatch: it was written in another format or for vectors of another length.
            StoreCorrupt: it is no readable database.
        """
        self._audiences: dict[str, list[tuple[int, str, int]]] = {}
        self._admissions: dict[tuple[object, ...], Admission] = {}
        self._file = IndexFile(
            path,
            index=index,
            schema=_SCHEMA,
            format_version=_FORMAT,
            made_for=("dimensions", str(dimensions)),
        )
        self._metadata = MetadataSets(self._file.connection)

    def close(self) -> None:
        """Fold the log into the file and close it."""
        self._file.close()

    # --- tenants ---------------------------------------------------------------------------------

    def collection(self, tenant: str) -> str | None:
        """The name of the tenant's Chroma collection, None before its first entry."""
        rows = self._rows("SELECT collection FROM tenants WHERE tenant = ?", (tenant,))
        return str(rows[0][0]) if rows else None

    def collections(self) -> dict[str, str]:
        """Every tenant's collection."""
        return dict(self._rows("SELECT tenant, collection FROM tenants"))

    def assign(self, tenant: str, collection: str) -> None:
        """Give the tenant a new collection, without tombstones."""
        with self._change() as connection:
            connection.execute("REPLACE INTO tenants VALUES (?, ?, 0)", (tenant, collection))

    def bury(self, tenant: str, vectors: int) -> None:
        """Count vectors that were removed from the tenant's collection."""
        with self._change() as connection:
            connection.execute(
                "UPDATE tenants SET tombstones = tombstones + ? WHERE tenant = ?", (vectors, tenant)
            )

    def tombstones(self) -> dict[str, tuple[int, int]]:
        """By tenant, the vectors removed since its collection was made, and its entries."""
        counts = self._rows(
            "SELECT tenant, tombstones, (SELECT count(*) FROM entries JOIN audiences a "
            "ON a.code = entries.audience WHERE a.tenant = tenants.tenant) "
            "FROM tenants WHERE tombstones > 0"
        )
        return {tenant: (removed, entries) for tenant, removed, entries in counts}

    # --- entries ---------------------------------------------------------------------------------

    def put(self, entries: Sequence[IndexEntry]) -> None:
        """Add or replace rows; the last of several with one chunk id counts."""
        latest = {entry.chunk_id: entry for entry in entries}
        with self._change() as connection:
            self._leave_behind(connection, latest)
            audiences: dict[str, int] = {}
            # Neighbours mostly share a document's metadata.
            last: tuple[Metadata, int] | None = None
            for entry in latest.values():
                audience = encode_audience(entry)
                if audience not in audiences:
                    audiences[audience] = _code(connection, entry.tenant, audience)
                if last is None or last[0] is not entry.metadata:
                    last = (entry.metadata, self._metadata.code(entry.metadata))
                connection.execute(
                    "REPLACE INTO entries VALUES (?, ?, ?, ?)",
                    (entry.chunk_id, entry.document_id, audiences[audience], last[1]),
                )

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Remove rows; unknown ids are no error."""
        with self._change() as connection:
            self._leave_behind(connection, chunk_ids)
            connection.executemany(
                "DELETE FROM entries WHERE chunk_id = ?", [(key,) for key in chunk_ids]
            )

    def sweep(self) -> None:
        """Remove audiences and metadata that no entry has any more."""
        unused = "NOT EXISTS (SELECT 1 FROM entries WHERE entries.{0} = left_behind.{0})"
        if not self._rows("SELECT 1 FROM left_behind LIMIT 1"):
            return
        with self._change() as connection:
            gone = connection.execute(
                f"SELECT DISTINCT metadata FROM left_behind WHERE {unused.format('metadata')}"
            )
            self._metadata.remove([row[0] for row in gone.fetchall()])
            connection.execute(
                "DELETE FROM audiences WHERE code IN "
                f"(SELECT audience FROM left_behind WHERE {unused.format('audience')})"
            )
            connection.execute("DELETE FROM left_behind")

    def of_documents(self, document_ids: Sequence[str]) -> list[str]:
        """The chunk ids of these documents."""
        rows = self._rows(
            "SELECT chunk_id FROM entries WHERE document_id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(document_ids)),),
        )
        return [row[0] for row in rows]

    def by_tenant(self, chunk_ids: Sequence[str]) -> dict[str, list[str]]:
        """Those of these chunks that there are, by tenant."""
        found: dict[str, list[str]] = {}
        for tenant, chunk_id in self._rows(
            "SELECT a.tenant, e.chunk_id FROM json_each(?) j "
            "JOIN entries e ON e.chunk_id = j.value JOIN audiences a ON a.code = e.audience",
            (json.dumps(list(dict.fromkeys(chunk_ids))),),
        ):
            found.setdefault(tenant, []).append(chunk_id)
        return found

    def ids(self) -> set[str]:
        """Every chunk id."""
        return {row[0] for row in self._rows("SELECT chunk_id FROM entries")}

    # --- who sees what ---------------------------------------------------------------------------

    def admission(self, scope: Scope, where: Filter | None) -> Admission:
        """What the scope sees and the filter admits."""
        # By the filter's text, because Python holds filters for 1 and for True to be equal.
        key = (scope.tenant, scope.principals, repr(where))
        with self._file.reading():
            known = self._admissions.get(key)
            if known is not None:
                return known
            held = self._tenant_audiences(scope.tenant)
            visible = [(code, count) for code, value, count in held if sees(scope, value)]
            audiences = frozenset(code for code, _ in visible)
            total = sum(count for _, _, count in held)
            if where is None:
                admitted, metadata = sum(count for _, count in visible), None
            else:
                metadata = self._admitted_metadata(where)
                lists = (_listed(metadata), _listed(audiences))
                admitted = self._rows(f"SELECT count(*) FROM entries WHERE {_ADMITTED}", lists)[0][
                    0
                ]
            result = Admission(
                audiences=audiences, metadata=metadata, admitted=admitted, total=total
            )
            if len(self._admissions) >= _REMEMBERED_FILTERS:
                self._admissions.clear()
            self._admissions[key] = result
            return result

    def holding(self, admission: Admission) -> list[str]:
        """The chunk ids that are admitted."""
        condition, lists = _VISIBLE, [_listed(admission.audiences)]
        if admission.metadata is not None:
            condition, lists = _ADMITTED, [_listed(admission.metadata), *lists]
        rows = self._rows(f"SELECT chunk_id FROM entries WHERE {condition}", lists)
        return [row[0] for row in rows]

    def keep(self, chunk_ids: Sequence[str], admission: Admission) -> set[str]:
        """Those of these chunks that are admitted."""
        rows = self._rows(
            "SELECT e.chunk_id, e.audience, e.metadata "
            "FROM json_each(?) j JOIN entries e ON e.chunk_id = j.value",
            (json.dumps(list(chunk_ids)),),
        )
        return {
            chunk_id
            for chunk_id, audience, metadata in rows
            if audience in admission.audiences
            and (admission.metadata is None or metadata in admission.metadata)
        }

    # --- inside ----------------------------------------------------------------------------------

    def _leave_behind(self, connection: sqlite3.Connection, chunk_ids: Collection[str]) -> None:
        """Note what these chunks hold now: the next sweep looks whether others do."""
        connection.execute(
            "INSERT INTO left_behind SELECT DISTINCT audience, metadata FROM entries "
            "WHERE chunk_id IN (SELECT value FROM json_each(?)) ON CONFLICT DO NOTHING",
            (json.dumps(list(chunk_ids)),),
        )

    def _tenant_audiences(self, tenant: str) -> Sequence[tuple[int, str, int]]:
        if tenant not in self._audiences:
            rows = self._rows(
                "SELECT code, value, (SELECT count(*) FROM entries WHERE audience = code) "
                "FROM audiences WHERE tenant = ?",
                (tenant,),
            )
            self._audiences[tenant] = [(code, value, count) for code, value, count in rows]
        return self._audiences[tenant]

    def _admitted_metadata(self, where: Filter) -> frozenset[int]:
        with self._file.reading():
            return self._metadata.admitted(where)

    def _rows(self, statement: str, parameters: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        with self._file.reading() as connection:
            return connection.execute(statement, parameters).fetchall()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._file.changing() as connection:
            self._audiences.clear()
            self._metadata.forget()
            self._admissions.clear()
            yield connection


def _code(connection: sqlite3.Connection, tenant: str, audience: str) -> int:
    """The audience's code; it is added where it is not there yet."""
    connection.execute(
        "INSERT INTO audiences (tenant, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (tenant, audience),
    )
    row = connection.execute("SELECT code FROM audiences WHERE value = ?", (audience,))
    return int(row.fetchone()[0])


def _listed(codes: frozenset[int]) -> str:
    return json.dumps(sorted(codes))
