"""Reading judged collections: what is right comes through, what is wrong is named."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import pytest

from evals.beir_data import read_beir
from ragmem import UsageError

CORPUS = [{"_id": "d1", "title": "One", "text": "first"}, {"_id": "d2", "text": "second"}]
QUERIES = [{"_id": "q1", "text": "which?"}, {"_id": "q2", "text": "unjudged"}]
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t0\n"


def write(
    folder: Path,
    *,
    corpus: list[dict[str, str]] = CORPUS,
    queries: list[dict[str, str]] = QUERIES,
    qrels: str = QRELS,
) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels" / "test.tsv").write_text(qrels)
    return folder


def test_only_judged_questions_come_through(tmp_path: Path) -> None:
    data = read_beir(write(tmp_path / "set"))
    assert [document.title for document in data.corpus] == ["One", ""]
    assert data.queries == {"q1": "which?"}
    assert data.qrels == {"q1": {"d1": 1, "d2": 0}}


def test_compressed_files_are_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "set")
    plain = read_beir(folder)
    corpus, queries = folder / "corpus.jsonl", folder / "queries.jsonl"
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(corpus.read_bytes()))
    (folder / "queries.jsonl.xz").write_bytes(lzma.compress(queries.read_bytes()))
    corpus.unlink()
    queries.unlink()
    assert read_beir(folder) == plain


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"corpus": []}, "holds no documents"),
        ({"corpus": [CORPUS[0], CORPUS[0]]}, "the id d1 occurs twice"),
        ({"corpus": CORPUS[:1]}, "does not hold, for instance d2 for the question q1"),
        ({"queries": QUERIES[1:]}, "judges the question q1, which is missing"),
        ({"qrels": "h\nq1\td1\n"}, "line 2: expected query, document and grade"),
        ({"qrels": "h\nq1\td1\t0\n"}, "judges no document relevant"),
        ({"corpus": [{"text": "no id"}]}, "a line has no _id"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, change: dict[str, list[dict[str, str]] | str], message: str
) -> None:
    folder = write(tmp_path / "set", **change)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message):
        read_beir(folder)


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is missing"):
        read_beir(tmp_path)
    folder = write(tmp_path / "set")
    (folder / "corpus.jsonl").write_text("{broken\n")
    with pytest.raises(UsageError, match="line 1: no JSON"):
        read_beir(folder)
