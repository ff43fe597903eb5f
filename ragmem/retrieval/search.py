"""Hybrid search: candidates from both indexes, fused, reranked, explained stage by stage.

What the indexes do inside, how candidates are found (`candidates`), how scores are combined
(`fusion`), read (`reading`) and looked at again (`rerank`) live elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Literal

from ragmem.errors import UsageError
from ragmem.filters import Filter
from ragmem.ports import (
    CandidateSource,
    DenseIndex,
    Embedder,
    ExplainsScores,
    LexicalIndex,
    QueryTransform,
    Reranker,
)
from ragmem.query import FirstLook, Query, Wording
from ragmem.retrieval.candidates import Candidates, Reach
from ragmem.retrieval.enlarging import Enlarger
from ragmem.retrieval.fusion import FusionMethod, ScoreList, fuse, ranked, unseen_score
from ragmem.retrieval.readers import ChunkReader
from ragmem.retrieval.reading import HitReader
from ragmem.retrieval.trace import OpenStage, TraceBuilder
from ragmem.types import Hit, Scope, SearchResult

Ranking = Literal["default", "lexical", "dense", "fused", "reranked"]
_STAGES = frozenset(
    {"understand", "embed", "lexical", "dense", "fused", "combined", "read", "reranked", "enlarged"}
)
_SPARE_DEPTH = 10
"""An exact search starts so much deeper than it has hits: deepening costs another scan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSettings:
    """How a search runs.

    Attributes:
        candidates: how many chunks each index proposes, or k where that is more.
        fusion: how the rankings become one.
        dense_weight: the dense share where dense and lexical list are fused, between 0 and 1.
        reciprocal_rank_k: the constant of reciprocal rank fusion.
        default_ranking: what "default" means.
        rerank_candidates: how many of the best fused chunks the reranker reads; those after them
            keep their fused order.
        most_hits: the largest k.
        collapse_near_duplicates: leave out hits that only repeat a better one of a document that
            is nearly the same.
        question_sentences: embed a question of several sentences sentence by sentence too.
    """

    candidates: int = 100
    fusion: FusionMethod = "min_max_convex"
    dense_weight: float = 0.6
    reciprocal_rank_k: int = 60
    default_ranking: Literal["lexical", "dense", "fused", "reranked"] = "fused"
    rerank_candidates: int = 20
    most_hits: int = 1000
    collapse_near_duplicates: bool = True
    question_sentences: bool = True

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


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedSource:
    """A source of candidates and its say in the fusion, where dense and lexical together have 1."""

    source: CandidateSource
    weight: float


