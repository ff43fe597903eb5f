"""What is particular to the index on Tantivy: parity with the formula, files, locks, errors."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ragmem.errors import StoreCorrupt, StoreError, StoreMismatch
from ragmem.indexes.bm25 import RankBM25Index
from ragmem.indexes.tantivy import TantivyIndex
from ragmem.types import PUBLIC, IndexEntry, Scope

# Lengths that Tantivy's one byte holds without rounding are those up to 40.
WORDS = [f"word{number}" for number in range(60)]


def entry(chunk_id: str, text: str, *, title: str = "") -> IndexEntry:
    return IndexEntry(
        chunk_id=chunk_id,
        document_id="d",
        tenant="default",
        acl=PUBLIC,
        title=title,
        text=text,
        language="en",
        metadata={},
    )


def corpus(longest: int) -> list[IndexEntry]:
    """Texts with words as unevenly frequent as real ones."""
    draw = random.Random(7)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    return [
        entry(
            f"c{number:03}",
            " ".join(draw.choices(WORDS, weights, k=draw.randint(1, longest))),
            title=" ".join(draw.choices(WORDS, k=draw.randint(0, 2))),
        )
        for number in range(300)
    ]


@pytest.mark.parametrize(("longest", "tolerance"), [(38, 1e-4), (400, 0.1)])
def test_scores_are_those_of_the_reference(tmp_path: Path, longest: int, tolerance: float) -> None:
    entries = corpus(longest)
    reference, index = RankBM25Index(), TantivyIndex(tmp_path)
    reference.upsert(entries)
    index.upsert(entries)
    index.commit()
    draw = random.Random(8)
    for _ in range(40):
        text = " ".join(draw.choices(WORDS, k=draw.randint(1, 8)))
        due = reference.search(text, k=1_000, scope=Scope())
        hits = index.search(text, k=1_000, scope=Scope())
        scores = {hit.chunk_id: hit.score for hit in hits}
        assert scores == pytest.approx({h.chunk_id: h.score for h in due}, rel=tolerance)
    index.close()


def test_searching_takes_no_writer(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path)
    index.upsert([entry("a", "battery care")])
    index.close()
    reader = TantivyIndex(tmp_path)
    assert reader.search("battery", k=1, scope=Scope())
    writer = TantivyIndex(tmp_path)
    writer.upsert([entry("b", "battery price")])
    writer.commit()
    assert len(writer.search("battery", k=5, scope=Scope())) == 2
    reader.close()
    writer.close()


def test_the_lock_of_a_killed_writer_does_not_block(tmp_path: Path) -> None:
    code = (
        "import os, sys, signal; from pathlib import Path\n"
        "from ragmem.indexes.tantivy import TantivyIndex\n"
        "index = TantivyIndex(Path(sys.argv[1]))\n"
        "index._writing()\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode
    index = TantivyIndex(tmp_path)
    index.upsert([entry("a", "battery")])
    index.close()


def test_what_a_kill_inside_a_commit_left_is_no_obstacle(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path)
    index.upsert([entry(f"c{number}", "some words") for number in range(20)])
    index.close()
    before = (tmp_path / "meta.json").read_bytes()
    index = TantivyIndex(tmp_path)
    index.delete_chunks(["c3"])
    index.close()
    # The file of deleted entries was written and the commit that names it was not.
    assert list(tmp_path.glob("*.del"))
    (tmp_path / "meta.json").write_bytes(before)
    index = TantivyIndex(tmp_path)
    assert len(index.chunk_ids()) == 20
    index.delete_chunks(["c3"])
    index.commit()
    assert len(index.chunk_ids()) == 19
    index.close()


def test_a_second_writer_is_a_store_error(tmp_path: Path) -> None:
    first, second = TantivyIndex(tmp_path), TantivyIndex(tmp_path)
    first.upsert([entry("a", "battery")])
    with pytest.raises(StoreError):
        second.upsert([entry("b", "battery")])
    first.close()
    second.close()


def test_closing_lets_go_of_everything(tmp_path: Path) -> None:
    def open_and_close() -> None:
        index = TantivyIndex(tmp_path / "lexical")
        for number in range(9):
            index.upsert([entry(f"c{number}", "battery")])
            index.commit()
        assert index.search("battery", k=1, scope=Scope())
        index.close()
        index.close()
        shutil.rmtree(tmp_path / "lexical")

    open_and_close()
    before = open_files_and_threads()
    for _ in range(2):
        open_and_close()
    # Tantivy's merging threads have done their work by now, and end when they are next scheduled.
    patience = time.monotonic() + 5
    while open_files_and_threads() > before and time.monotonic() < patience:
        time.sleep(0.01)
    assert open_files_and_threads() <= before


def open_files_and_threads() -> int:
    """As Linux counts them; 0 elsewhere."""
    folders = (Path("/proc/self/fd"), Path("/proc/self/task"))
    return sum(len(list(folder.iterdir())) for folder in folders if folder.exists())


def test_another_format_is_a_mismatch(tmp_path: Path) -> None:
    TantivyIndex(tmp_path).close()
    (tmp_path / "ragmem-format").write_text("schema 0, analysis 0", "utf-8")
    with pytest.raises(StoreMismatch, match=r"schema 0.*ragmem reindex"):
        TantivyIndex(tmp_path)
    (tmp_path / "ragmem-format").unlink()
    with pytest.raises(StoreMismatch, match="none"):
        TantivyIndex(tmp_path)


def test_an_index_of_another_schema_is_a_mismatch(tmp_path: Path) -> None:
    import tantivy

    TantivyIndex(tmp_path).close()
    stamp = (tmp_path / "ragmem-format").read_text("utf-8")
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    tantivy.Index(tantivy.SchemaBuilder().add_text_field("other").build(), str(tmp_path))
    (tmp_path / "ragmem-format").write_text(stamp, "utf-8")
    with pytest.raises(StoreMismatch, match="ragmem reindex"):
        TantivyIndex(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{]", b"\xff\xfe"])
def test_unreadable_files_are_store_errors(tmp_path: Path, content: bytes) -> None:
    index = TantivyIndex(tmp_path)
    index.upsert([entry("a", "battery")])
    index.close()
    (tmp_path / "meta.json").write_bytes(content)
    with pytest.raises(StoreCorrupt, match="reindex"):
        TantivyIndex(tmp_path)


def test_a_lost_segment_is_corrupt_and_clear_repairs(tmp_path: Path) -> None:
    index = TantivyIndex(tmp_path)
    index.upsert([entry("a", "battery")])
    index.commit()
    for path in tmp_path.glob("*.term"):
        path.unlink()
    with pytest.raises(StoreCorrupt, match="reindex"):
        TantivyIndex(tmp_path)
    index.clear()
    index.upsert([entry("a", "battery")])
    index.commit()
    assert index.chunk_ids() == {"a"}
    index.close()


def test_importing_the_module_does_not_import_tantivy() -> None:
    code = "import sys, ragmem.indexes.tantivy; sys.exit('tantivy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
