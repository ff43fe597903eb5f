"""A SQLite file of an index: transactions, what it was made for, and files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragmem.errors import StoreCorrupt, StoreError, StoreMismatch
from ragmem.indexes.index_file import IndexFile


def opened(folder: Path, *, format_version: int = 1, model: str = "m") -> IndexFile:
    return IndexFile(
        folder / "held.sqlite3",
        index="sparse",
        schema="CREATE TABLE held (value TEXT); CREATE INDEX held_value ON held (value);",
        format_version=format_version,
        made_for=("model", model),
    )


def _break_off(file: IndexFile) -> None:
    with file.changing() as connection:
        connection.execute("INSERT INTO held VALUES ('lost')")
        raise KeyError


def test_a_change_is_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    file = opened(tmp_path)
    with file.changing() as connection:
        connection.execute("INSERT INTO held VALUES ('kept')")
    with pytest.raises(KeyError):
        _break_off(file)
    file.close()
    again = opened(tmp_path)
    with again.reading() as connection:
        assert connection.execute("SELECT value FROM held").fetchall() == [("kept",)]
    again.close()


def test_another_format_or_model_is_refused_by_the_indexs_name(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with pytest.raises(StoreMismatch, match=r"the sparse index in .* has format 1.*reads 2.*rein"):
        opened(tmp_path, format_version=2)
    with pytest.raises(StoreMismatch, match=r"made with model m, and now it is n: run .*reindex"):
        opened(tmp_path, model="n")


def test_failures_are_ragmems_own(tmp_path: Path) -> None:
    file = opened(tmp_path)
    explained = r"the sparse index's .*held\.sqlite3 failed: no such"
    with pytest.raises(StoreError, match=explained), file.reading() as connection:
        connection.execute("SELECT * FROM missing")
    file.close()
    (tmp_path / "held.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreCorrupt, match=r"cannot be read.*ragmem reindex"):
        opened(tmp_path)
