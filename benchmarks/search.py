"""How a search grows with the store: time by ranking and stage, filtered and not, memory and disk.

    python benchmarks/search.py --chunks 10000 100000 1000000 [--data FILE] [--questions 300]

Stores are grown from real chunks (see `grown_store.py`) and kept in a cache folder, so that a
second run only measures. Questions are sentences of documents that are not in the store. `--data`
takes a `.jsonl` file of objects with `text`, or a text file; by default Python's own reference is
read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from figures import (
    Figure,
    arguments,
    cache_folder,
    disk_mebibytes,
    growth,
    in_fresh_process,
    median,
    memory_mebibytes,
    percentile,
    show,
    tell,
)
from grown_store import RESTRICTED, grown_store
from texts import questions_from, read_texts

from ragmem import Agent, Filter, Scope, TextDocument, equals

Ranking = Literal["lexical", "dense", "fused", "default"]
EVERYTHING = Scope(groups=frozenset(name.removeprefix("group:") for name in RESTRICTED))
PUBLIC_ONLY = Scope()


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of search."""

    name: str
    ranking: Ranking
    scope: Scope = EVERYTHING
    where: Filter | None = None


HUNDREDTH = equals(hundredth=7)
CASES = (
    Case("lexical", "lexical"),
    Case("dense", "dense"),
    Case("fused", "fused"),
    Case("default", "default"),
    Case("lexical, filter 1 in 100", "lexical", where=HUNDREDTH),
    Case("dense, filter 1 in 100", "dense", where=HUNDREDTH),
    Case("fused, filter 1 in 100", "fused", where=HUNDREDTH),
    Case("default, filter 1 in 100", "default", where=HUNDREDTH),
    Case("default, filter 1 in 2", "default", where=equals(half=1)),
    Case("default, filter 1 in 10,000", "default", where=equals(ten_thousandth=7)),
    Case("default, access list 3 in 4", "default", PUBLIC_ONLY),
    Case("default, access list and filter 1 in 100", "default", PUBLIC_ONLY, HUNDREDTH),
)
_HELD_OUT = 600  # however many questions are asked, so that the stores stay the same
STAGES = "default"
"""The case whose stages are shown."""


def main() -> None:
    """Build what is missing, measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--texts", type=int, default=2_500, help="the most to grow a store from")
    parser.add_argument("--questions", type=int, default=300, help="at most 300")
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="where stores are kept")
    options = parser.parse_args()
    texts = read_texts(options.data, words=60, limit=options.texts + _HELD_OUT)
    held_out, texts = texts[:_HELD_OUT], texts[_HELD_OUT:]
    questions = questions_from(held_out, count=options.questions)
    figures = []
    for chunks in options.chunks:
        folder = in_fresh_process(build, texts, chunks, options.cache)
        figures += in_fresh_process(measure, folder, questions, chunks)
    figures += laws(figures, options.chunks)
    show("search", figures, as_json=options.as_json)


def build(texts: Sequence[TextDocument], chunks: int, cache: Path) -> Path:
    """The store's folder."""
    return grown_store(texts, chunks=chunks, cache=cache)


def measure(folder: Path, questions: Sequence[str], chunks: int) -> list[Figure]:
    """Every figure over one store, in a process that has done nothing before."""
    tell(f"searching {chunks:,} chunks for {len(questions)} questions ...")
    began = time.perf_counter()
    with Agent.open(folder, read_only=True) as agent:
        opened = time.perf_counter()
        agent.knowledge.search(questions[0], scope=EVERYTHING)
        searched = time.perf_counter()
        figures = [
            Figure("opening", opened - began, "s"),
            Figure("first search", searched - opened, "s"),
            Figure("memory after it", memory_mebibytes(), "MiB"),
        ]
        for case in CASES:
            figures += warm(agent, questions, case)
        figures.append(Figure("peak memory", memory_mebibytes(peak=True), "MiB"))
    for name, megabytes in disk_mebibytes(folder).items():
        figures.append(Figure(f"disk, {name}", megabytes, "MiB"))
    return [
        Figure(f"{chunks:,} chunks: {each.name}", each.value, each.unit, each.aim)
        for each in figures
    ]


def warm(agent: Agent, questions: Sequence[str], case: Case) -> list[Figure]:
    """Wall time of a search, what the processor did in it, and the share of each stage.

    The very first search with a scope and a filter judges every distinct set of attributes.
    """
    times, worked = [], []
    stages: dict[str, list[float]] = {}
    for question in (questions[0], *questions):
        began, busy = time.perf_counter(), time.process_time()
        result = agent.knowledge.search(
            question, k=10, scope=case.scope, where=case.where, ranking=case.ranking
        )
        times.append((time.perf_counter() - began) * 1e3)
        worked.append((time.process_time() - busy) * 1e3)
        for stage in result.trace.stages:
            stages.setdefault(stage.name, []).append(stage.seconds * 1e3)
    aim = "at most 60" if case.name == STAGES else ""
    figures = [
        Figure(f"{case.name}: p50", median(times[1:]), "ms", aim),
        Figure(f"{case.name}: p95", percentile(times[1:], 95), "ms"),
        Figure(f"{case.name}: p50 of processor time", median(worked[1:]), "ms"),
    ]
    if case.where is not None or case.scope != EVERYTHING:
        figures.insert(0, Figure(f"{case.name}: first", times[0], "ms"))
    if case.name == STAGES:
        figures += [
            Figure(f"{case.name}: p50 of stage {stage}", median(spent[1:]), "ms")
            for stage, spent in stages.items()
        ]
    return figures


def laws(figures: Sequence[Figure], sizes: Sequence[int]) -> list[Figure]:
    """The exponents of growth, where there are several sizes to fit one to."""
    if len(set(sizes)) < 2:
        return []
    values: Mapping[str, float] = {each.name: each.value for each in figures}
    names = [f"{case.name}: {measure}" for case in CASES for measure in ("p50", "p95")]
    return [
        Figure(
            f"{name} grows with chunks to the power of",
            growth({size: values[f"{size:,} chunks: {name}"] for size in sizes}),
            "",
        )
        for name in (*names, "peak memory", "disk, everything")
    ]


if __name__ == "__main__":
    main()
