"""Retrieval over a judged corpus: runs rankings, scores them, times and compares them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args

from ragmem import Agent, MissingExtra, SearchResult, SyncReport, TextDocument

from .beir_data import BeirData
from .intervals import Metric, bootstrap_mean, median, paired_difference

Ranking = Literal["lexical", "dense", "fused", "reranked", "default"]
RANKINGS: tuple[Ranking, ...] = get_args(Ranking)
COMPARED: tuple[tuple[Ranking, Ranking], ...] = (
    ("default", "lexical"),
    ("default", "dense"),
    ("default", "fused"),
    ("reranked", "lexical"),
    ("reranked", "dense"),
    ("reranked", "fused"),
    ("fused", "lexical"),
    ("fused", "dense"),
)
"""Which rankings are compared question by question: the first minus the second."""

# Enough chunks to find a hundred documents among, where a document has two or three.
CHUNKS_A_QUESTION = 300
_TIMED_QUESTIONS = 100
_HITS_OF_A_TIMED_SEARCH = 10

Progress = Callable[[str, int, int], None]
"""Told a stage's name, what is done of it and how much there is."""
Run = dict[str, dict[str, float]]
"""By question, the scores of the documents found."""


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


def evaluate(
    agent: Agent,
    data: BeirData,
    *,
    seed: int,
    progress: Progress,
    compared_by: Sequence[str] = ("ndcg@10",),
) -> dict[str, Metric]:
    """Score every ranking on every question.

    Args:
        agent: its store holds the corpus.
        seed: of the intervals.
        compared_by: the measures by which rankings are compared.

    Returns:
        `RANKING.ndcg@10`, `RANKING.recall@k`, `RANKING.latency_ms_p50`, and the paired differences
        `RANKING-RANKING.MEASURE` of `COMPARED`.
    """
    metrics: dict[str, Metric] = {}
    values: dict[Ranking, dict[str, list[float]]] = {}
    for ranking in RANKINGS:
        run = ranked_documents(agent, data, ranking=ranking, progress=progress)
        values[ranking] = score(data.qrels, run)
        for name, each in values[ranking].items():
            metrics[f"{ranking}.{name}"] = bootstrap_mean(each, seed=seed)
        times = search_milliseconds(agent, data, ranking=ranking)
        metrics[f"{ranking}.latency_ms_p50"] = median(times, seed=seed)
    for ours, theirs in COMPARED:
        for name in compared_by:
            metrics[f"{ours}-{theirs}.{name}"] = paired_difference(
                values[ours][name], values[theirs][name], seed=seed
            )
    return metrics


def ranked_documents(
    agent: Agent,
    data: BeirData,
    *,
    progress: Progress,
    ranking: Ranking = "default",
    k: int = CHUNKS_A_QUESTION,
) -> Run:
    """Search for every question; `k` chunks each, as documents."""
    run: Run = {}
    for number, (query_id, text) in enumerate(data.queries.items(), start=1):
        found = agent.knowledge.search(text, k=k, ranking=ranking)
        run[query_id] = documents_of(found, query_id=query_id)
        progress(ranking, number, len(data.queries))
    return run


def documents_of(found: SearchResult, *, query_id: str) -> dict[str, float]:
    """A ranking of documents from one of chunks: each document scores as its best chunk.

    Ranks stand for scores, so that rankings on any scale keep their order. A document whose id is
    the question's own is left out.
    """
    return in_order((document_of(hit.document_uri) for hit in found.hits), query_id=query_id)


def document_of(uri: str) -> str:
    """The id in the corpus of a document in the store."""
    return uri.removeprefix("beir:")


def in_order(document_ids: Iterable[str], *, query_id: str) -> dict[str, float]:
    """A ranking of documents, best first: the first place of each counts, the question's own none.

    Args:
        document_ids: the document of each chunk, best chunk first.
        query_id: the question's id.
    """
    ranked: dict[str, float] = {}
    for document_id in document_ids:
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


def search_milliseconds(
    agent: Agent, data: BeirData, *, ranking: Ranking = "default"
) -> list[float]:
    """What each search takes as a user makes it; the models are warm by now."""
    times = []
    for text in list(data.queries.values())[:_TIMED_QUESTIONS]:
        began = time.perf_counter()
        agent.knowledge.search(text, k=_HITS_OF_A_TIMED_SEARCH, ranking=ranking)
        times.append((time.perf_counter() - began) * 1000)
    return times
