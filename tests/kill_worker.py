"""Ingests, is killed, and looks at what is left; run by `tests/ingestion/test_kill.py`.

The process imports everything once and forks a child for each step, before any index is open:
starting Python anew for each kill would take minutes.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fakes import DictConnector, HashEmbedder, LineChunker, TextParser

from ragmem.indexes.chroma import ChromaIndex
from ragmem.indexes.tantivy import TantivyIndex
from ragmem.ingestion.committing import GroupSizes
from ragmem.ingestion.indexer import Indexer
from ragmem.ingestion.reading import SyncOptions
from ragmem.ingestion.sync import SyncEngine
from ragmem.store.chunks import all_chunk_ids, chunk_ids_of
from ragmem.store.document_uris import document_id_of
from ragmem.store.reader import StoreReader
from ragmem.store.store import Store, open_store
from ragmem.types import ParsedDocument, Scope, SyncProgress

SIZES = GroupSizes(chunks=24, documents=8, indexing=8)
World = dict[str, str]
Tell = Callable[[str], object]


@dataclass(frozen=True)
class Outcome:
    """What a child told, and whether it was killed before it ended."""

    lines: set[str]
    was_killed: bool


def world_of(seed: int, step: int) -> World:
    """The source's documents at a step: about a third differ from the step before."""
    world = {}
    for number in range(24):
        rng = random.Random(f"{seed}/{number}")
        version = 0
        for each in range(1, step + 1):
            if rng.random() < 0.35:
                version = each
        content = random.Random(f"{seed}/{number}/{version}")
        if content.random() < 0.15:
            continue  # deleted at this version
        lines = [f"document {number} line {i} word{content.randrange(50)}" for i in range(5)]
        world[f"doc:{number}"] = "\n".join(lines)
    return world


def open_engine(folder: Path) -> tuple[Store, ChromaIndex, TantivyIndex, SyncEngine]:
    """Open the store with real indexes, replaying what is pending as the app does."""
    store = open_store(folder, timeout_seconds=5)
    embedder = HashEmbedder()
    dense = ChromaIndex(folder / "dense", dimensions=embedder.dimensions)
    lexical = TantivyIndex(folder / "lexical")
    indexer = Indexer(store=store, dense=dense, lexical=lexical, model_id=embedder.model_id)
    indexer.apply_pending()
    engine = SyncEngine(
        store=store,
        parser=TextParser(),
        chunker=LineChunker(),
        embedder=embedder,
        indexer=indexer,
        sizes=SIZES,
    )
    return store, dense, lexical, engine


def sync(folder: Path, world: World, tell: Tell) -> None:
    """Sync a world into the store, telling each document that is safe."""
    store, dense, lexical, engine = open_engine(folder)

    def acknowledge(progress: SyncProgress) -> None:
        if progress.stage == "committed":
            tell(progress.uri)

    engine.sync(DictConnector(dict(world)), options=SyncOptions(), on_progress=acknowledge)
    dense.close()
    lexical.close()
    store.close()


def examine(folder: Path, before: World, after: World, acknowledged: set[str], tell: Tell) -> None:
    """Tell what is wrong with the store after a kill between two worlds."""
    store, dense, lexical, _ = open_engine(folder)
    with store.reading() as connection:
        stored = all_chunk_ids(connection)
    for name, held in (("dense", dense.chunk_ids()), ("lexical", lexical.chunk_ids())):
        if held != stored:
            tell(f"the {name} index differs by {len(held ^ stored)} chunks")
    reader = StoreReader(store)
    texts = {
        info.uri: reader.document(info.uri, scope=Scope()).text
        for info in reader.documents(scope=Scope())
    }
    for uri in acknowledged:
        if texts.get(uri) != after[uri]:
            tell(f"{uri} was acknowledged and is not there")
    expected: set[str] = set()
    for uri, text in texts.items():
        if text not in (before.get(uri), after.get(uri)):
            tell(f"{uri} is neither the old nor the new document")
        parsed = ParsedDocument(text=text, text_format="plain")
        document_id = document_id_of(tenant="default", uri=uri)
        expected.update(chunk_ids_of(document_id, LineChunker().chunk(parsed)))
    if expected != stored:
        tell(f"{len(expected ^ stored)} chunks are half there")
    dense.close()
    lexical.close()
    store.close()


def in_child(
    work: Callable[[Tell], None], *, kill_after: float | None = None, lines_first: int = 0
) -> Outcome:
    """Run `work` in a forked child and collect what it tells.

    With `kill_after` it is killed so many seconds after it has told `lines_first` lines.
    """
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        code = 1
        try:
            work(lambda line: os.write(writable, f"{line}\n".encode()))
            code = 0
        except Exception:  # noqa: BLE001 - whatever it is, the parent must learn of it
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)
    os.close(writable)
    deadline = None
    told = b""
    while True:
        if kill_after is not None and told.count(b"\n") >= lines_first:
            deadline, kill_after = time.monotonic() + kill_after, None
        wait = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([readable], [], [], wait)[0]:
            os.kill(child, signal.SIGKILL)
            deadline = None
            continue
        piece = os.read(readable, 65536)
        if not piece:
            break
        told += piece
    os.close(readable)
    _, status = os.waitpid(child, 0)
    was_killed = os.WIFSIGNALED(status)
    if status != 0 and not was_killed:
        raise SystemExit(f"a step failed with status {status}")
    lines = told[: told.rfind(b"\n") + 1].decode().splitlines()
    return Outcome(lines=set(lines), was_killed=was_killed)


def main(folder: Path, *, kills: int, seed: int) -> None:
    """Kill a sync `kills` times at random; print what was found as one JSON object."""
    rng = random.Random(seed)
    old = world_of(seed, 0)
    in_child(partial(sync, folder, old))
    began = time.monotonic()
    in_child(partial(sync, folder, world_of(seed, 1)))
    typical_seconds = time.monotonic() - began
    old = world_of(seed, 1)
    problems: list[str] = []
    killed = acknowledged = 0
    step = 1
    while killed < kills:
        step += 1
        new = world_of(seed, step)
        # Every other kill comes soon after some documents were acknowledged: between the commit
        # in SQL, the two indexes and the crossing out.
        late = step % 2 == 0
        outcome = in_child(
            partial(sync, folder, new),
            kill_after=rng.uniform(0.0, 0.1 if late else typical_seconds),
            lines_first=rng.randint(1, 4) if late else 0,
        )
        killed += outcome.was_killed
        acknowledged += len(outcome.lines) if outcome.was_killed else 0
        found = in_child(partial(examine, folder, old, new, outcome.lines))
        problems += [f"step {step}: {problem}" for problem in sorted(found.lines)]
        in_child(partial(sync, folder, new))
        old = new
    found = in_child(partial(examine, folder, {}, old, set(old)))
    problems += [f"at the end: {problem}" for problem in sorted(found.lines)]
    report = {"kills": killed, "acknowledged": acknowledged, "problems": problems}
    print(json.dumps(report))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), kills=int(sys.argv[2]), seed=int(sys.argv[3]))
