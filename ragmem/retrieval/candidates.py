"""Candidates of both indexes, for each wording of a question.

How their scores are combined is in `fusion`; sources that start from these are beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter

from ragmem.indexes.ranking import cosines_to
from ragmem.ports import DenseIndex, Embedder, LexicalIndex
from ragmem.query import Query, Wording
from ragmem.retrieval.fusion import ScoreList, ranked
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import FloatVector, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Both indexes and the embedder; finds chunks for the wordings of a question."""

    embedder: Embedder
    dense: DenseIndex
    lexical: LexicalIndex

    def find_lexical(
        self, query: Query, *, depth: int, weight: float, scope: Scope, trace: TraceBuilder
    ) -> list[ScoreList]:
        """BM25 scores, a list a wording: `lexical`, `lexical.2`, ..."""
        lists = []
        for name, wording in _named(query, "lexical"):
            with trace.stage(name) as stage:
                found = self.lexical.search(wording.text, k=depth, scope=scope, where=query.where)
                stage.scores = ranked({each.chunk_id: each.score for each in found})
                stage.details["candidates"] = len(found)
            share = weight * wording.weight
            lists.append(ScoreList(name=name, scores=stage.scores, weight=share, floor=0.0))
        return lists

    def embed(self, query: Query, trace: TraceBuilder) -> dict[str, tuple[FloatVector, float]]:
        """The vector and the weight of each wording that the dense index is searched with."""
        vectors: dict[str, tuple[FloatVector, float]] = {}
        with trace.stage("embed") as stage:
            stage.details["model"] = self.embedder.model_id
            for name, wording in _named(query, "dense"):
                vectors[name] = (self.embedder.embed_query(wording.text), wording.weight)
            tokens = self.embedder.count_tokens([query.question])[0]
            stage.details["question_tokens"] = tokens
            stage.details["truncated_tokens"] = max(0, tokens - self.embedder.max_tokens)
        return vectors

    def find_dense(
        self,
        query: Query,
        vectors: Mapping[str, tuple[FloatVector, float]],
        *,
        depth: int,
        weight: float,
        also: list[ScoreList],
        scope: Scope,
        trace: TraceBuilder,
    ) -> list[ScoreList]:
        """Cosines, a list a wording; what any list found has its exact score in each."""
        found: dict[str, dict[str, float]] = {}
        seconds: dict[str, float] = {}
        for name, (vector, _) in vectors.items():
            began = perf_counter()
            candidates = self.dense.search(vector, k=depth, scope=scope, where=query.where)
            found[name] = {each.chunk_id: each.score for each in candidates}
            seconds[name] = perf_counter() - began
        known = [*(each.scores for each in also), *found.values()]
        every = list(dict.fromkeys(chunk_id for scores in known for chunk_id in scores))
        lists = []
        for name, (vector, share) in vectors.items():
            began = perf_counter()
            missing = [chunk_id for chunk_id in every if chunk_id not in found[name]]
            filled = self.similarities(vector, missing)
            scores = ranked({**found[name], **filled})
            details = {"candidates": len(found[name]), "filled": len(filled)}
            trace.add(name, seconds[name] + perf_counter() - began, details, scores=scores)
            lists.append(ScoreList(name=name, scores=scores, weight=weight * share))
        return lists

    def similarities(self, vector: FloatVector, chunk_ids: list[str]) -> Mapping[str, float]:
        """The cosines of these chunks to a vector; chunks the index lacks are left out."""
        return cosines_to(vector, self.dense.vectors(chunk_ids)) if chunk_ids else {}


def _named(query: Query, index: str) -> list[tuple[str, Wording]]:
    """The wordings for an index, with the names of their stages."""
    wordings = [each for each in query.wordings if each.index in ("both", index)]
    return [
        (index if number == 1 else f"{index}.{number}", wording)
        for number, wording in enumerate(wordings, start=1)
    ]
