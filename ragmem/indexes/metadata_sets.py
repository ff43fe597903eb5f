"""The distinct sets of metadata in the roster's database, and which of them a filter admits.

A set is named by a code and kept as the values it holds, each distinct value of a field once. The
connection, its transactions and the entries that refer to the codes are the roster's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from hashlib import sha256

from ragmem.filters import AllOf, AnyOf, Condition, Filter, Not
from ragmem.indexes.attributes import chosen, decode_value, encode_value
from ragmem.types import Metadata, MetadataValue

SCHEMA = """
CREATE TABLE metadata (code INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE);
CREATE TABLE field_values (
    code INTEGER PRIMARY KEY, field TEXT NOT NULL, value TEXT NOT NULL, UNIQUE (field, value));
CREATE TABLE holdings (
    value INTEGER NOT NULL, metadata INTEGER NOT NULL, PRIMARY KEY (value, metadata))
    WITHOUT ROWID;
CREATE INDEX holdings_metadata ON holdings (metadata);
"""


class MetadataSets:
    """The sets in one database. Not thread-safe: the roster calls it under its lock."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._values: dict[str, list[tuple[int, MetadataValue]]] = {}

    def forget(self) -> None:
        """Let go of what was read, because the database changes."""
        self._values.clear()

    def code(self, metadata: Metadata) -> int:
        """The code of this set, which is added where it is not there yet."""
        execute = self._connection.execute
        # Lone surrogates, which SQLite cannot hold, are escaped in names as they are in values.
        texts = sorted((json.dumps(name), encode_value(value)) for name, value in metadata.items())
        digest = sha256(json.dumps(texts).encode()).digest()
        known = execute("SELECT code FROM metadata WHERE digest = ?", (digest,)).fetchone()
        if known:
            return int(known[0])
        code = execute("INSERT INTO metadata (digest) VALUES (?)", (digest,)).lastrowid
        assert code is not None
        for text in texts:
            execute(
                "INSERT INTO field_values (field, value) VALUES (?, ?) ON CONFLICT DO NOTHING", text
            )
            execute(
                "INSERT INTO holdings SELECT code, ? FROM field_values "
                "WHERE field = ? AND value = ?",
                (code, *text),
            )
        return code

    def remove(self, codes: Iterable[int]) -> None:
        """Remove these sets, and the values that no other set holds."""
        execute, gone = self._connection.execute, json.dumps(list(codes))
        these = "metadata IN (SELECT value FROM json_each(?))"
        held = execute(f"SELECT DISTINCT value FROM holdings WHERE {these}", (gone,)).fetchall()
        execute(f"DELETE FROM holdings WHERE {these}", (gone,))
        execute("DELETE FROM metadata WHERE code IN (SELECT value FROM json_each(?))", (gone,))
        execute(
            "DELETE FROM field_values WHERE code IN (SELECT value FROM json_each(?)) "
            "AND NOT EXISTS (SELECT 1 FROM holdings WHERE holdings.value = field_values.code)",
            (json.dumps([row[0] for row in held]),),
        )

    def admitted(self, where: Filter) -> frozenset[int]:
        """The codes of the sets that the filter admits."""
        if isinstance(where, Condition):
            keys, refused = chosen(where, self._values_of(where.field))
            holding = self._codes(
                "SELECT metadata FROM holdings WHERE value IN (SELECT value FROM json_each(?))",
                json.dumps(keys),
            )
            return self._every() - holding if refused else holding
        if isinstance(where, Not):
            return self._every() - self.admitted(where.part)
        parts = [self.admitted(part) for part in where.parts]
        if isinstance(where, AnyOf):
            return frozenset[int]().union(*parts)
        assert isinstance(where, AllOf)
        return parts[0].intersection(*parts[1:]) if parts else self._every()

    def _every(self) -> frozenset[int]:
        return self._codes("SELECT code FROM metadata")

    def _codes(self, statement: str, *parameters: str) -> frozenset[int]:
        return frozenset(row[0] for row in self._connection.execute(statement, parameters))

    def _values_of(self, field: str) -> list[tuple[int, MetadataValue]]:
        if field not in self._values:
            rows = self._connection.execute(
                "SELECT code, value FROM field_values WHERE field = ?", (json.dumps(field),)
            )
            self._values[field] = [(code, decode_value(value)) for code, value in rows]
        return self._values[field]
