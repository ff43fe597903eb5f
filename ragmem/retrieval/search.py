"""Hybrid search: candidates from both indexes, fused, reranked, explained stage by stage.

What the indexes do inside, how scores are combined (`fusion`) and how a closer look is taken
(`rerank`) live elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragmem.errors import UsageError
from ragmem.filters import Filter
from ragmem.ports import DenseIndex, Embedder, LexicalIndex, Reranker
from ragmem.retrieval.fusion import min_max_convex, ranked, reciprocal_rank
from ragmem.retrieval.near_duplicates import repeats
from ragmem.retrieval.readers import ChunkReader
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import Hit, Scope, SearchResult, StoredChunk

Ranking = Literal["default", "lexical", "dense", "fused", "reranked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How a search runs.

    Attributes:
        candidates: how many chunks each index proposes, or k where that is more.
        fusion: how both rankings become one.
        dense_weight: the dense share of the convex fusion, between 0 and 1.
        reciprocal_rank_k: the constant of reciprocal rank fusion.
        default_ranking: what "default" means.
        rerank_candidates: how many of the best fused chunks the reranker reads; those after them
            keep their fused order.
        most_hits: the largest k.
        collapse_near_duplicates: leave out hits that only repeat a better one of a document that
            is nearly the same.
    """

    candidates: int = 100
    fusion: Literal["min_max_convex", "reciprocal_rank"] = "min_max_convex"
    dense_weight: float = 0.6
    reciprocal_rank_k: int = 60
    default_ranking: Literal["lexical", "dense", "fused", "reranked"] = "fused"
    rerank_candidates: int = 20
    most_hits: int = 1000
    collapse_near_duplicates: bool = True

    def __post_init__(self) -> None:
        """Refuse settings no search can follow.

        Raises:
            UsageError: a count below 1 or a weight outside [0, 1].
        """
        for name in ("candidates", "reciprocal_rank_k", "rerank_candidates", "most_hits"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0.0 <= self.dense_weight <= 1.0:
            raise UsageError(f"dense_weight is {self.dense_weight}; it must lie in [0, 1]")


class Searcher:
    """Finds chunks. Thread-safe where its parts are."""

    def __init__(
        self,
        *,
        embedder: Embedder,
        dense: DenseIndex,
        lexical: LexicalIndex,
        chunks: ChunkReader,
        reranker: Reranker,
        settings: SearchSettings | None = None,
    ) -> None:
        self._embedder = embedder
        self._dense = dense
        self._lexical = lexical
        self._chunks = chunks
        self._reranker = reranker
        self._settings = settings or SearchSettings()

    def search(
        self,
        question: str,
        *,
        k: int = 10,
        scope: Scope,
        where: Filter | None = None,
        ranking: Ranking = "default",
    ) -> SearchResult:
        """Find the chunks that answer a question best.

        Args:
            question: any text but an empty one.
            k: the most hits to return.
            scope: who is asking; what it may not see is neither returned nor ranked.
            where: a filter over document metadata, applied before ranking.
            ranking: which order to return; "default" is the one the settings name.

        Returns:
            At most k hits, best first, and the stages that led to them.

        Raises:
            UsageError: the question is empty or k is out of bounds.
        """
        if not question.strip():
            raise UsageError("the question is empty; ask something")
        if not 1 <= k <= self._settings.most_hits:
            raise UsageError(f"k is {k}; it must lie between 1 and {self._settings.most_hits}")
        chosen = self._settings.default_ranking if ranking == "default" else ranking
        trace = TraceBuilder()
        depth = max(k, self._settings.candidates)
        components: dict[str, Mapping[str, float]] = {}
        if chosen != "dense":
            components["lexical"] = self._lexical_scores(question, depth, scope, where, trace)
        if chosen != "lexical":
            found = list(components.get("lexical", ()))
            components["dense"] = self._dense_scores(question, depth, scope, where, found, trace)
        if chosen in ("fused", "reranked"):
            components["fused"] = self._fused_scores(components, trace)
        order = components["fused" if chosen == "reranked" else chosen]
        wanted = max(k, self._settings.rerank_candidates) if chosen == "reranked" else k
        hits = self._read(order, components, wanted, scope, trace)
        if chosen == "reranked":
            hits = self._reranked(question, hits, trace)
        return SearchResult(hits=tuple(hits[:k]), trace=trace.trace())

    def _lexical_scores(
        self, question: str, depth: int, scope: Scope, where: Filter | None, trace: TraceBuilder
    ) -> Mapping[str, float]:
        with trace.stage("lexical") as stage:
            found = self._lexical.search(question, k=depth, scope=scope, where=where)
            stage.scores = ranked({each.chunk_id: each.score for each in found})
            stage.details["candidates"] = len(found)
        return stage.scores

    def _dense_scores(
        self,
        question: str,
        depth: int,
        scope: Scope,
        where: Filter | None,
        also: Sequence[str],
        trace: TraceBuilder,
    ) -> Mapping[str, float]:
        with trace.stage("embed") as stage:
            vector = self._embedder.embed_query(question)
            tokens = self._embedder.count_tokens([question])[0]
            limit = self._embedder.max_tokens
            stage.details |= {"model": self._embedder.model_id, "question_tokens": tokens}
            stage.details["truncated_tokens"] = max(0, tokens - limit)
        with trace.stage("dense") as stage:
            found = self._dense.search(vector, k=depth, scope=scope, where=where)
            scores = {each.chunk_id: each.score for each in found}
            missing = [chunk_id for chunk_id in also if chunk_id not in scores]
            filled = self._dense.similarities(vector, missing) if missing else {}
            stage.scores = ranked(scores | dict(filled))
            stage.details |= {"candidates": len(found), "filled": len(filled)}
        return stage.scores

    def _fused_scores(
        self, components: Mapping[str, Mapping[str, float]], trace: TraceBuilder
    ) -> Mapping[str, float]:
        settings = self._settings
        dense, lexical = components["dense"], components["lexical"]
        with trace.stage("fused") as stage:
            if settings.fusion == "reciprocal_rank":
                rankings = [list(dense), list(lexical)]
                fusion = reciprocal_rank(rankings, k=settings.reciprocal_rank_k)
            else:
                fusion = min_max_convex(dense, lexical, dense_weight=settings.dense_weight)
            stage.scores = fusion.scores
            stage.details |= fusion.details
        return stage.scores

    def _read(
        self,
        order: Mapping[str, float],
        components: Mapping[str, Mapping[str, float]],
        wanted: int,
        scope: Scope,
        trace: TraceBuilder,
    ) -> list[Hit]:
        """The best `wanted` hits whose chunks the store has, the scope sees and none repeats."""
        remaining = list(order)
        hits: dict[str, Hit] = {}
        shown: dict[str, StoredChunk] = {}
        unreadable: list[str] = []
        collapsed: dict[str, str] = {}
        with trace.stage("read") as stage:
            while remaining and len(hits) < wanted:
                batch = remaining[: wanted - len(hits)]
                del remaining[: len(batch)]
                stored = self._chunks.read_chunks(batch, scope=scope)
                unreadable += [chunk_id for chunk_id in batch if chunk_id not in stored]
                for chunk_id in (each for each in batch if each in stored):
                    before = self._shown_before(stored[chunk_id], shown)
                    if before is None:
                        shown[chunk_id] = stored[chunk_id]
                        hits[chunk_id] = _hit(stored[chunk_id], order[chunk_id], components)
                    else:
                        collapsed[chunk_id] = before
                        uri = stored[chunk_id].document_uri
                        hits[before] = _with_near_duplicate(hits[before], uri)
            stage.details |= {
                "read": len(hits),
                "unreadable": tuple(unreadable),
                "collapsed": collapsed,
            }
        return list(hits.values())

    def _shown_before(self, found: StoredChunk, shown: Mapping[str, StoredChunk]) -> str | None:
        """The chunk that this one only repeats."""
        if not self._settings.collapse_near_duplicates:
            return None
        return next((key for key, each in shown.items() if repeats(found, each)), None)

    def _reranked(self, question: str, hits: list[Hit], trace: TraceBuilder) -> list[Hit]:
        with trace.stage("reranked") as stage:
            head = hits[: self._settings.rerank_candidates]
            tail = hits[len(head) :]
            scores = self._reranker.rerank(question, head) if head else []
            # Fused scores lie in [0, 1]: shifted like this, the tail stays below the head.
            shift = min(scores, default=0.0) - 1.0
            scores += [hit.score + shift for hit in tail]
            found = [
                replace(hit, score=score, scores={**hit.scores, "reranked": score})
                for hit, score in zip(hits, scores, strict=True)
            ]
            found.sort(key=lambda hit: -hit.score)
            stage.scores = {hit.chunk_id: hit.score for hit in found}
            stage.details |= {"reranker": self._reranker.name, "candidates": len(head)}
            stage.details["tail_shift"] = shift
        return found


def _with_near_duplicate(hit: Hit, uri: str) -> Hit:
    if uri in hit.near_duplicates:
        return hit
    return replace(hit, near_duplicates=(*hit.near_duplicates, uri))


def _hit(stored: StoredChunk, score: float, components: Mapping[str, Mapping[str, float]]) -> Hit:
    chunk = stored.chunk
    return Hit(
        document_uri=stored.document_uri,
        document_title=stored.document_title,
        chunk_id=stored.id,
        text=chunk.text,
        start=chunk.start,
        end=chunk.end,
        score=score,
        scores={
            name: scores[stored.id] for name, scores in components.items() if stored.id in scores
        },
        heading_path=chunk.heading_path,
        page=chunk.page,
        metadata=stored.metadata,
        context=chunk.context,
        other_uris=stored.other_uris,
    )
