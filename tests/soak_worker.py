"""Churns a folder, syncs, is killed, goes on; run by `tests/ingestion/test_soak.py`.

At the end the store and both indexes are compared with those of a fresh ingest of the folder. As
in `kill_worker`, children are forked before any index is open.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from fakes import HashEmbedder
from kill_worker import Tell, in_child
from sqlalchemy import select

from connectors.files import FilesConnector
from ragmem.chunking.structure import StructureChunker
from ragmem.filters import equals
from ragmem.indexes.chroma import ChromaIndex
from ragmem.indexes.ranking import cosines_to
from ragmem.indexes.tantivy import TantivyIndex
from ragmem.ingestion.committing import GroupSizes
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.reading import SyncOptions
from ragmem.ingestion.sync import SyncEngine
from ragmem.parsing.parser import DocumentParser
from ragmem.store.chunks import all_chunk_ids
from ragmem.store.documents import list_documents, read_documents_by_id
from ragmem.store.schema import chunks, embeddings
from ragmem.store.store import Store, open_store
from ragmem.types import RawDocument, Scope

SIZES = GroupSizes(chunks=48, documents=12, indexing=24)
OPERATIONS_A_SYNC = 25
FOLDERS = ("", "a", "b", "a/deep", "c d")
WORDS = [f"word{number}" for number in range(200)]
BROKEN = b"%PDF-1.7 broken"


# --- the folder -----------------------------------------------------------------------------------


class Churn:
    """Changes a folder at random, one operation at a time."""

    def __init__(self, folder: Path, seed: str) -> None:
        self._folder = folder
        self._random = random.Random(seed)

    def change(self) -> None:
        """One operation; where there is no file yet, one is added."""
        files = sorted(path for path in self._folder.rglob("*") if path.is_file())
        kinds: list[Callable[[Path], None]] = [self.edit] * 4
        kinds += [self.rename, self.duplicate, self.duplicate, self.touch]
        kinds += [self.delete] * (2 if len(files) > 60 else 1)
        kinds += [self.add] * (3 if len(files) < 30 else 1)
        kinds += [self.permit, self.spoil, self.empty]
        kinds += [self.move_folder] * (self._random.random() < 0.3)
        chosen = self._random.choice(kinds) if files else self.add
        chosen(self._random.choice(files) if files else self._folder)

    def add(self, path: Path) -> None:
        self._new_path().write_text(self._text())

    def edit(self, path: Path) -> None:
        if path.suffix == ".pdf":
            path.unlink()
            return
        path.chmod(0o644)
        blocks = path.read_text().split("\n\n")
        place = self._random.randrange(len(blocks))
        blocks[place : place + self._random.randint(0, 1)] = [self._block()]
        path.write_text("\n\n".join(blocks))

    def rename(self, path: Path) -> None:
        path.rename(self._new_path(path.suffix))

    def duplicate(self, path: Path) -> None:
        path.chmod(0o644)
        to = self._new_path(path.suffix)
        if to != path:
            shutil.copy2(path, to)

    def delete(self, path: Path) -> None:
        path.unlink()

    def touch(self, path: Path) -> None:
        path.touch()

    def permit(self, path: Path) -> None:
        path.chmod(self._random.choice([0o000, 0o600, 0o644]))

    def spoil(self, path: Path) -> None:
        self._new_path(".pdf").write_bytes(BROKEN + self._random.randbytes(3))

    def empty(self, path: Path) -> None:
        path.write_bytes(b"")

    def move_folder(self, path: Path) -> None:
        if path.parent == self._folder:
            return
        to = self._folder / f"moved {self._random.randrange(3)}"
        if not to.exists():
            path.parent.rename(to)

    def _new_path(self, suffix: str | None = None) -> Path:
        folder = self._folder / self._random.choice(FOLDERS)
        folder.mkdir(parents=True, exist_ok=True)
        suffix = suffix or self._random.choice([".md", ".txt"])
        return folder / f"file {self._random.randrange(60)}{suffix}"

    def _text(self) -> str:
        blocks = [self._block() for _ in range(self._random.randint(1, 6))]
        return "\n\n".join([f"# Title {self._random.randrange(5)}", *blocks])

    def _block(self) -> str:
        words = self._random.choices(WORDS, k=self._random.choice([3, 20, 120]))
        return " ".join(words) + "."


def mend(folder: Path) -> None:
    """Leave nothing whose state depends on what it was before."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            path.chmod(0o644)
            if path.read_bytes().startswith(BROKEN):
                path.unlink()


# --- a store --------------------------------------------------------------------------------------


@dataclass
class Opened:
    """A store with real indexes."""

    store: Store
    dense: ChromaIndex
    lexical: TantivyIndex
    engine: SyncEngine
    embedder: HashEmbedder

    def sync(self, docs: Path) -> None:
        options = SyncOptions(allow_mass_delete=True)
        self.engine.sync(FilesConnector(docs), options=options)

    def check(self) -> None:
        """Both indexes hold what the store holds."""
        with self.store.reading() as connection:
            stored = all_chunk_ids(connection)
        assert self.dense.chunk_ids() == stored, "the dense index differs"
        assert self.lexical.chunk_ids() == stored, "the lexical index differs"


