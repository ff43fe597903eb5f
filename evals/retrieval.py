"""Retrieval over a judged corpus: runs every ranking, scores it, times it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Literal, get_args

from ragmem import Agent, MissingExtra, SearchResult, SyncReport, TextDocument

from .beir_data import BeirData
from .results import Metric, bootstrap_mean, median

Ranking = Literal["lexical", "dense", "fused", "reranked", "default"]
RANKINGS: tuple[Ranking, ...] = get_args(Ranking)

# Enough chunks to find a hundred documents among, where a document has two or three.
_CHUNKS_A_QUESTION = 300
_TIMED_QUESTIONS = 100
_HITS_OF_A_TIMED_SEARCH = 10

Progress = Callable[[str, int, int], None]


def ingest(agent: Agent, data: BeirData, *, progress: Progress) -> SyncReport:
    """Bring a corpus into a store: title and text joined, the title as the document's title too."""
    documents = (
        TextDocument(
            uri=f"beir:{document.id}",
            title=document.title,
            text="\n\n".join(part for part in (document.title, document.text) if part),
        )
        for document in data.corpus
    )
    return agent.knowledge.add_texts(
        documents,
        source="beir",
        on_progress=lambda step: progress(step.stage, step.done, step.total),
    )


def evaluate(agent: Agent, data: BeirData, *, seed: int, progress: Progress) -> dict[str, Metric]:
    """Score every ranking on every question.

    Args:
        agent: its store holds the corpus.
        seed: of the intervals.

    Returns:
        `RANKING.ndcg@10`, `RANKING.recall@k` and `RANKING.latency_ms_p50`.
    """
    metrics: dict[str, Metric] = {}
    for ranking in RANKINGS:
        run: dict[str, dict[str, float]] = {}
        for number, (query_id, text) in enumerate(data.queries.items(), start=1):
            found = agent.knowledge.search(text, k=_CHUNKS_A_QUESTION, ranking=ranking)
            run[query_id] = documents_of(found, query_id=query_id)
            progress(ranking, number, len(data.queries))
        for name, values in score(data.qrels, run).items():
            metrics[f"{ranking}.{name}"] = bootstrap_mean(values, seed=seed)
        times = _times(agent, list(data.queries.values())[:_TIMED_QUESTIONS], ranking)
        metrics[f"{ranking}.latency_ms_p50"] = median(times, seed=seed)
    return metrics


def documents_of(found: SearchResult, *, query_id: str) -> dict[str, float]:
    """A ranking of documents from one of chunks: each document scores as its best chunk.

    Ranks stand for scores, so that rankings on any scale keep their order. A document whose id is
    the question's own is left out.
    """
    ranked: dict[str, float] = {}
    for hit in found.hits:
        document_id = hit.document_uri.removeprefix("beir:")
        if document_id != query_id and document_id not in ranked:
            ranked[document_id] = -float(len(ranked))
    return ranked


def score(
    qrels: Mapping[str, Mapping[str, int]], run: Mapping[str, Mapping[str, float]]
) -> dict[str, list[float]]:
    """Per-question values of each measure, in the order of the questions in `qrels`.

    A question for which nothing was found scores 0.

    Raises:
        MissingExtra: ir-measures is not installed.
    """
    try:
        import ir_measures
        from ir_measures import R, nDCG
    except ModuleNotFoundError as error:
        raise MissingExtra(package="ir-measures", extra="evals", purpose="scoring") from error

    measures = {
        nDCG @ 10: "ndcg@10",
        R @ 2: "recall@2",
        R @ 5: "recall@5",
        R @ 10: "recall@10",
        R @ 100: "recall@100",
    }
    values = {name: dict.fromkeys(qrels, 0.0) for name in measures.values()}
    for metric in ir_measures.iter_calc(list(measures), dict(qrels), dict(run)):
        values[measures[metric.measure]][metric.query_id] = float(metric.value)
    return {name: list(by_query.values()) for name, by_query in values.items()}


def _times(agent: Agent, questions: list[str], ranking: Ranking) -> list[float]:
    """Milliseconds of each search as a user makes it; the models are warm by now."""
    times = []
    for text in questions:
        began = time.perf_counter()
        agent.knowledge.search(text, k=_HITS_OF_A_TIMED_SEARCH, ranking=ranking)
        times.append((time.perf_counter() - began) * 1000)
    return times
