"""Candidates of both indexes, for each wording of a question, and the scale of their scores.

How their scores are combined is in `fusion`; sources that start from these are beside it.

What a chunk scores depends on the question, on the scope and on itself. It does not depend on the
filter nor on how many hits are wanted: every list has the exact score of whatever another list
found, and the scores are always measured by those of the best `settle` of each list without the
filter. So a filtered search gives the unfiltered ranking with gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from time import perf_counter

from ragmem.filters import Filter
from ragmem.indexes.ranking import cosines_to
from ragmem.ports import DenseIndex, Embedder, LexicalIndex
from ragmem.query import Query, Wording
from ragmem.retrieval.fusion import ScoreList, ranked
from ragmem.retrieval.question_vector import question_vector
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import Candidate, FloatVector, Scope

_DEEPER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a search looks.

    Attributes:
        depth: how many chunks each list holds before gaps are filled.
        settle: how many of them set the scale.
        exact: compare with every vector, and look deeper until `complete`.
        complete: whether nothing beyond the lists can be among the hits.
    """

    depth: int
    settle: int
    exact: bool = False
    complete: Callable[[Sequence[ScoreList]], bool] = lambda _: True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Probe:
    """One index with one wording.

    Attributes:
        search: the best k among what the filter admits.
        score: the exact scores of some chunks; those that have none are left out.
    """

    name: str
    weight: float
    floor: float | None
    search: Callable[[int, Filter | None], list[Candidate]]
    score: Callable[[list[str]], Mapping[str, float]]


