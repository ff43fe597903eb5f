"""Signatures of texts, by which near-duplicates are known; how one is made is not here."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select

from ragmem.store.insert import batches
from ragmem.store.schema import signatures


def put_signature(connection: Connection, document_id: str, signature: bytes) -> None:
    """Insert or replace a document's signature; an empty one is none."""
    connection.execute(delete(signatures).where(signatures.c.document_id == document_id))
    if signature:
        connection.execute(insert(signatures).values(document_id=document_id, signature=signature))


def read_signatures(connection: Connection, document_ids: Sequence[str]) -> dict[str, bytes]:
    """Signatures by document; documents without one are left out."""
    found: dict[str, bytes] = {}
    for batch in batches(document_ids):
        query = select(signatures).where(signatures.c.document_id.in_(batch))
        found |= {row.document_id: row.signature for row in connection.execute(query)}
    return found
