"""How fast documents come in, by stage, and how fast the embedder is beside torch.

    python benchmarks/ingest.py [--data FOLDER_OR_FILE] [--documents 300]

`--data` takes a folder of files of any format, a `.jsonl` file of objects with `text` and perhaps
`title`, or a text file that is cut into documents; by default Python's own reference is read.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from figures import Figure, arguments, in_fresh_process, peak_mebibytes, show, tell
from sqlalchemy import func, select
from texts import read_texts

from ragmem import Agent, Settings
from ragmem.models.cache import model_path
from ragmem.models.onnx_embedder import OnnxEmbedder
from ragmem.store.schema import chunks, documents
from ragmem.store.store import open_store

TORCH_BATCHES = (8, 16, 32, 64)
WORDS_A_CHUNK = 58


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one ingest did."""

    documents: int
    chunks: int
    tokens: int
    characters: int
    seconds: Mapping[str, float]
    peak: float


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--documents", type=int, default=300, help="the most to take from a file")
    parser.add_argument("--texts", type=int, default=256, help="chunks to compare with torch")
    parser.add_argument("--rounds", type=int, default=5, help="of the comparison; 0 leaves it out")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    figures = ingest_figures(
        in_fresh_process(ingest, options.data, options.documents, options.threads)
    )
    if options.rounds:
        folder = None if options.data is None or options.data.is_dir() else options.data
        figures += in_fresh_process(compare, folder, options.texts, options.rounds, options.threads)
    show("ingest", figures, as_json=options.as_json)


def ingest(data: Path | None, limit: int, threads: int) -> Ingested:
    """Ingest into a new store."""
    tell("ingesting ...")
    with tempfile.TemporaryDirectory(prefix="ragmem-ingest-") as folder:
        with Agent.open(folder, settings=Settings(threads=threads)) as agent:
            if data is not None and data.is_dir():
                report = agent.knowledge.add(data)
            else:
                report = agent.knowledge.add_texts(read_texts(data, words=400, limit=limit))
        peak = peak_mebibytes()
        store = open_store(Path(folder), read_only=True)
        with store.reading() as connection:
            tokens = connection.execute(select(func.sum(chunks.c.tokens))).scalar_one()
            length = func.sum(func.length(documents.c.text))
            characters = connection.execute(select(length)).scalar_one()
        store.close()
    return Ingested(report.added, report.chunks, tokens, characters, report.seconds, peak)


def ingest_figures(done: Ingested) -> list[Figure]:
    """Speeds over the whole ingest and by stage."""
    total = done.seconds["total"]
    share = 100 * done.seconds["embed"] / total
    figures = [
        Figure("documents", done.documents, ""),
        Figure("chunks", done.chunks, ""),
        Figure("characters", done.characters, ""),
        Figure("tokens in chunks", done.tokens, ""),
        Figure("documents a second", done.documents / total, "1/s"),
        Figure("tokens a second", done.tokens / total, "1/s"),
        Figure("share of embedding", share, "%", "at least 85"),
        Figure("peak memory", done.peak, "MiB"),
    ]
    for stage, seconds in done.seconds.items():
        figures += [
            Figure(f"{stage}: seconds", seconds, "s"),
            Figure(f"{stage}: documents a second", done.documents / seconds, "1/s"),
            Figure(f"{stage}: tokens a second", done.tokens / seconds, "1/s"),
        ]
    return figures


def compare(data: Path | None, count: int, rounds: int, threads: int) -> list[Figure]:
    """Embed the same chunks with ragmem's embedder and with sentence-transformers, in turns.

    Both sort by length; torch runs with the batch size that is fastest here. Of each, the fastest
    round counts: the one that other processes disturbed least.
    """
    import torch
    from sentence_transformers import SentenceTransformer

    tell("comparing embedders ...")
    torch.set_num_threads(threads)
    folder = model_path(Settings().embedding_model)
    own = OnnxEmbedder(folder, threads=threads)
    other = SentenceTransformer(str(folder), device="cpu")
    cut = cut_chunks(data, count)
    tokens = sum(own.count_tokens(cut)) / len(cut)

    def torch_at(size: int) -> Callable[[], object]:
        return lambda: other.encode(cut, batch_size=size, show_progress_bar=False)

    def run_own() -> object:
        return own.embed_documents(cut)

    for warm_up in (run_own, torch_at(TORCH_BATCHES[0])):
        warm_up()
    best = min(TORCH_BATCHES, key=lambda size: _seconds(torch_at(size)))
    pairs = [(_seconds(run_own), _seconds(torch_at(best))) for _ in range(rounds)]
    own_speed = len(cut) / min(mine for mine, _ in pairs)
    torch_speed = len(cut) / min(theirs for _, theirs in pairs)
    return [
        Figure("embedder: tokens a chunk", tokens, ""),
        Figure("embedder: chunks a second", own_speed, "1/s"),
        Figure("embedder: torch chunks a second", torch_speed, "1/s"),
        Figure("embedder: torch batch size", best, ""),
        Figure("embedder: times as fast as torch", own_speed / torch_speed, "", "at least 1.25"),
    ]


def cut_chunks(data: Path | None, count: int) -> list[str]:
    """Texts of some 80 tokens of English, their lengths varying by half as those of chunks do."""
    texts = read_texts(data, words=WORDS_A_CHUNK, limit=count)
    words = iter(" ".join(each.text for each in texts).split())
    lengths = random.Random(0)
    spread = WORDS_A_CHUNK // 2
    found = []
    for _ in range(count):
        length = lengths.randint(WORDS_A_CHUNK - spread, WORDS_A_CHUNK + spread)
        found.append(" ".join(islice(words, length)))
    return [text for text in found if text]


def _seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
