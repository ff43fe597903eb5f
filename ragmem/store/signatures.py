"""Signatures of texts, by which near-duplicates are known; how one is made is not here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, insert, select

from ragmem.store.insert import batches
from ragmem.store.schema import signatures

Signature = npt.NDArray[np.uint32]
"""Minima of hashes, one a permutation: the share of equal ones tells how alike two texts are."""


def put_signature(connection: Connection, document_id: str, signature: Signature | None) -> None:
    """Insert or replace a document's signature; None where its text is too short for one."""
    connection.execute(delete(signatures).where(signatures.c.document_id == document_id))
    if signature is not None:
        value = signature.astype("<u4").tobytes()
        connection.execute(insert(signatures).values(document_id=document_id, signature=value))


def read_signatures(connection: Connection, document_ids: Sequence[str]) -> dict[str, Signature]:
    """Signatures by document; documents without one are left out."""
    found: dict[str, Signature] = {}
    for batch in batches(document_ids):
        query = select(signatures).where(signatures.c.document_id.in_(batch))
        for row in connection.execute(query):
            found[row.document_id] = np.frombuffer(row.signature, dtype="<u4")
    return found
