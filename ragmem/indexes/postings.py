"""Sparse vectors by term, in SQLite: which chunks a term says something about, and how much.

Who may see a chunk is the roster's business (`roster.py`), what a text weighs the encoder's.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ragmem.indexes.index_file import IndexFile
from ragmem.types import FloatVector, TermWeights

_FORMAT = 1
_SCHEMA = """
CREATE TABLE chunks (
    number INTEGER PRIMARY KEY, chunk_id TEXT NOT NULL UNIQUE,
    terms BLOB NOT NULL, weights BLOB NOT NULL);
CREATE TABLE blocks (
    term INTEGER NOT NULL, block INTEGER NOT NULL, postings BLOB NOT NULL,
    PRIMARY KEY (term, block));
"""
_BLOCK_CHUNKS = 4096
"""Chunks with neighbouring numbers share a term's block: a change rewrites at most 32 KB a term."""
_POSTING = np.dtype([("number", "<u4"), ("weight", "<f4")])
_LISTED = "(SELECT value FROM json_each(?))"

Numbers = npt.NDArray[np.int64]


class Postings:
    """The vectors of one index. Thread-safe; every change is on disk when its method returns."""

    def __init__(self, path: Path, *, model_id: str) -> None:
        """Open the file, creating it where there is none.

        Raises:
            StoreMismatch: it was written in another format or with another model.
            StoreCorrupt: it is no readable database.
        """
        self._file = IndexFile(
            path,
            index="sparse",
            schema=_SCHEMA,
            format_version=_FORMAT,
            made_for=("model", model_id),
        )

    def put(self, vectors: dict[str, TermWeights]) -> None:
        """Add or replace vectors by chunk id."""
        with self._file.changing() as connection:
            self._remove(connection, list(vectors))
            last = connection.execute("SELECT ifnull(max(number), 0) FROM chunks").fetchone()[0]
            numbered = list(enumerate(vectors.items(), start=last + 1))
            connection.executemany(
                "INSERT INTO chunks VALUES (?, ?, ?, ?)",
                [
                    (number, key, vector.terms.astype("<u4").tobytes(), _bytes(vector.weights))
                    for number, (key, vector) in numbered
                ],
            )
            new: dict[tuple[int, int], list[tuple[int, float]]] = {}
            for number, (_, vector) in numbered:
                block = number // _BLOCK_CHUNKS
                for term, weight in zip(vector.terms.tolist(), vector.weights, strict=True):
                    new.setdefault((term, block), []).append((number, weight))
            for (term, block), added in new.items():
                held = _read_block(connection, term, block)
                _write_block(
                    connection, term, block, np.concatenate([held, np.array(added, dtype=_POSTING)])
                )

    def remove(self, chunk_ids: Sequence[str]) -> None:
        """Remove vectors; unknown ids are no error."""
        with self._file.changing() as connection:
            self._remove(connection, chunk_ids)

    def scores(self, query: TermWeights) -> tuple[Numbers, FloatVector]:
        """The numbers of all chunks that share a term with the query, and their inner products."""
        parts = []
        with self._file.reading() as connection:
            for term, weight in zip(query.terms.tolist(), query.weights.tolist(), strict=True):
                for (blob,) in connection.execute(
                    "SELECT postings FROM blocks WHERE term = ? ORDER BY block", (term,)
                ):
                    held = np.frombuffer(blob, dtype=_POSTING)
                    parts.append((held["number"], held["weight"].astype(np.float64) * weight))
        if not parts:
            return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float32)
        numbers = np.concatenate([part[0] for part in parts])
        # Each sum adds its terms in ascending order, here and in `scores_of`.
        totals = np.bincount(numbers, weights=np.concatenate([part[1] for part in parts]))
        found = np.flatnonzero(totals > 0)
        return found, totals[found].astype(np.float32)

    def scores_of(self, query: TermWeights, chunk_ids: Sequence[str]) -> dict[str, float]:
        """The inner products of these chunks with the query, those above zero."""
        found = {}
        with self._file.reading() as connection:
            rows = connection.execute(
                f"SELECT chunk_id, terms, weights FROM chunks WHERE chunk_id IN {_LISTED}",
                (json.dumps(list(chunk_ids)),),
            ).fetchall()
        for chunk_id, terms, weights in rows:
            _, own, asked = np.intersect1d(
                np.frombuffer(terms, dtype="<u4"),
                query.terms,
                assume_unique=True,
                return_indices=True,
            )
            held = np.frombuffer(weights, dtype="<f4")[own].astype(np.float64)
            products = held * query.weights[asked].astype(np.float64)
            total = np.bincount(np.zeros(len(products), dtype=np.int64), weights=products).sum()
            if total > 0:
                found[str(chunk_id)] = float(np.float32(total))
        return found

    def chunk_ids(self, numbers: Sequence[int]) -> dict[int, str]:
        """The chunk ids of these numbers."""
        with self._file.reading() as connection:
            return dict(
                connection.execute(
                    f"SELECT number, chunk_id FROM chunks WHERE number IN {_LISTED}",
                    (json.dumps(list(numbers)),),
                )
            )

    def ids(self) -> set[str]:
        """Every chunk id."""
        with self._file.reading() as connection:
            return {row[0] for row in connection.execute("SELECT chunk_id FROM chunks")}

    def clear(self) -> None:
        """Remove everything."""
        with self._file.changing() as connection:
            connection.execute("DELETE FROM blocks")
            connection.execute("DELETE FROM chunks")

    def fold(self) -> None:
        """Fold the log into the file, so that what was removed is in neither."""
        with self._file.reading() as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Fold the log into the file and close it."""
        self._file.close()

    def _remove(self, connection: sqlite3.Connection, chunk_ids: Sequence[str]) -> None:
        listed = (json.dumps(list(chunk_ids)),)
        held = connection.execute(
            f"SELECT number, terms FROM chunks WHERE chunk_id IN {_LISTED}", listed
        )
        gone: dict[tuple[int, int], list[int]] = {}
        for number, terms in held.fetchall():
            for term in np.frombuffer(terms, dtype="<u4").tolist():
                gone.setdefault((term, number // _BLOCK_CHUNKS), []).append(number)
        for (term, block), numbers in gone.items():
            before = _read_block(connection, term, block)
            left = before[~np.isin(before["number"], numbers)]
            _write_block(connection, term, block, left)
        connection.execute(f"DELETE FROM chunks WHERE chunk_id IN {_LISTED}", listed)


def _read_block(connection: sqlite3.Connection, term: int, block: int) -> npt.NDArray[np.void]:
    row = connection.execute(
        "SELECT postings FROM blocks WHERE term = ? AND block = ?", (term, block)
    ).fetchone()
    return np.frombuffer(row[0] if row else b"", dtype=_POSTING)


def _write_block(
    connection: sqlite3.Connection, term: int, block: int, postings: npt.NDArray[np.void]
) -> None:
    if len(postings):
        connection.execute(
            "REPLACE INTO blocks VALUES (?, ?, ?)", (term, block, postings.tobytes())
        )
    else:
        connection.execute("DELETE FROM blocks WHERE term = ? AND block = ?", (term, block))


def _bytes(weights: FloatVector) -> bytes:
    return weights.astype("<f4").tobytes()
