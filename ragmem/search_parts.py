"""Builds what a search is made of beside the indexes: rerankers, sources, the enlarger.

Which models they use, and when those are opened, is `ragmem.parts`' business.
"""

from __future__ import annotations

from collections.abc import Callable

from ragmem.errors import UsageError
from ragmem.ports import (
    ChatModel,
    DenseIndex,
    Embedder,
    EmbedsTokens,
    LexicalIndex,
    Reranker,
)
from ragmem.retrieval.enlarging import Enlarger
from ragmem.retrieval.feedback import FeedbackSource
from ragmem.retrieval.graph import GraphSource
from ragmem.retrieval.neighbours import NeighbourSource
from ragmem.retrieval.search import SearchSettings, WeightedSource
from ragmem.settings import Settings
from ragmem.store.reader import StoreReader


def search_settings(settings: Settings) -> SearchSettings:
    """How a search runs."""
    reranks = settings.reranker != "none" or settings.diversity > 0.0
    return SearchSettings(
        candidates=settings.candidates,
        fusion=settings.fusion,
        dense_weight=settings.dense_weight,
        default_ranking="reranked" if reranks else "fused",
        rerank_candidates=settings.rerank_candidates,
        collapse_near_duplicates=settings.collapse_near_duplicates,
        question_sentences=settings.question_sentences,
    )


def sources_for(
    settings: Settings, *, dense: DenseIndex, sparse: LexicalIndex | None, reader: StoreReader
) -> list[WeightedSource]:
    """What proposes candidates beside the dense and the lexical index."""
    sources: list[WeightedSource] = []
    if sparse is not None:
        from ragmem.retrieval.sparse import SparseSource

        source = SparseSource(sparse)
        sources.append(WeightedSource(source=source, weight=settings.sparse_weight))
    if settings.graph:
        graph = GraphSource(names=reader, dense=dense)
        sources.append(WeightedSource(source=graph, weight=settings.graph_weight))
    if settings.feedback_weight > 0.0:
        feedback = FeedbackSource(dense)
        sources.append(WeightedSource(source=feedback, weight=settings.feedback_weight))
    if settings.neighbours_weight > 0.0:
        likeness = NeighbourSource(dense.vectors)
        sources.append(WeightedSource(source=likeness, weight=settings.neighbours_weight))
    return sources


def enlarger_for(settings: Settings, reader: StoreReader) -> Enlarger | None:
    """What gives hits more of their text; None where they stay as they are."""
    if settings.enlarge == "none":
        return None
    return Enlarger(
        documents=reader,
        to=settings.enlarge,
        sentences=settings.enlarge_sentences,
        characters=settings.enlarge_characters,
    )


def reranker_for(
    settings: Settings,
    *,
    given: Reranker | None,
    embedder: Callable[[], Embedder],
    dense: Callable[[], DenseIndex],
    chat: Callable[[], ChatModel],
) -> Reranker:
    """The reranker of the settings, made diverse where they want that.

    Args:
        settings: name it.
        given: the caller's own, in place of the named one.
        embedder, dense, chat: give the parts it may need; called only where it does.

    Raises:
        ModelUnavailable: its model is not on this machine.
        UsageError: it needs a chat model and the settings name none, or vectors of tokens and the
            embedder gives none.
    """
    if settings.diversity == 0.0:
        return given or _named(settings, embedder, chat)
    from ragmem.retrieval.diversity import DiverseReranker

    by_score = given is None and settings.reranker == "none"
    return DiverseReranker(
        None if by_score else given or _named(settings, embedder, chat),
        dense().vectors,
        diversity=settings.diversity,
    )


def _named(
    settings: Settings, embedder: Callable[[], Embedder], chat: Callable[[], ChatModel]
) -> Reranker:
    if settings.reranker in ("features", "none"):  # none: only where it is asked for
        from ragmem.retrieval.rerank import FeatureReranker

        return FeatureReranker()
    if settings.reranker == "listwise":
        from ragmem.retrieval.listwise import ListwiseReranker

        return ListwiseReranker(
            chat(),
            window=settings.listwise_window,
            step=settings.listwise_step,
            passage_tokens=settings.listwise_passage_tokens,
        )
    if settings.reranker == "late_interaction":
        from ragmem.retrieval.late_interaction import LateInteractionReranker

        by_token = embedder()
        if not isinstance(by_token, EmbedsTokens):
            raise UsageError(
                f"{by_token.model_id} gives no vectors of single tokens, which the "
                "late_interaction reranker compares; choose another reranker"
            )
        return LateInteractionReranker(by_token, weight=settings.late_interaction_weight)
    from ragmem.models.sentence_transformers import CrossEncoderReranker

    return CrossEncoderReranker(settings.reranker)
