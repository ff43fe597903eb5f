"""Opening a store: the lock, the stamp, migrations, and folders that are no store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from ragmem.errors import (
    StoreCorrupt,
    StoreError,
    StoreLocked,
    StoreMismatch,
    StoreMissing,
    UsageError,
)
from ragmem.store.engine import open_engine, sqlite_url
from ragmem.store.schema import metadata
from ragmem.store.stamp import Stamp, write_stamp
from ragmem.store.store import Store, open_store, settle_stamp
from ragmem.store.upgrade import NEWEST_REVISION, is_newest, upgrade

STAMP = Stamp(embedding_model="model-a", dimensions=8)


def test_migrations_make_the_schema_that_the_code_describes(store: Store) -> None:
    with store.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def test_the_first_migration_starts_from_an_empty_database(tmp_path: Path) -> None:
    engine = open_engine(sqlite_url(tmp_path / "empty.db"))
    assert not is_newest(engine)
    upgrade(engine, to="0001")
    with engine.connect() as connection:
        assert connection.execute(text("select count(*) from documents")).scalar() == 0
    upgrade(engine)
    assert is_newest(engine)
    engine.dispose()


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with store.writing() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    store.close()
    with pytest.raises(StoreMismatch, match="pip install -U ragmem"):
        open_store(tmp_path)
    assert NEWEST_REVISION < "9999"


def test_a_second_writer_learns_who_holds_the_store(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    with pytest.raises(StoreLocked, match=r"held by process \d+"):
        open_store(tmp_path)
    with pytest.raises(StoreLocked, match="for reading: it is held by process"):
        open_store(tmp_path, read_only=True)
    store.close()
    store.close()
    open_store(tmp_path).close()


def test_readers_share_and_keep_writers_out(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    one, two = open_store(tmp_path, read_only=True), open_store(tmp_path, read_only=True)
    with pytest.raises(StoreLocked, match="another process, for reading"):
        open_store(tmp_path)
    with pytest.raises(StoreError, match="opened for reading"), one.writing():
        pass
    one.close()
    two.close()
    open_store(tmp_path).close()


def test_a_killed_holder_leaves_no_lock(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path;"
        "from ragmem.store.store import open_store;"
        "open_store(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    open_store(tmp_path).close()


def test_reading_where_nothing_is(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="ragmem ingest PATH --store DIR"):
        open_store(tmp_path / "nothing", read_only=True)
    assert not (tmp_path / "nothing").exists()


def test_writing_only_where_a_store_is(tmp_path: Path, database_url: str | None) -> None:
    folder = tmp_path / "store"
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(StoreMissing, match=f"no store at {folder}"):
            open_store(folder, url=database_url, **options)
    open_store(folder, url=database_url).close()
    open_store(folder, url=database_url, create=False).close()


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "ragmem.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreCorrupt, match="cannot be read"):
        open_store(tmp_path)
    with pytest.raises(StoreCorrupt, match="cannot be read"):
        open_store(tmp_path, read_only=True)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        open_store(tmp_path / "file")


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x", "sqlite-nothing://"])
def test_a_url_that_is_none(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="not a database URL"):
        open_store(tmp_path, url=url)


def test_another_embedding_model_is_refused_with_the_command(store: Store) -> None:
    settle_stamp(store, STAMP)
    settle_stamp(store, STAMP)
    with pytest.raises(StoreMismatch, match="ragmem reindex --embed"):
        settle_stamp(store, Stamp(embedding_model="model-b", dimensions=8))
    with store.writing() as connection:
        write_stamp(connection, Stamp(embedding_model="model-a", dimensions=8, format_version=99))
    with pytest.raises(StoreMismatch, match="format 99"):
        settle_stamp(store, STAMP)


def test_a_reader_sees_one_state(store: Store) -> None:
    settle_stamp(store, STAMP)
    count = text("select count(*) from settings_stamp")
    with store.reading() as connection:
        before = connection.execute(count).scalar()
        with store.writing() as writer:
            writer.execute(text("delete from settings_stamp"))
        assert connection.execute(count).scalar() == before
    with store.reading() as connection:
        assert connection.execute(count).scalar() == 0


def test_what_the_database_refuses_is_a_store_error(store: Store) -> None:
    with pytest.raises(StoreError, match="nothing_like_it"), store.reading() as connection:
        connection.execute(text("select * from nothing_like_it"))
    with pytest.raises(StoreError, match="nothing_like_it"), store.writing() as connection:
        connection.execute(text("delete from nothing_like_it"))


def test_a_database_that_does_not_answer_is_not_called_corrupt(tmp_path: Path) -> None:
    url = "postgresql://nobody@127.0.0.1:1/nothing"
    with pytest.raises(StoreError, match="cannot be used") as caught:
        open_store(tmp_path / "store", url=url)
    assert not isinstance(caught.value, StoreCorrupt)


def test_closing_twice_leaves_the_next_holder_named(tmp_path: Path) -> None:
    first = open_store(tmp_path)
    first.close()
    second = open_store(tmp_path)
    first.close()
    with pytest.raises(StoreLocked, match=r"held by process \d+"):
        open_store(tmp_path)
    second.close()
