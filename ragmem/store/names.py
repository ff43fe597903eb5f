"""Which chunks hold which names, as hashes: no name can be read out of the table.

The hash includes the tenant, so that one tenant's names never meet another's. What a name is
belongs to `ragmem.chunking.names`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, text

from ragmem.filters import Filter, admits
from ragmem.store.insert import batches
from ragmem.store.metadata import from_json
from ragmem.store.schema import chunk_names, documents
from ragmem.types import Scope

MOST_TITLED = 64
"""So many chunks under one title are looked at."""
MOST_LINKED = 20
"""A name that more chunks mention links none of them to each other."""
MOST_MENTIONS = 200
"""Mentions of a name are counted up to here."""

_TITLED, _MENTIONED = 0, 1
_ACL = "CAST(d.acl AS TEXT)"
_SEEN = "seen_by_scope"
_FROM_SEEN = (
    "FROM chunk_names n JOIN chunks c ON c.id = n.chunk_id "
    f"JOIN documents d ON d.id = c.document_id WHERE {_SEEN}"
)
_KEYS_A_STATEMENT = 5000
_NAMES_A_STATEMENT = 200  # SQLite joins at most 500 by UNION


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedChunk:
    """A chunk and the names it holds.

    Attributes:
        titled: what its title names.
        mentioned: what its text mentions beside that.
    """

    chunk_id: str
    titled: Collection[str]
    mentioned: Collection[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holders:
    """The chunks that hold a name, as far as they are looked at: documents by chunk id.

    Attributes:
        titled: those whose title it is, at most `MOST_TITLED`.
        mentioning: those that mention it; none where they are more than `MOST_LINKED`.
        mentions: how many chunks that the scope sees mention it, counted up to `MOST_MENTIONS`
            where it is a title.
    """

    titled: Mapping[str, str]
    mentioning: Mapping[str, str]
    mentions: int


def put_names(connection: Connection, named: Iterable[NamedChunk], *, tenant: str) -> None:
    """Keep the names of chunks that have none yet; they go when the chunks go."""
    rows = [
        {"name": key, "role": role, "chunk_id": each.chunk_id}
        for each in named
        for role, names in ((_TITLED, each.titled), (_MENTIONED, each.mentioned))
        for key in {name_key(tenant, name) for name in names}
    ]
    if rows:
        connection.execute(insert(chunk_names), rows)


def titles_among(connection: Connection, names: Collection[str], *, scope: Scope) -> set[str]:
    """Those of these names that are a title of a chunk that the scope sees."""
    by_key = {name_key(scope.tenant, name): name for name in names}
    found: set[str] = set()
    for batch in batches(sorted(by_key), size=_KEYS_A_STATEMENT):
        listed = ", ".join(f"({key})" for key in batch)
        keys = _executed(
            connection,
            f"WITH wanted(name) AS (VALUES {listed}) SELECT name FROM wanted WHERE EXISTS "
            f"(SELECT 1 {_FROM_SEEN} AND n.name = wanted.name AND n.role = {_TITLED})",
            scope,
        )
        found.update(by_key[row[0]] for row in keys)
    return found


def read_holders(
    connection: Connection, names: Collection[str], *, scope: Scope, where: Filter | None
) -> dict[str, Holders]:
    """By name, the chunks that hold it, the scope sees and the filter admits.

    Names that link nothing, because nothing has them as a title and too many mention them, are
    left out.
    """
    by_key = {name_key(scope.tenant, name): name for name in names}
    keys = sorted(by_key)
    titled = _first_chunks(connection, keys, _TITLED, most=MOST_TITLED, scope=scope)
    mentioning = _first_chunks(connection, keys, _MENTIONED, most=MOST_LINKED + 1, scope=scope)
    counts = {key: len(held) for key, held in mentioning.items()}
    frequent = [key for key, count in counts.items() if count > MOST_LINKED]
    counts |= _count_mentions(connection, [key for key in frequent if key in titled], scope=scope)
    for key in frequent:
        del mentioning[key]
    looked_at = {
        owner
        for by_name in (titled, mentioning)
        for held in by_name.values()
        for owner in held.values()
    }
    admitted = _admitted(connection, sorted(looked_at), scope=scope, where=where)

    def kept(held: Mapping[str, str]) -> dict[str, str]:
        return {chunk_id: owner for chunk_id, owner in held.items() if owner in admitted}

    return {
        by_key[key]: Holders(
            titled=kept(titled.get(key, {})),
            mentioning=kept(mentioning.get(key, {})),
            mentions=counts.get(key, 0),
        )
        for key in keys
        if key in titled or key in mentioning
    }


def _first_chunks(
    connection: Connection, keys: Sequence[int], role: int, *, most: int, scope: Scope
) -> dict[int, dict[str, str]]:
    """By name, the first `most` of its chunks that the scope sees, by id, with their documents."""
    one = (
        f"SELECT n.name, n.chunk_id, c.document_id {_FROM_SEEN} AND n.name = {{key}} "
        f"AND n.role = {role} ORDER BY n.chunk_id LIMIT {most}"
    )
    found: dict[int, dict[str, str]] = {}
    for key, chunk_id, document_id in _of_each(connection, one, keys, scope=scope):
        found.setdefault(key, {})[chunk_id] = document_id
    return found


def _count_mentions(connection: Connection, keys: Sequence[int], *, scope: Scope) -> dict[int, int]:
    one = (
        f"SELECT min(name), count(*) FROM (SELECT n.name {_FROM_SEEN} AND n.name = {{key}} "
        f"AND n.role = {_MENTIONED} LIMIT {MOST_MENTIONS}) AS mentions"
    )
    return {row[0]: row[1] for row in _of_each(connection, one, keys, scope=scope)}


def _of_each(
    connection: Connection, statement: str, keys: Sequence[int], *, scope: Scope
) -> list[Any]:
    """The rows of a statement for each name, many names at once.

    Text, because composing so many statements takes longer than running them; the names in it are
    whole numbers made here.
    """
    rows: list[Any] = []
    for batch in batches(keys, size=_NAMES_A_STATEMENT):
        parts = (f"SELECT * FROM ({statement.format(key=key)}) AS of_one" for key in batch)
        rows += _executed(connection, " UNION ALL ".join(parts), scope)
    return rows


def _executed(connection: Connection, statement: str, scope: Scope) -> Sequence[Any]:
    """The rows of a statement with `_FROM_SEEN`, seen by the scope.

    What is out of sight must not count: how often a name is held would tell of it.
    """
    seen = [f"{_ACL} = '[]'"]
    values: dict[str, str] = {}
    for number, principal in enumerate(sorted(scope.principals)):
        # The access list is JSON, so this is what a principal looks like in it. SQLite's LIKE
        # takes capitals for small letters; removing the principal says the same everywhere.
        values[f"principal{number}"] = json.dumps(principal)
        seen.append(f"replace({_ACL}, :principal{number}, '') <> {_ACL}")
    return list(
        connection.execute(text(statement.replace(_SEEN, f"({' OR '.join(seen)})")), values)
    )


def _admitted(
    connection: Connection, document_ids: Sequence[str], *, scope: Scope, where: Filter | None
) -> set[str]:
    """Those of these documents that the scope sees and the filter admits."""
    found: set[str] = set()
    for batch in batches(document_ids):
        query = select(
            documents.c.id, documents.c.tenant, documents.c.acl, documents.c.metadata
        ).where(documents.c.id.in_(batch))
        for row in connection.execute(query).mappings():
            seen = scope.sees(tenant=row["tenant"], acl=frozenset(row["acl"]))
            if seen and admits(where, from_json(row["metadata"])):
                found.add(row["id"])
    return found


def name_key(tenant: str, name: str) -> int:
    """What stands for a name in the table: 64 bits of a hash of tenant and name."""
    digest = hashlib.blake2b(f"{tenant}\0{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