def check_question(question: str) -> None:
    """Refuse what nothing can be searched with.

    Raises:
        UsageError: the question is empty, or holds half a surrogate pair, which no model can read.
    """
    if not question.strip():
        raise UsageError("the question is empty; ask something")
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            "the question holds half a surrogate pair, which is no character; leave it out"
        ) from error


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
        transforms: Sequence[QueryTransform] = (),
        sources: Sequence[WeightedSource] = (),
        enlarger: Enlarger | None = None,
        settings: SearchSettings | None = None,
    ) -> None:
        """Put a searcher together.

        Args:
            embedder: embeds questions as the dense index's entries were.
            dense: the dense index.
            lexical: the lexical index.
            chunks: reads the chunks that are found.
            reranker: takes the closer look of the rankings "reranked" and, perhaps, "default".
            transforms: read the question, one after the other, for the ranking "default" alone.
            sources: propose more after the first fusion, for the rankings "reranked" and
                "default".
            enlarger: gives hits more of their text, for the ranking "default" alone.
            settings: how the search runs.

        Raises:
            UsageError: a source is named as another one or as a stage of the search.
        """
        _check_names([each.source.name for each in sources])
        self._settings = settings or SearchSettings()
        self._candidates = Candidates(
            embedder=embedder,
            dense=dense,
            lexical=lexical,
            by_sentence=self._settings.question_sentences,
        )
        self._reader = HitReader(chunks=chunks, collapse=self._settings.collapse_near_duplicates)
        self._reranker = reranker
        self._transforms = tuple(transforms)
        self._sources = tuple(sources)
        self._enlarger = enlarger

    @property
    def most_hits(self) -> int:
        """The largest k."""
        return self._settings.most_hits

    def search(
        self,
        question: str,
        *,
        k: int = 10,
        scope: Scope,
        where: Filter | None = None,
        ranking: Ranking = "default",
        exact: bool = False,
    ) -> SearchResult:
        """Find the chunks that answer a question best.

        Args:
            question: any text but an empty one.
            k: the most hits to return.
            scope: who is asking; what it may not see is neither returned nor ranked.
            where: a filter over document metadata, applied before ranking.
            ranking: which order to return; "default" is the one the settings name.
            exact: compare with every vector instead of searching the graph of nearest ones, and
                look as deep as it takes: the ranking "fused" then has the k best of all that the
                scope sees and the filter admits; sources and the reranker work as always. About
                20 ms for a thousand such chunks.

        Returns:
            At most k hits, best first, and the stages that led to them.

        Raises:
            UsageError: the question is empty or no text, or k is out of bounds.
        """
        check_question(question)
        if not 1 <= k <= self._settings.most_hits:
            raise UsageError(f"k is {k}; it must lie between 1 and {self._settings.most_hits}")
        chosen = self._settings.default_ranking if ranking == "default" else ranking
        trace = TraceBuilder()
        query = Query(question=question, wordings=(Wording(text=question),), where=where)
        if ranking == "default":
            query = self._understood(query, scope, trace)
        depth = max(k, self._settings.candidates)
        with_sources = ranking == "default" or chosen == "reranked"
        reach = Reach(
            depth=max(depth, _SPARE_DEPTH * k) if exact else depth,
            settle=self._settings.candidates,
            exact=exact,
            complete=partial(self._complete, max(k, self._settings.rerank_candidates)),
        )
        components = self._scored(query, chosen, with_sources, reach, scope, trace)
        order = next(reversed(components.values()))
        wanted = max(k, self._settings.rerank_candidates) if chosen == "reranked" else k
        enlarger = self._enlarger if ranking == "default" else None
        if enlarger is not None:
            wanted = max(wanted, 2 * k)  # some will be joined
        hits = self._reader.read(order, components, wanted=wanted, scope=scope, trace=trace)
        if chosen == "reranked":
            hits = self._reranked(question, hits, trace)
        if enlarger is not None:
            hits = enlarger.enlarge(hits, wanted=k, scope=scope, trace=trace)
        return SearchResult(hits=tuple(hits[:k]), trace=trace.trace())

    def _understood(self, query: Query, scope: Scope, trace: TraceBuilder) -> Query:
        if not self._transforms:
            return query
        with trace.stage("understand") as stage:
            for transform in self._transforms:
                query = transform.transform(query, scope=scope)
            stage.details |= {
                **query.notes,
                "wordings": tuple((each.text, each.weight, each.index) for each in query.wordings),
                "where": query.where,
            }
        return query

    def _scored(
        self,
        query: Query,
        chosen: str,
        with_sources: bool,
        reach: Reach,
        scope: Scope,
        trace: TraceBuilder,
    ) -> dict[str, Mapping[str, float]]:
        """Every component of the scores; the last is the order that was chosen."""
        vectors = {} if chosen == "lexical" else self._candidates.embed(query, trace)
        lists = self._candidates.find(
            query,
            vectors,
            lexical=chosen != "dense",
            dense_weight=self._settings.dense_weight,
            reach=reach,
            scope=scope,
            trace=trace,
        )
        components = {each.name: each.scores for each in lists}
        if chosen in ("lexical", "dense") and len(lists) == 1:
            return components
        components["fused"] = self._fused("fused", lists, trace)
        if with_sources and chosen not in ("lexical", "dense") and self._sources:
            vector = self._candidates.question_vector(query, vectors)
            scores = _best_of(lists, components, reach.settle)
            look = FirstLook(query=query, vector=vector, scores=scores, scope=scope)
            proposed = [self._proposed(each, look, reach.settle, trace) for each in self._sources]
            components |= {each.name: each.scores for each in proposed}
            components["combined"] = self._fused("combined", [*lists, *proposed], trace)
        return components

    def _complete(self, wanted: int, lists: Sequence[ScoreList]) -> bool:
        """Whether no chunk beyond the lists can be among the best."""
        method, k = self._settings.fusion, self._settings.reciprocal_rank_k
        beyond = unseen_score(lists, method=method, k=k)
        best = list(fuse(lists, method=method, k=k).scores.values())[:wanted]
        return beyond is None or (len(best) == wanted and best[-1] > beyond)

    def _proposed(
        self, weighted: WeightedSource, look: FirstLook, depth: int, trace: TraceBuilder
    ) -> ScoreList:
        name = weighted.source.name
        with trace.stage(name) as stage:
            proposal = weighted.source.propose(look, k=depth)
            stage.scores = ranked(proposal.scores)
            stage.details |= proposal.details
        return ScoreList(
            name=name, scores=stage.scores, weight=weighted.weight, floor=proposal.floor
        )

    def _fused(
        self, name: str, lists: Sequence[ScoreList], trace: TraceBuilder
    ) -> Mapping[str, float]:
        with trace.stage(name) as stage:
            fusion = fuse(lists, method=self._settings.fusion, k=self._settings.reciprocal_rank_k)
            stage.scores = fusion.scores
            stage.details |= fusion.details
        return stage.scores

    def _reranked(self, question: str, hits: list[Hit], trace: TraceBuilder) -> list[Hit]:
        with trace.stage("reranked") as stage:
            head = hits[: self._settings.rerank_candidates]
            tail = hits[len(head) :]
            scores = self._closer_scores(question, head, stage) if head else []
            # Shifted like this, the tail stays below the head.
            highest = max([1.0, *(hit.score for hit in tail)])
            shift = min(scores, default=0.0) - highest
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

    def _closer_scores(self, question: str, head: Sequence[Hit], stage: OpenStage) -> list[float]:
        if not isinstance(self._reranker, ExplainsScores):
            return self._reranker.rerank(question, head)
        explained = self._reranker.explain(question, head)
        stage.details["parts"] = {
            hit.chunk_id: part for hit, part in zip(head, explained.parts, strict=True)
        }
        stage.details["constants"] = explained.constants
        return list(explained.scores)


def _check_names(sources: Sequence[str]) -> None:
    """Refuse sources whose scores would take another's place in the trace and in a hit.

    Raises:
        UsageError: a name is taken.
    """
    taken = set(_STAGES)
    for name in sources:
        # What follows a dot tells the lists of one index apart: `dense.2`.
        if name.split(".")[0] in taken:
            raise UsageError(
                f"a candidate source is called {name!r}, as a stage of the search or another "
                "source is; give it a name of its own"
            )
        taken.add(name)


def _best_of(
    lists: Sequence[ScoreList], components: Mapping[str, Mapping[str, float]], count: int
) -> dict[str, Mapping[str, float]]:
    """The components of the best `count` of each list, however many hits are wanted.

    Sources compare chunks with each other: from more of them, they would score each differently.
    """
    kept = {chunk_id for each in lists for chunk_id in islice(each.scores, count)}
    return {
        name: {chunk_id: score for chunk_id, score in scores.items() if chunk_id in kept}
        for name, scores in components.items()
    }
