"""Which chunk belongs to which document and tenant, and who may see it: SQLite beside Chroma.

Chroma holds vectors by chunk id and nothing else. Its own metadata filters took 24 to 146 ms at
100,000 chunks and cannot order strings; a row here costs microseconds, and each distinct set of
attributes is judged once (see `attributes.py`). The vectors themselves are not
this module's business.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragmem.errors import StoreCorrupt, StoreError, StoreMismatch
from ragmem.filters import Filter
from ragmem.indexes.attributes import Attributes, decode, encode
from ragmem.types import IndexEntry, Scope

_FORMAT = 1
_SCHEMA = """
CREATE TABLE tenants (
    tenant TEXT PRIMARY KEY, collection TEXT NOT NULL, tombstones INTEGER NOT NULL DEFAULT 0);
CREATE TABLE attributes (code INTEGER PRIMARY KEY, tenant TEXT NOT NULL, value TEXT UNIQUE);
CREATE INDEX attributes_tenant ON attributes (tenant);
CREATE TABLE entries (
    chunk_id TEXT PRIMARY KEY, document_id TEXT NOT NULL, code INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX entries_document ON entries (document_id);
CREATE INDEX entries_code ON entries (code);
"""
_REMEMBERED_FILTERS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a search may see of a tenant.

    Attributes:
        codes: the attribute sets that are admitted; None when all of the tenant's are.
        admitted, total: numbers of chunks.
    """

    codes: frozenset[int] | None
    admitted: int
    total: int


class Roster:
    """The rows of one dense index. Thread-safe; every change is on disk when its method returns."""

    def __init__(self, path: Path, *, dimensions: int) -> None:
        """Open the file, creating it where there is none.

        Raises:
            StoreMismatch: it was written in another format or for vectors of another length.
            StoreCorrupt: it is no readable database.
        """
        self._path = path
        self._lock = threading.RLock()
        self._sets: dict[str, list[tuple[int, Attributes, int]]] = {}
        self._admissions: dict[tuple[object, ...], Admission] = {}
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            with self._mapped():
                self._prepare(dimensions)
        except StoreError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Fold the log into the file and close it."""
        with self._lock:
            self._connection.close()

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
            "SELECT tenant, tombstones, (SELECT count(*) FROM entries JOIN attributes a "
            "USING (code) WHERE a.tenant = tenants.tenant) FROM tenants WHERE tombstones > 0"
        )
        return {tenant: (removed, entries) for tenant, removed, entries in counts}

    # --- entries ---------------------------------------------------------------------------------

    def put(self, entries: Sequence[IndexEntry]) -> None:
        """Add or replace rows."""
        with self._change() as connection:
            codes: dict[str, int] = {}
            for entry in entries:
                value = encode(entry)
                if value not in codes:
                    codes[value] = self._code(connection, entry.tenant, value)
                connection.execute(
                    "REPLACE INTO entries VALUES (?, ?, ?)",
                    (entry.chunk_id, entry.document_id, codes[value]),
                )

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Remove rows; unknown ids are no error."""
        with self._change() as connection:
            connection.executemany(
                "DELETE FROM entries WHERE chunk_id = ?", [(key,) for key in chunk_ids]
            )

    def sweep(self) -> None:
        """Remove attributes that no entry has any more."""
        with self._change() as connection:
            connection.execute(
                "DELETE FROM attributes WHERE NOT EXISTS "
                "(SELECT 1 FROM entries WHERE entries.code = attributes.code)"
            )

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
            "JOIN entries e ON e.chunk_id = j.value JOIN attributes a ON a.code = e.code",
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
        with self._lock:
            known = self._admissions.get(key)
            if known is not None:
                return known
            sets = self._tenant_sets(scope.tenant)
            chosen = [(code, n) for code, value, n in sets if value.admitted(scope, where)]
            result = Admission(
                codes=None if len(chosen) == len(sets) else frozenset(code for code, _ in chosen),
                admitted=sum(n for _, n in chosen),
                total=sum(n for _, _, n in sets),
            )
            if len(self._admissions) >= _REMEMBERED_FILTERS:
                self._admissions.clear()
            self._admissions[key] = result
            return result

    def holding(self, codes: frozenset[int]) -> list[str]:
        """The chunk ids with these attributes."""
        rows = self._rows(
            "SELECT chunk_id FROM entries WHERE code IN (SELECT value FROM json_each(?))",
            (json.dumps(sorted(codes)),),
        )
        return [row[0] for row in rows]

    def keep(self, chunk_ids: Sequence[str], codes: frozenset[int]) -> set[str]:
        """Those of these chunks that have these attributes."""
        rows = self._rows(
            "SELECT e.chunk_id, e.code FROM json_each(?) j JOIN entries e ON e.chunk_id = j.value",
            (json.dumps(list(chunk_ids)),),
        )
        return {chunk_id for chunk_id, code in rows if code in codes}

    # --- inside ----------------------------------------------------------------------------------

    def _prepare(self, dimensions: int) -> None:
        execute = self._connection.execute
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = FULL")
        execute("PRAGMA secure_delete = ON")
        found = execute("PRAGMA user_version").fetchone()[0]
        if found == 0:
            with self._change() as connection:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute("CREATE TABLE settings AS SELECT ? AS dimensions", (dimensions,))
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
            return
        if found != _FORMAT:
            raise StoreMismatch(
                f"the dense index in {self._path.parent} has format {found}, this ragmem reads "
                f"{_FORMAT}: run `ragmem reindex` to rebuild it"
            )
        held = execute("SELECT dimensions FROM settings").fetchone()[0]
        if held != dimensions:
            raise StoreMismatch(
                f"the dense index in {self._path.parent} holds vectors of {held} dimensions, the "
                f"embedding model makes {dimensions}: run `ragmem reindex` to rebuild it"
            )

    def _code(self, connection: sqlite3.Connection, tenant: str, value: str) -> int:
        connection.execute(
            "INSERT INTO attributes (tenant, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (tenant, value),
        )
        row = connection.execute("SELECT code FROM attributes WHERE value = ?", (value,))
        return int(row.fetchone()[0])

    def _tenant_sets(self, tenant: str) -> Sequence[tuple[int, Attributes, int]]:
        if tenant not in self._sets:
            rows = self._rows(
                "SELECT code, value, count(*) FROM attributes JOIN entries USING (code) "
                "WHERE tenant = ? GROUP BY code",
                (tenant,),
            )
            self._sets[tenant] = [(code, decode(value), count) for code, value, count in rows]
        return self._sets[tenant]

    def _rows(self, statement: str, parameters: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        with self._lock, self._mapped():
            return self._connection.execute(statement, parameters).fetchall()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._mapped():
            self._sets.clear()
            self._admissions.clear()
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(f"the dense index's {self._path} failed: {error}") from error
        except sqlite3.DatabaseError as error:
            raise StoreCorrupt(
                f"the dense index's {self._path} cannot be read: {error}; "
                "`ragmem reindex` rebuilds it from the store"
            ) from error
