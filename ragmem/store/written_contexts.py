"""What a model wrote about chunks: a cache, like that of embeddings, so it is not asked again."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, select

from ragmem.store.insert import batches, check_key, insert_missing
from ragmem.store.schema import chunks, written_contexts


def put_context(connection: Connection, *, model_id: str, key: str, context: str) -> None:
    """Keep the context that a chunk came to have.

    Args:
        key: names the chunk, its document and how the model was asked; at most 64 characters.

    Raises:
        UsageError: the model's id is too long.
    """
    check_key("model id", model_id)
    row = {"model_id": model_id, "key": key, "context": context}
    insert_missing(connection, written_contexts, [row])


def read_contexts(connection: Connection, *, model_id: str, keys: Sequence[str]) -> dict[str, str]:
    """The contexts that are there, by key."""
    found: dict[str, str] = {}
    table = written_contexts.c
    for batch in batches(keys):
        query = select(table.key, table.context).where(
            table.model_id == model_id, table.key.in_(batch)
        )
        found.update((key, context) for key, context in connection.execute(query))
    return found


def delete_unused_contexts(connection: Connection) -> int:
    """Delete what was written about chunks that are not there any more.

    Returns:
        How many were deleted.
    """
    used = select(chunks.c.context)
    unused = delete(written_contexts).where(written_contexts.c.context.not_in(used))
    return int(connection.execute(unused).rowcount)
