"""Searching again where what was found does not suffice, inside a budget.

The loop of corrective retrieval (Yan et al., "Corrective Retrieval Augmented Generation",
arXiv 2401.15884): judge, rewrite, search again, judge again. Evidence is always judged against
the question as it was asked, by whoever asks for the search; the rewritings are in `rewriting`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Generic, Protocol, TypeVar

from ragmem.errors import UsageError
from ragmem.filters import Filter
from ragmem.retrieval.rewriting import RULES, Rewriter
from ragmem.retrieval.search import Ranking, Searcher
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import Hit, Scope, SearchResult, Trace

_Evidence = TypeVar("_Evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectiveBudget:
    """What trying again may cost, beyond the first search.

    Attributes:
        searches: further searches; 0 never tries again.
        model_calls: how many of them may be with texts that a model wrote for it.
        seconds: none is begun later than this.
    """

    searches: int = 0
    model_calls: int = 1
    seconds: float = 5.0

    def __post_init__(self) -> None:
        """Refuse budgets below nothing.

        Raises:
            UsageError: a bound is negative.
        """
        for name in ("searches", "model_calls", "seconds"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}; it must not be negative")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement(Generic[_Evidence]):
    """What the evidence in some hits is worth.

    Attributes:
        sufficient: whether to answer from it.
        sufficiency: how likely it holds the answer; what rounds are compared by.
        evidence: whatever the judge made of the hits.
    """

    sufficient: bool
    sufficiency: float
    evidence: _Evidence


Judge = Callable[[Sequence[Hit], int], Judgement[_Evidence]]
"""Judges hits against the question that was asked; told the round, from 1."""


class ReadsMore(Protocol):
    """Reads at length where searching did not find enough."""

    def read_more(
        self, question: str, *, scope: Scope, where: Filter | None, seconds: float
    ) -> Sequence[Hit]:
        """Spans that may answer, best first, of documents that the scope sees and `where` admits.

        Args:
            question: as it was asked.
            scope: who is asking.
            where: a filter over document metadata.
            seconds: the time it may take.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """Another search: what it is called and what is searched for how."""

    name: str
    text: str
    k: int
    ranking: Ranking = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectiveSearch:
    """A search that is tried again while its evidence does not suffice. Thread-safe as its parts.

    Attributes:
        searcher: finds.
        budget: what trying again may cost.
        rewriters: what to search for instead, in the order of trying.
        reads_more: asked last, where no search found enough.
    """

    searcher: Searcher
    budget: CorrectiveBudget = field(default_factory=CorrectiveBudget)
    rewriters: Sequence[Rewriter] = RULES
    reads_more: ReadsMore | None = None

    def search(
        self,
        question: str,
        *,
        k: int,
        scope: Scope,
        where: Filter | None,
        judge: Judge[_Evidence],
        trace: TraceBuilder,
    ) -> Judgement[_Evidence]:
        """Search until the evidence suffices or the budget is spent.

        Later rounds judge only hits that no round before them had. What they are judged by is
        the question as it was asked: a search for something else makes nothing else an answer.

        Args:
            question: what is asked.
            k: hits a round.
            scope: who is asking.
            where: a filter over document metadata; every round keeps to it.
            judge: judges the hits of each round.
            trace: gets the stages of each search, and a stage `corrective` after each further one.

        Returns:
            The judgement of the round that was worth most.

        Raises:
            UsageError: the question is empty.
        """
        until = perf_counter() + self.budget.seconds
        found = self.searcher.search(question, k=k, scope=scope, where=where)
        _append(trace, found.trace)
        best = judge(found.hits, 1)
        seen = {hit.chunk_id for hit in found.hits}
        attempts = self._attempts(question, found, k, scope, where)
        number = 1
        while number <= self.budget.searches and not best.sufficient:
            attempt = next(attempts, None) if perf_counter() < until else None
            if attempt is None:
                why = "nothing left to try" if perf_counter() < until else "the time is up"
                trace.add("corrective", 0.0, {"round": number, "stopped": why})
                break
            number += 1
            started = perf_counter()
            again = self.searcher.search(
                attempt.text, k=attempt.k, scope=scope, where=where, ranking=attempt.ranking
            )
            _append(trace, again.trace)
            hits = [hit for hit in again.hits if hit.chunk_id not in seen][:k]
            seen |= {hit.chunk_id for hit in hits}
            best = _better(attempt.name, attempt.text, hits, number, started, best, judge, trace)
        left = until - perf_counter()
        if self.reads_more is not None and not best.sufficient and left > 0.0:
            started = perf_counter()
            read = self.reads_more.read_more(question, scope=scope, where=where, seconds=left)
            best = _better("read_more", question, read, number + 1, started, best, judge, trace)
        return best

    def _attempts(
        self, question: str, found: SearchResult, k: int, scope: Scope, where: Filter | None
    ) -> Iterator[_Attempt]:
        """What to try, the cheapest first; a model is asked when its turn comes."""
        if _added_filter(found.trace, where):  # this ranking takes the question as it stands
            yield _Attempt(name="without_filter", text=question, k=k, ranking="reranked")
        tried = {question.casefold()}
        calls = 0
        for rewriter in self.rewriters:
            calls += rewriter.asks_model
            if rewriter.asks_model and calls > self.budget.model_calls:
                continue
            for text in rewriter.rewrite(question, found.hits, scope):
                if text.strip() and text.casefold() not in tried:
                    tried.add(text.casefold())
                    yield _Attempt(name=rewriter.name, text=text, k=k)
        deeper = min(2 * k, self.searcher.most_hits)
        if deeper > k:
            yield _Attempt(name="deeper", text=question, k=deeper)


def _better(
    name: str,
    text: str,
    hits: Sequence[Hit],
    number: int,
    started: float,
    best: Judgement[_Evidence],
    judge: Judge[_Evidence],
    trace: TraceBuilder,
) -> Judgement[_Evidence]:
    """The better of the best judgement so far and that of a round, which the trace is told."""
    judged = judge(hits, number) if hits else None
    better = judged is not None and _worth(judged) > _worth(best)
    details = {
        "round": number,
        "tried": name,
        "text": text,
        "new_hits": tuple(hit.chunk_id for hit in hits),
        "sufficiency_before": best.sufficiency,
        "sufficiency_after": None if judged is None else judged.sufficiency,
        "sufficient": judged is not None and judged.sufficient,
        "kept": better,
    }
    trace.add("corrective", perf_counter() - started, details)
    return judged if judged is not None and better else best


def _worth(judgement: Judgement[_Evidence]) -> tuple[bool, float]:
    return judgement.sufficient, judgement.sufficiency


def _added_filter(trace: Trace, where: Filter | None) -> bool:
    """Whether reading the question added a filter to the caller's."""
    return any(
        stage.name == "understand" and stage.details["where"] != where for stage in trace.stages
    )


def _append(trace: TraceBuilder, stages: Trace) -> None:
    for each in stages.stages:
        trace.add(each.name, each.seconds, each.details, scores=each.scores)
