"""Which metadata fields documents have and with which values, as far as a scope sees them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, select

from ragmem.store.metadata import from_json
from ragmem.store.schema import documents
from ragmem.types import Metadata, Scalar, Scope

DOCUMENTS_READ = 10_000
"""Of a larger tenant a fixed random sample: the first by their ids, which are hashes."""

VALUES_KEPT = 1_000
"""How many values of a field are kept, the most frequent ones."""


def read_field_values(
    connection: Connection, *, scope: Scope, documents_read: int = DOCUMENTS_READ
) -> Mapping[str, tuple[Scalar, ...]]:
    """The values of each metadata field in the documents that the scope sees.

    Args:
        documents_read: the most documents that are looked at.

    Returns:
        By field, in the order of their names: distinct values, the most frequent first. Each value
        of a field with several counts by itself; True and 1 are distinct.
    """
    query = (
        select(documents.c.acl, documents.c.metadata)
        .where(documents.c.tenant == scope.tenant)
        .order_by(documents.c.id)
        .limit(documents_read)
    )
    counts: defaultdict[str, Counter[tuple[bool, Scalar]]] = defaultdict(Counter)
    for acl, metadata in connection.execute(query):
        if scope.sees(tenant=scope.tenant, acl=frozenset(acl)):
            _count(from_json(metadata), counts)
    return {name: _most_frequent(counts[name]) for name in sorted(counts)}


def _count(metadata: Metadata, counts: Mapping[str, Counter[tuple[bool, Scalar]]]) -> None:
    for name, value in metadata.items():
        values = value if isinstance(value, tuple) else (value,)
        counts[name].update({(isinstance(each, bool), each) for each in values})


def _most_frequent(counts: Counter[tuple[bool, Scalar]]) -> tuple[Scalar, ...]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0][1])))
    return tuple(value for (_, value), _ in ordered[:VALUES_KEPT])
