"""How exact and how fast the dense index is: `python benchmarks/index_recall.py --chunks 50000`.

Vectors come from a text file (`--text FILE --model FOLDER`, embedded by sentence-transformers) or
are drawn in clusters, and are grown to the number asked for by jitter. Every search is compared
with one that looks at every vector.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from ragmem.filters import Condition, Filter, equals
from ragmem.indexes.chroma import ChromaIndex
from ragmem.indexes.ranking import cosines_to
from ragmem.types import PUBLIC, FloatMatrix, IndexEntry, Scope

CHUNKS_PER_DOCUMENT = 10
QUERIES = 100


def main() -> None:
    """Build the index, search it and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chunks", type=int, default=50_000)
    parser.add_argument("--dimensions", type=int, default=384, help="of drawn vectors")
    parser.add_argument("--text", type=Path, help="a text file to embed")
    parser.add_argument("--model", help="a sentence-transformers name or folder, for --text")
    parser.add_argument("--vectors", type=Path, help="a .npy file of vectors to grow instead")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    if options.vectors:
        seeds = np.load(options.vectors).astype(np.float32)
    elif options.text:
        seeds = embed(options.text, options.model)
    else:
        seeds = clusters(random, options.dimensions)
    held_out, seeds = seeds[:QUERIES], seeds[QUERIES:]
    vectors = grow(seeds, options.chunks, random)
    folder = Path(tempfile.mkdtemp(prefix="ragmem-recall-"))
    try:
        measure(folder, vectors, held_out)
    finally:
        shutil.rmtree(folder)


def measure(folder: Path, vectors: FloatMatrix, queries: FloatMatrix) -> None:
    """Print what building costs and, for each selectivity, recall and latency."""
    index = ChromaIndex(folder, dimensions=vectors.shape[1])
    started = time.perf_counter()
    for start in range(0, len(vectors), 5_000):
        rows = range(start, min(start + 5_000, len(vectors)))
        index.upsert([entry(row) for row in rows], vectors[rows.start : rows.stop])
    index.commit()
    print(f"added {len(vectors) / (time.perf_counter() - started):,.0f} chunks/s")
    index.close()
    started = time.perf_counter()
    index = ChromaIndex(folder, dimensions=vectors.shape[1])
    index.search(queries[0], k=10, scope=Scope())
    print(f"opened and searched once in {time.perf_counter() - started:.2f} s")
    rows = np.arange(len(vectors))
    documents = rows // CHUNKS_PER_DOCUMENT
    everything = Scope(groups=frozenset({"staff"}))
    cases: list[tuple[str, Scope, Filter | None, np.ndarray]] = [
        ("everything", everything, None, rows >= 0),
        ("access list (3 in 4)", Scope(), None, documents % 4 != 0),
        ("1 in 2", everything, equals(half=0), documents % 2 == 0),
        ("1 in 8", everything, below(12), documents % 100 < 12),
        ("1 in 10", everything, equals(tenth=3), documents % 10 == 3),
        ("1 in 100", everything, equals(hundredth=7), documents % 100 == 7),
        ("text order (1 in 3)", everything, since("2024"), documents % 3 == 2),
        ("one document", everything, equals(number=5), documents == 5),
    ]
    heads = ("recall@10", "recall@100", "first ms", "p50 ms", "p95 ms")
    print(f"{'filter':22}" + "".join(f"{head:>11}" for head in heads))
    for name, scope, where, mask in cases:
        allowed = np.flatnonzero(mask)
        exact = vectors[allowed] @ queries.T
        recalls = {}
        times: list[float] = []
        for k in (10, 100):
            recalls[k], spent = recall(index, queries, exact, scope, where, k)
            times += spent
        first, rest = times[0], sorted(times[1:])
        p50, p95 = rest[len(rest) // 2], rest[int(len(rest) * 0.95)]
        print(
            f"{name:22}{recalls[10]:11.4f}{recalls[100]:11.4f}"
            f"{first * 1e3:11.1f}{p50 * 1e3:11.1f}{p95 * 1e3:11.1f}"
        )
    started = time.perf_counter()
    index.search(queries[0], k=10, scope=everything, exact=True)
    print(f"exact search of everything: {time.perf_counter() - started:.2f} s")
    hundred = [f"c{row}" for row in range(0, len(vectors), max(1, len(vectors) // 100))][:100]
    started = time.perf_counter()
    for query in queries[:20]:
        cosines_to(query, index.vectors(hundred))
    print(f"similarities of 100 chunks: {(time.perf_counter() - started) / 20 * 1e3:.1f} ms")
    index.close()


def recall(
    index: ChromaIndex,
    queries: FloatMatrix,
    exact: FloatMatrix,
    scope: Scope,
    where: Filter | None,
    k: int,
) -> tuple[float, list[float]]:
    """The share of the exact top k found (equal scores count), and seconds a search."""
    shares, times = [], []
    for column, query in enumerate(queries):
        started = time.perf_counter()
        hits = index.search(query, k=k, scope=scope, where=where)
        times.append(time.perf_counter() - started)
        scores = exact[:, column]
        due = min(k, len(scores))
        least = np.partition(scores, -due)[-due] - 1e-5
        shares.append(sum(hit.score >= least for hit in hits) / due)
    return float(np.mean(shares)), times


def entry(row: int) -> IndexEntry:
    """The entry of one vector; every fourth document is restricted."""
    document = row // CHUNKS_PER_DOCUMENT
    return IndexEntry(
        chunk_id=f"c{row}",
        document_id=f"d{document}",
        tenant="default",
        acl=frozenset({"group:staff"}) if document % 4 == 0 else PUBLIC,
        title="",
        text="",
        language="en",
        metadata={
            "half": document % 2,
            "tenth": document % 10,
            "hundredth": document % 100,
            "number": document,
            "published": f"{2022 + document % 3}-01-01",
        },
    )


def below(hundredth: int) -> Filter:
    """So many of a hundred documents."""
    return Condition(field="hundredth", operator="<", value=hundredth)


def since(date: str) -> Filter:
    """Documents published then or later."""
    return Condition(field="published", operator=">=", value=date)


def embed(path: Path, model: str | None) -> FloatMatrix:
    """The paragraphs of a text file as vectors of length one."""
    from sentence_transformers import SentenceTransformer

    words = path.read_text("utf-8").split()
    texts = [" ".join(words[start : start + 60]) for start in range(0, len(words), 60)]
    encoder = SentenceTransformer(model or "sentence-transformers/all-MiniLM-L6-v2")
    return encoder.encode(texts, normalize_embeddings=True, show_progress_bar=True)


def clusters(random: np.random.Generator, dimensions: int) -> FloatMatrix:
    """Vectors of length one around a few hundred centres."""
    centres = random.normal(size=(300, dimensions))
    points = np.repeat(centres, 20, axis=0) + random.normal(size=(6_000, dimensions))
    return unit(random.permutation(points))


def grow(seeds: FloatMatrix, count: int, random: np.random.Generator) -> FloatMatrix:
    """The seeds, then jittered copies, until there are `count` vectors of length one."""
    rounds = -(-count // len(seeds))
    noise = 0.6 / seeds.shape[1] ** 0.5
    jittered = [seeds + random.normal(scale=noise, size=seeds.shape) for _ in range(rounds - 1)]
    return unit(np.concatenate([seeds, *jittered])[:count])


def unit(rows: np.ndarray) -> FloatMatrix:
    """The rows scaled to length one."""
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


if __name__ == "__main__":
    main()