@dataclass(slots=True)
class _Look:
    """What a probe found, best first, and what others found with its score here."""

    found: dict[str, float]
    seconds: float
    filled: Mapping[str, float] = field(default_factory=dict)

    @property
    def scores(self) -> dict[str, float]:
        return ranked({**self.found, **self.filled})

    def tell(self, trace: TraceBuilder, stage: str) -> None:
        details = {"candidates": len(self.found), "filled": len(self.filled)}
        trace.add(stage, self.seconds, details, scores=self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Both indexes and the embedder; finds chunks for the wordings of a question.

    Attributes:
        by_sentence: whether a question of several sentences is embedded sentence by sentence too.
    """

    embedder: Embedder
    dense: DenseIndex
    lexical: LexicalIndex
    by_sentence: bool

    def embed(self, query: Query, trace: TraceBuilder) -> dict[str, tuple[FloatVector, float]]:
        """The vector and the weight of each wording that the dense index is searched with."""
        vectors: dict[str, tuple[FloatVector, float]] = {}
        with trace.stage("embed") as stage:
            stage.details["model"] = self.embedder.model_id
            for name, wording in _named(query, "dense"):
                vectors[name] = (self._embedded(wording.text), wording.weight)
            tokens = self.embedder.count_tokens([query.question])[0]
            stage.details["question_tokens"] = tokens
            stage.details["truncated_tokens"] = max(0, tokens - self.embedder.max_tokens)
        return vectors

    def question_vector(
        self, query: Query, vectors: Mapping[str, tuple[FloatVector, float]]
    ) -> FloatVector:
        """The vector of the question itself, which need not be among those searched with."""
        first = next(iter(_named(query, "dense")), None)
        if first is not None and first[1].text == query.question:
            return vectors[first[0]][0]
        return self._embedded(query.question)

    def _embedded(self, text: str) -> FloatVector:
        return question_vector(self.embedder, text, by_sentence=self.by_sentence)

    def find(
        self,
        query: Query,
        vectors: Mapping[str, tuple[FloatVector, float]],
        *,
        lexical: bool,
        dense_weight: float,
        reach: Reach,
        scope: Scope,
        trace: TraceBuilder,
    ) -> list[ScoreList]:
        """A list an index and wording: `lexical`, `lexical.2`, ..., `dense`, `dense.2`, ...

        Args:
            query: the wordings and the filter.
            vectors: from `embed`; empty to leave the dense index out.
            lexical: whether to search the lexical index.
            dense_weight: the dense share; the lexical index has the rest.
            reach: how far to look.
            scope: who is asking.
            trace: gets a stage a list, and with a filter another, `lexical.unfiltered` and so on,
                for the scores that set its scale.
        """
        probes = self._probes(query, vectors, lexical, dense_weight, scope, exact=reach.exact)
        scales: Mapping[str, Mapping[str, float]] = {}
        if query.where is not None and len(probes) > 1:
            unfiltered = _looks(probes, reach.settle, None)
            scales = {name: look.scores for name, look in unfiltered.items()}
            for name, look in unfiltered.items():
                look.tell(trace, f"{name}.unfiltered")
        depth = reach.depth
        while True:
            looks = _looks(probes, depth, query.where)
            if query.where is None and depth > reach.settle:
                scales = _scales(looks, reach.settle)
            lists = [_listed(probe, looks[probe.name], scales, depth) for probe in probes]
            if not reach.exact or reach.complete(lists):
                break
            depth *= _DEEPER
        for name, look in looks.items():
            look.tell(trace, name)
        return lists

    def _probes(
        self,
        query: Query,
        vectors: Mapping[str, tuple[FloatVector, float]],
        lexical: bool,
        dense_weight: float,
        scope: Scope,
        *,
        exact: bool,
    ) -> list[_Probe]:
        by_words = [
            _Probe(
                name=name,
                weight=(1.0 - dense_weight) * wording.weight,
                floor=0.0,
                search=partial(_lexical_search, self.lexical, wording.text, scope),
                score=partial(self.lexical.scores, wording.text),
            )
            for name, wording in _named(query, "lexical")
            if lexical
        ]
        by_meaning = [
            _Probe(
                name=name,
                weight=dense_weight * share,
                floor=None,
                search=partial(_dense_search, self.dense, vector, scope, exact),
                score=partial(_cosines, self.dense, vector),
            )
            for name, (vector, share) in vectors.items()
        ]
        return by_words + by_meaning


def _lexical_search(
    index: LexicalIndex, text: str, scope: Scope, k: int, where: Filter | None
) -> list[Candidate]:
    return index.search(text, k=k, scope=scope, where=where)


def _dense_search(
    index: DenseIndex, vector: FloatVector, scope: Scope, exact: bool, k: int, where: Filter | None
) -> list[Candidate]:
    return index.search(vector, k=k, scope=scope, where=where, exact=exact)


def _cosines(index: DenseIndex, vector: FloatVector, chunk_ids: list[str]) -> Mapping[str, float]:
    return cosines_to(vector, index.vectors(chunk_ids))


def _looks(probes: Sequence[_Probe], depth: int, where: Filter | None) -> dict[str, _Look]:
    """What each probe finds, each with the scores of what the others found."""
    looks: dict[str, _Look] = {}
    for probe in probes:
        began = perf_counter()
        found = {each.chunk_id: each.score for each in probe.search(depth, where)}
        looks[probe.name] = _Look(found=ranked(found), seconds=perf_counter() - began)
    every = list(dict.fromkeys(chunk_id for look in looks.values() for chunk_id in look.found))
    for probe in probes:
        look, began = looks[probe.name], perf_counter()
        missing = [chunk_id for chunk_id in every if chunk_id not in look.found]
        look.filled = probe.score(missing) if missing else {}
        look.seconds += perf_counter() - began
    return looks


def _scales(looks: Mapping[str, _Look], settle: int) -> dict[str, dict[str, float]]:
    """The scores that looks of this depth would have come to."""
    settling = {key for look in looks.values() for key in islice(look.found, settle)}
    return {
        name: {key: score for key, score in look.scores.items() if key in settling}
        for name, look in looks.items()
    }


def _listed(
    probe: _Probe, look: _Look, scales: Mapping[str, Mapping[str, float]], depth: int
) -> ScoreList:
    reached_all = len(look.found) < depth
    return ScoreList(
        name=probe.name,
        scores=look.scores,
        weight=probe.weight,
        floor=probe.floor,
        scale=scales.get(probe.name),
        unseen=None if reached_all else min(look.found.values()),
    )


def _named(query: Query, index: str) -> list[tuple[str, Wording]]:
    """The wordings for an index, with the names of their stages."""
    wordings = [each for each in query.wordings if each.index in ("both", index)]
    return [
        (index if number == 1 else f"{index}.{number}", wording)
        for number, wording in enumerate(wordings, start=1)
    ]
