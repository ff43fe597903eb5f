"""How fast a warm search is at several store sizes, by stage, filtered and not.

    python benchmarks/search.py --chunks 10000 100000 [--data FILE] [--questions 300]

Stores are grown from real chunks (see `grown_store.py`) and kept in a cache folder. Questions are
sentences of documents that are not in the store. `--data` takes a `.jsonl` file of objects with
`text`, or a text file; by default Python's own reference is read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from figures import (
    Figure,
    arguments,
    cache_folder,
    in_fresh_process,
    median,
    peak_mebibytes,
    percentile,
    show,
    tell,
)
from grown_store import RESTRICTED, grown_store
from texts import questions_from, read_texts

from ragmem import Agent, Filter, Scope, equals

EVERYTHING = Scope(groups=frozenset(name.removeprefix("group:") for name in RESTRICTED))
PUBLIC_ONLY = Scope()
CASES: tuple[tuple[str, Scope, Filter | None], ...] = (
    ("everything", EVERYTHING, None),
    ("access list, 3 in 4", PUBLIC_ONLY, None),
    ("filter, 1 in 2", EVERYTHING, equals(half=1)),
    ("filter, 1 in 100", EVERYTHING, equals(hundredth=7)),
    ("filter, 1 in 10,000", EVERYTHING, equals(ten_thousandth=7)),
    ("filter, 1 in 100, with access list", PUBLIC_ONLY, equals(hundredth=7)),
)


def main() -> None:
    """Build what is missing, measure and print."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--texts", type=int, default=2_500, help="the most to grow a store from")
    parser.add_argument("--questions", type=int, default=300)
    parser.add_argument("--cache", type=Path, default=cache_folder(), help="where stores are kept")
    options = parser.parse_args()
    texts = read_texts(options.data, words=60, limit=options.texts + 2 * options.questions)
    held_out, texts = texts[: 2 * options.questions], texts[2 * options.questions :]
    questions = questions_from(held_out, count=options.questions)
    figures = []
    for chunks in options.chunks:
        folder = in_fresh_process(build, [each.text for each in texts], chunks, options.cache)
        figures += in_fresh_process(measure, folder, questions, chunks)
    show("search", figures, as_json=options.as_json)


def build(texts: Sequence[str], chunks: int, cache: Path) -> Path:
    """The store's folder."""
    return grown_store(texts, chunks=chunks, cache=cache)


def measure(folder: Path, questions: Sequence[str], chunks: int) -> list[Figure]:
    """Every figure over one store."""
    tell(f"searching {chunks:,} chunks for {len(questions)} questions ...")
    figures = []
    with Agent.open(folder, read_only=True) as agent:
        for name, scope, where in CASES:
            figures += warm(agent, questions, f"{chunks:,} chunks, {name}", scope, where)
        figures.append(Figure(f"{chunks:,} chunks: peak memory", peak_mebibytes(), "MiB"))
    return figures


def warm(
    agent: Agent, questions: Sequence[str], name: str, scope: Scope, where: Filter | None
) -> list[Figure]:
    """Wall time of a search, what the processor did in it, and the share of each stage.

    The very first search with a scope and a filter judges every distinct set of attributes.
    """
    times, worked = [], []
    stages: dict[str, list[float]] = {}
    for question in (questions[0], *questions):
        began, busy = time.perf_counter(), time.process_time()
        result = agent.knowledge.search(question, k=10, scope=scope, where=where)
        times.append((time.perf_counter() - began) * 1e3)
        worked.append((time.process_time() - busy) * 1e3)
        for stage in result.trace.stages:
            stages.setdefault(stage.name, []).append(stage.seconds * 1e3)
    everything = where is None and scope == EVERYTHING
    aim = "at most 60" if everything else ""
    shown = stages if everything else ("lexical", "dense")
    return [
        Figure(f"{name}: first", times[0], "ms"),
        Figure(f"{name}: p50", median(times[1:]), "ms", aim),
        Figure(f"{name}: p95", percentile(times[1:], 95), "ms"),
        Figure(f"{name}: p50 of processor time", median(worked[1:]), "ms"),
        *(
            Figure(f"{name}: p50 of stage {stage}", median(stages[stage][1:]), "ms")
            for stage in shown
        ),
    ]


if __name__ == "__main__":
    main()
