"""What is particular to the index on Chroma: files, growth by tombstones, errors, isolation."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ragmem.errors import StoreCorrupt, StoreError, StoreMismatch
from ragmem.filters import equals
from ragmem.indexes import chroma, chroma_reads
from ragmem.indexes.chroma import ChromaIndex
from ragmem.indexes.ranking import cosines_to
from ragmem.types import PUBLIC, FloatMatrix, IndexEntry, Scope

DIMENSIONS = 8


def entry(chunk_id: str, **metadata: str | int) -> IndexEntry:
    return IndexEntry(
        chunk_id=chunk_id,
        document_id="d" + chunk_id,
        tenant="default",
        acl=PUBLIC,
        title="",
        text="",
        language="en",
        metadata=metadata,
    )


def vectors(count: int, *, seed: int = 0) -> FloatMatrix:
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSIONS))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def recall(index: ChromaIndex, rows: FloatMatrix, prefix: str) -> float:
    found = []
    for query in vectors(30, seed=99):
        due = {f"{prefix}{row}" for row in np.argsort(-(rows @ query))[:10]}
        hits = index.search(query, k=10, scope=Scope())
        found.append(len(due & {hit.chunk_id for hit in hits}) / 10)
    return float(np.mean(found))


def test_recall_survives_replacing_and_deleting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma, "_TOMBSTONES_KEPT", 100)
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    entries = [entry(f"a{i}") for i in range(1_000)]
    for seed in (1, 2):
        rows = vectors(1_000, seed=seed)
        index.upsert(entries, rows)
        assert recall(index, rows, "a") >= 0.99
    index.delete_chunks([f"a{i}" for i in range(50, 1_000)])
    assert recall(index, rows[:50], "a") == 1
    before = {folder.name for folder in (tmp_path / "chroma").iterdir() if folder.is_dir()}
    index.commit()
    after = {folder.name for folder in (tmp_path / "chroma").iterdir() if folder.is_dir()}
    assert not before & after, "more was removed than is left: the collection is built anew"
    assert recall(index, rows[:50], "a") == 1
    assert index.chunk_ids() == {f"a{i}" for i in range(50)}
    index.close()
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    assert recall(index, rows[:50], "a") == 1
    index.close()


def test_adding_what_is_there_leaves_no_tombstones(tmp_path: Path) -> None:
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    entries = [entry(f"a{i}") for i in range(30)]
    for _ in range(3):
        index.upsert(entries, vectors(30))
    index.upsert([entry("a3", year=3)], vectors(30)[3:4])
    index.commit()
    assert index._roster.tombstones() == {}
    hits = index.search(vectors(1)[0], k=5, scope=Scope(), where=equals(year=3))
    assert [hit.chunk_id for hit in hits] == ["a3"]
    index.close()


def test_filters_for_one_and_for_true_are_not_confused(tmp_path: Path) -> None:
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    index.upsert([entry("number", x=1), entry("truth", x=True)], vectors(2))
    index.commit()
    for value, due in ((1, "number"), (True, "truth"), (1, "number")):
        hits = index.search(vectors(1)[0], k=5, scope=Scope(), where=equals(x=value))
        assert [hit.chunk_id for hit in hits] == [due]
    index.close()


def test_vectors_are_remembered_until_the_next_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    axes = np.eye(DIMENSIONS, dtype=np.float32)
    entries = [entry("a", year=1), entry("b", year=1), entry("c", year=2)]
    index.upsert(entries, axes[:3])

    def nearest() -> list[str]:
        return [
            hit.chunk_id for hit in index.search(axes[0], k=2, scope=Scope(), where=equals(year=1))
        ]

    assert nearest() == ["a", "b"]
    with monkeypatch.context() as patched:
        patched.delattr(chroma_reads, "vectors")
        assert nearest() == ["a", "b"], "no vector is read again"
    index.upsert(entries[:2], axes[[1, 0]])
    assert nearest() == ["b", "a"]
    index.delete_chunks(["b"])
    assert nearest() == ["a"]
    monkeypatch.setattr(chroma, "_REMEMBERED_VECTORS", 1)
    index.upsert([entries[1]], axes[:1])
    assert nearest() == ["b", "a"]
    assert index.search(axes[0], k=2, scope=Scope(), where=equals(year=2))[0].chunk_id == "c"
    assert sum(len(ids) for ids, _ in index._remembered.values()) == 1
    index.close()


def test_no_metadata_stays_on_disk_after_deletion(tmp_path: Path) -> None:
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    index.upsert([entry("a", author="Zebulon Quux"), entry("b")], vectors(2))
    index.commit()
    index.delete_chunks(["a"])
    index.commit()
    index.close()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"Zebulon" in path.read_bytes()]


def open_files_and_threads() -> int:
    """As Linux counts them; 0 elsewhere."""
    folders = (Path("/proc/self/fd"), Path("/proc/self/task"))
    return sum(len(list(folder.iterdir())) for folder in folders if folder.exists())


def test_closing_lets_go_of_everything(tmp_path: Path) -> None:
    def open_and_close() -> None:
        index = ChromaIndex(tmp_path / "dense", dimensions=DIMENSIONS)
        index.upsert([entry("a")], vectors(1))
        index.commit()
        assert index.search(vectors(1)[0], k=1, scope=Scope())
        index.close()
        index.close()
        shutil.rmtree(tmp_path / "dense")

    open_and_close()
    before = open_files_and_threads()
    for _ in range(3):
        open_and_close()
    assert open_files_and_threads() <= before


def test_a_closed_index_says_so(tmp_path: Path) -> None:
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    index.close()
    with pytest.raises(StoreError, match="closed"):
        index.search(vectors(1)[0], k=1, scope=Scope())


def test_other_dimensions_are_a_mismatch(tmp_path: Path) -> None:
    ChromaIndex(tmp_path, dimensions=DIMENSIONS).close()
    with pytest.raises(StoreMismatch, match=r"made with dimensions 8, and now it is 16.*reindex"):
        ChromaIndex(tmp_path, dimensions=16)


def test_another_format_is_a_mismatch(tmp_path: Path) -> None:
    ChromaIndex(tmp_path, dimensions=DIMENSIONS).close()
    connection = sqlite3.connect(tmp_path / "roster.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreMismatch, match=r"format 99.*reindex"):
        ChromaIndex(tmp_path, dimensions=DIMENSIONS)


@pytest.mark.parametrize("name", ["roster.sqlite3", "chroma/chroma.sqlite3"])
def test_unreadable_files_are_corrupt(tmp_path: Path, name: str) -> None:
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    index.upsert([entry("a")], vectors(1))
    index.close()
    (tmp_path / name).write_bytes(b"no database, whatever its name says" * 200)
    with pytest.raises(StoreCorrupt, match="reindex"):
        ChromaIndex(tmp_path, dimensions=DIMENSIONS)


def test_a_lost_collection_is_corrupt_and_clear_repairs(tmp_path: Path) -> None:
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    index.upsert([entry("a")], vectors(1))
    index.close()
    shutil.rmtree(tmp_path / "chroma")
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    with pytest.raises(StoreCorrupt, match="reindex"):
        index.search(vectors(1)[0], k=1, scope=Scope())
    index.clear()
    index.upsert([entry("a")], vectors(1))
    index.commit()
    assert index.chunk_ids() == {"a"}
    index.close()


def test_a_collection_nobody_names_is_removed_at_opening(tmp_path: Path) -> None:
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    orphan = index._new_collection()
    index.close()
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    assert orphan not in [held.name for held in index._opened().list_collections()]
    index.close()


def test_rows_without_vectors_do_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a kill in the middle of adding leaves them, and as a thread sees one being added."""
    monkeypatch.setattr(chroma, "_COMPARE_ALL", 100)
    monkeypatch.setattr(chroma, "_DEEPEST", 0)
    monkeypatch.setattr(chroma, "_REMEMBERED_VECTORS", 200)
    index = ChromaIndex(tmp_path, dimensions=DIMENSIONS)
    rows = vectors(600)
    away = rows[:, 0] < 0
    index.upsert([entry(f"a{i}", away=int(away[i])) for i in range(600)], rows)
    index._roster.put([entry("ghost", away=1)])
    assert "ghost" not in index.chunk_ids()
    query = np.eye(DIMENSIONS, dtype=np.float32)[0]
    due = [f"a{row}" for row in np.argsort(-np.where(away, rows[:, 0], -2))[:10]]
    hits = index.search(query, k=10, scope=Scope(), where=equals(away=1))
    assert [hit.chunk_id for hit in hits] == due
    assert len(index.search(query, k=1_000, scope=Scope())) == 600
    assert cosines_to(query, index.vectors(["ghost", "a1"])).keys() == {"a1"}
    index.delete_chunks(["ghost"])
    index._roster.put([entry("ghost", away=1)])
    index.upsert([entry("ghost", away=1)], query[np.newaxis])
    assert index.search(query, k=1, scope=Scope())[0].chunk_id == "ghost"
    index.close()


def test_importing_the_module_does_not_import_chroma() -> None:
    code = "import sys, ragmem.indexes.chroma; sys.exit('chromadb' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
