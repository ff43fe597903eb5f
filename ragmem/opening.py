"""Opens stores whose indexes hold everything that the database does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from ragmem.ingestion.reindex import embed_again
from ragmem.parts import Parts, Replacements
from ragmem.settings import Settings, load_settings
from ragmem.store.chunks import count_chunks
from ragmem.store.index_id import claim_indexes, indexes_belong
from ragmem.store.index_ops import append_rebuild, count_pending, rebuild_pending
from ragmem.store.reader import StoreReader
from ragmem.store.store import Store, open_store, settle_stamp


def open_and_replay(
    folder: Path, parts: Parts, *, read_only: bool, timeout_seconds: float, create: bool = True
) -> Store:
    """Open a store whose indexes hold everything that the database does."""
    url = parts.settings.database_url
    store = open_store(
        folder, url=url, read_only=read_only, create=create, timeout_seconds=timeout_seconds
    )
    try:
        if not read_only:
            parts.discard_unnamed_indexes()
        settle_stamp(store, parts.stamp)
        with store.reading() as connection:
            pending = count_pending(connection) > 0 or not indexes_current(connection, parts)
        if pending and read_only:
            # Only a writer may finish what a killed process left, so be one for a moment.
            store.close()
            open_and_replay(folder, parts, read_only=False, timeout_seconds=timeout_seconds).close()
            parts.close()
            return open_store(folder, url=url, read_only=True, timeout_seconds=timeout_seconds)
        if pending:
            _finish(store, parts)
    except BaseException:
        parts.close()
        store.close()
        raise
    return store


def indexes_current(connection: Connection, parts: Parts) -> bool:
    """Whether the folder's indexes are there and are those that followed the database last.

    An index that misses entries finds less and says nothing, so this is looked at whenever a store
    is opened.
    """
    if not indexes_belong(connection, parts.folder):
        return False
    return parts.index_folders_exist() or not count_chunks(connection)


def _finish(store: Store, parts: Parts) -> None:
    """Do what the indexes need before the store can be used."""
    with store.writing() as connection:
        current = indexes_current(connection, parts)
        empty = not count_chunks(connection) and not count_pending(connection)
        if not current and not empty:
            append_rebuild(connection)
    if not current and empty:
        parts.discard_unopened_indexes()
        claim_indexes(store)
    else:
        replay(store, parts)


def replay(
    store: Store, parts: Parts, *, on_progress: Callable[[int, int], None] | None = None
) -> None:
    """Bring the indexes to what the store notes."""
    with store.reading() as connection:
        rebuild = rebuild_pending(connection) is not None
    if rebuild:
        # What is there may be damaged or of another format, and could not even be opened. What is
        # open is in use elsewhere and is cleared by the indexer.
        parts.discard_unopened_indexes()
    parts.indexer(store).apply_pending(on_progress=on_progress)
    if rebuild:
        claim_indexes(store)


def rebuild_indexes(
    store: Store, parts: Parts, *, on_progress: Callable[[int, int], None] | None = None
) -> None:
    """Build every index again from the store, embedding nothing.

    The wish is noted first, so that a kill half way is finished at the next opening.
    """
    with store.writing() as connection:
        append_rebuild(connection)
    replay(store, parts, on_progress=on_progress)


@contextmanager
def read_store(store: str | Path, *, settings: Settings | None = None) -> Iterator[StoreReader]:
    """A store's documents and status, without any model or index.

    Raises:
        StoreMissing: there is no store.
        StoreLocked: another process is writing it.
    """
    url = (settings or load_settings()).database_url
    opened = open_store(Path(store), url=url, read_only=True)
    try:
        yield StoreReader(opened)
    finally:
        opened.close()


def embed_store_again(
    store: str | Path,
    *,
    settings: Settings | None = None,
    replacements: Replacements | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Chunk and embed every document of a store with the models the settings name.

    Args:
        store: the folder.
        settings: name the new models.
        replacements: parts of your own, the new embedder or chunker among them.
        on_progress: called with documents embedded and documents in all.

    Raises:
        StoreMissing: there is no store.
        StoreLocked: another process holds the store.
        ModelUnavailable: the embedding model is not on this machine.
    """
    folder = Path(store)
    parts = Parts(folder, settings or load_settings(), replacements=replacements)
    opened = open_store(folder, url=parts.settings.database_url, create=False)
    try:
        embed_again(
            store=opened,
            chunker=parts.chunker_for(opened),
            embedder=parts.embedder,
            on_progress=on_progress,
        )
        replay(opened, parts)
    finally:
        parts.close()
        opened.close()
