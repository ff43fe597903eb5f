"""Reads data sets in the BEIR layout: `corpus.jsonl`, `queries.jsonl`, `qrels/SPLIT.tsv`.

Every file may be compressed (`.gz`, `.xz`).
"""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ragmem import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusDocument:
    """One document of a corpus."""

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BeirData:
    """A corpus, its judged questions and the judgements.

    Attributes:
        queries: question texts by id; only those with judgements.
        qrels: by question id, grades by document id; at least one above zero each.
    """

    corpus: tuple[CorpusDocument, ...]
    queries: dict[str, str]
    qrels: dict[str, dict[str, int]]

    def asking(self, query_ids: Iterable[str]) -> BeirData:
        """The same corpus with these questions alone."""
        kept = list(query_ids)
        return BeirData(
            corpus=self.corpus,
            queries={query_id: self.queries[query_id] for query_id in kept},
            qrels={query_id: self.qrels[query_id] for query_id in kept},
        )


def read_beir(folder: Path, *, split: str = "test") -> BeirData:
    """Read a data set.

    Raises:
        UsageError: a file is missing or malformed, an id occurs twice, the corpus is empty, or a
            judgement names a document or a question that is not there.
    """
    corpus = tuple(
        CorpusDocument(
            id=str(row["_id"]), title=str(row.get("title") or ""), text=str(row.get("text") or "")
        )
        for row in _unique(folder / "corpus.jsonl")
    )
    if not corpus:
        raise UsageError(f"{folder / 'corpus.jsonl'} holds no documents")
    texts = {str(row["_id"]): str(row["text"]) for row in _unique(folder / "queries.jsonl")}
    qrels = _read_qrels(folder / "qrels" / f"{split}.tsv")
    known = {document.id for document in corpus}
    for query_id, grades in qrels.items():
        if query_id not in texts:
            raise UsageError(f"qrels/{split}.tsv judges the question {query_id}, which is missing")
        strangers = sorted(grades.keys() - known)
        if strangers:
            raise UsageError(
                f"qrels/{split}.tsv names {len(strangers)} documents that the corpus does not "
                f"hold, for instance {strangers[0]} for the question {query_id}"
            )
    return BeirData(
        corpus=corpus, queries={query_id: texts[query_id] for query_id in qrels}, qrels=qrels
    )


def open_text(path: Path) -> IO[str]:
    """Open a text file that may be compressed and may bear the suffix of its compression.

    Raises:
        UsageError: there is no such file.
    """
    for candidate in (path, Path(f"{path}.gz"), Path(f"{path}.xz")):
        if candidate.is_file():
            if candidate.suffix == ".gz":
                return gzip.open(candidate, "rt", encoding="utf-8")
            if candidate.suffix == ".xz":
                return lzma.open(candidate, "rt", encoding="utf-8")
            return candidate.open(encoding="utf-8")
    raise UsageError(f"{path} is missing (also as .gz and .xz)")


def read_jsonl(path: Path) -> Iterator[dict[str, object]]:
    """The objects of a JSON Lines file.

    Raises:
        UsageError: the file is missing or a line is no JSON object.
    """
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{path}, line {number}: no JSON ({error})") from error
            if not isinstance(row, dict):
                raise UsageError(f"{path}, line {number}: expected an object")
            yield row


def _unique(path: Path) -> Iterator[dict[str, object]]:
    seen: set[str] = set()
    for row in read_jsonl(path):
        if "_id" not in row:
            raise UsageError(f"{path}: a line has no _id")
        name = str(row["_id"])
        if name in seen:
            raise UsageError(f"{path}: the id {name} occurs twice")
        seen.add(name)
        yield row


def _read_qrels(path: Path) -> dict[str, dict[str, int]]:
    qrels: dict[str, dict[str, int]] = {}
    with open_text(path) as lines:
        next(lines, None)  # the header
        for number, line in enumerate(lines, start=2):
            fields = line.rstrip("\n").split("\t")
            if len(fields) != 3 or not fields[2].strip().lstrip("-").isdigit():
                raise UsageError(f"{path}, line {number}: expected query, document and grade")
            qrels.setdefault(fields[0], {})[fields[1]] = int(fields[2])
    judged = {
        query: grades for query, grades in qrels.items() if any(g > 0 for g in grades.values())
    }
    if not judged:
        raise UsageError(f"{path} judges no document relevant")
    return judged
