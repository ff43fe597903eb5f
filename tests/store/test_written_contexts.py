"""The cache of written contexts, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from ragmem.errors import UsageError
from ragmem.store.engine import open_engine, sqlite_url
from ragmem.store.schema import LONGEST_KEY, written_contexts
from ragmem.store.store import Store, open_store
from ragmem.store.upgrade import upgrade
from ragmem.store.written_contexts import delete_unused_contexts, put_context, read_contexts


def test_contexts_are_kept_by_model_and_key(store: Store) -> None:
    with store.writing() as connection:
        put_context(connection, model_id="m", key="k", context="first")
        put_context(connection, model_id="m", key="k", context="second")
        put_context(connection, model_id="n", key="k", context="other — \U0001f40d")
    with store.reading() as connection:
        assert read_contexts(connection, model_id="m", keys=["k", "none"]) == {"k": "first"}
        assert read_contexts(connection, model_id="n", keys=["k"]) == {"k": "other — \U0001f40d"}
        assert read_contexts(connection, model_id="m", keys=[]) == {}


def test_many_are_read_and_those_without_a_chunk_deleted(store: Store) -> None:
    rows = [{"model_id": "m", "key": f"k{n}", "context": f"c{n}"} for n in range(1_200)]
    with store.writing() as connection:
        connection.execute(insert(written_contexts), rows)
        keys = [row["key"] for row in rows]
        assert len(read_contexts(connection, model_id="m", keys=keys)) == 1_200
        assert delete_unused_contexts(connection) == 1_200


def test_a_model_id_that_is_too_long_is_refused(store: Store) -> None:
    with store.writing() as connection, pytest.raises(UsageError, match="model id"):
        put_context(connection, model_id="m" * (LONGEST_KEY + 1), key="k", context="c")


def test_a_store_from_before_gets_the_table(tmp_path: Path, database_url: str | None) -> None:
    engine = open_engine(database_url or sqlite_url(tmp_path / "ragmem.db"))
    upgrade(engine, to="0002")
    engine.dispose()
    store = open_store(tmp_path, url=database_url)
    with store.writing() as connection:
        put_context(connection, model_id="m", key="k", context="c")
        assert read_contexts(connection, model_id="m", keys=["k"]) == {"k": "c"}
    store.close()