@contextmanager
def opened(folder: Path) -> Iterator[Opened]:
    """Open a store, replaying what is pending as the app does."""
    store = open_store(folder, timeout_seconds=5)
    embedder = HashEmbedder()
    dense = ChromaIndex(folder / "dense", dimensions=embedder.dimensions)
    lexical = TantivyIndex(folder / "lexical")
    indexer = Indexer(store=store, dense=dense, lexical=lexical, model_id=embedder.model_id)
    indexer.apply_pending()
    engine = SyncEngine(
        store=store,
        parser=DocumentParser(),
        chunker=StructureChunker(embedder),
        embedder=embedder,
        indexer=indexer,
        sizes=SIZES,
    )
    yield Opened(store, dense, lexical, engine, embedder)
    dense.close()
    lexical.close()
    store.close()


def everything(at: Opened) -> dict[str, Any]:
    """What a store and its indexes hold, but for times, as JSON."""
    held: dict[str, Any] = {}
    with at.store.reading() as connection:
        infos = list(list_documents(connection, scope=Scope()))
        texts = {d.id: d.text for d in read_documents_by_id(connection, [i.id for i in infos])}
        columns = [c for c in chunks.c if c.name != "document_id"]
        for info in infos:
            of_document = chunks.c.document_id == info.id
            rows = connection.execute(
                select(*columns).where(of_document).order_by(chunks.c.position)
            )
            metadata = {k: v for k, v in info.metadata.items() if k != "modified_at"}
            held[info.uri] = [
                *(info.id, info.other_uris, texts[info.id], info.title, metadata),
                [list(row) for row in rows],
            ]
        held["vectors"] = sorted(connection.execute(select(embeddings.c.text_hash)).scalars())
        held["pending"] = at.engine._indexer.pending()
    all_chunks = sorted(at.dense.chunk_ids())
    for question in WORDS[:3]:
        vector = at.embedder.embed_query(question)
        # Each by itself: a search for that many is approximate.
        similar = cosines_to(vector, at.dense.vectors(all_chunks))
        held[question] = {key: round(similar[key], 4) for key in all_chunks}
        for number in range(20):
            where = equals(name=f"file {number}.md")
            near = at.dense.search(vector, k=50, scope=Scope(), where=where)
            found = at.lexical.search(question, k=500, scope=Scope(), where=where)
            held[f"{question} {number}"] = [
                sorted(c.chunk_id for c in each) for each in (near, found)
            ]
        found = at.lexical.search(question, k=500, scope=Scope())
        held[f"{question} anywhere"] = sorted(each.chunk_id for each in found)
    return held


# --- steps ----------------------------------------------------------------------------------------


def churn(docs: Path, store: Path, steps: range, seed: int, tell: Tell) -> None:
    """Change the folder and sync, step by step, telling each step once the folder is changed."""
    with opened(store) as at:
        at.check()
        for step in steps:
            churning = Churn(docs, f"{seed}/{step}")
            for _ in range(OPERATIONS_A_SYNC):
                churning.change()
            tell(str(step))
            at.sync(docs)
            at.check()


def write_everything(docs: Path, store: Path, out: Path, _: Tell) -> None:
    """Sync a last time and write down what is held."""
    with opened(store) as at:
        at.sync(docs)
        at.check()
        out.write_text(json.dumps(everything(at)))


def warm_up() -> None:
    """Load once what every child would load again; nothing here starts a thread."""
    for module in ("chromadb", "datasketch", "tenacity"):
        importlib.import_module(module)
    text = "A sentence in a language that is to be recognized, long enough to be told."
    DocumentParser().parse(RawDocument(uri="u", name="x.md", content=text))


def main(folder: Path, *, operations: int, seed: int) -> None:
    """Churn with kills; print what was found as one JSON object."""
    docs = folder / "docs"
    docs.mkdir(parents=True)
    chosen = random.Random(seed)
    steps, done, kills = operations // OPERATIONS_A_SYNC, 0, 0
    warm_up()
    while done < steps:
        ahead = range(done, min(done + 8, steps))
        outcome = in_child(
            partial(churn, docs, folder / "store", ahead, seed),
            kill_after=chosen.uniform(0.0, 0.4),
            lines_first=chosen.randint(1, 8),
        )
        done = max([done, *(int(line) + 1 for line in outcome.lines)])
        kills += outcome.was_killed
    mend(docs)
    for name in ("store", "fresh"):
        in_child(partial(write_everything, docs, folder / name, folder / f"{name}.json"))
    ours, fresh = (json.loads((folder / f"{n}.json").read_text()) for n in ("store", "fresh"))
    differing = sorted(key for key in ours.keys() | fresh if ours.get(key) != fresh.get(key))
    uris = [key for key in fresh if key.startswith("file:")]
    report = {
        "operations": done * OPERATIONS_A_SYNC,
        "kills": kills,
        "documents": len(uris),
        "copies": sum(len(fresh[uri][1]) for uri in uris),
        "chunks": sum(len(fresh[uri][5]) for uri in uris),
        "differing": differing,
    }
    print(json.dumps(report))  # noqa: T201


if __name__ == "__main__":
    os.umask(0o022)
    main(Path(sys.argv[1]), operations=int(sys.argv[2]), seed=int(sys.argv[3]))
