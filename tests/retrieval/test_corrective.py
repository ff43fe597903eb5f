"""Searching again: what is tried, what it may cost, and that only the question asked counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest
from search_world import World

from ragmem.errors import UsageError
from ragmem.filters import Condition, Filter
from ragmem.query import Query, Wording
from ragmem.retrieval.corrective import CorrectiveBudget, CorrectiveSearch, Judgement
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.retrieval.rewriting import RULES, Rewriter, by_transform
from ragmem.retrieval.search import Searcher, SearchSettings
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import Hit, Scope, Trace

ANYONE = Scope()
TEXTS = {
    "tea": "Green tea is brewed at eighty degrees.",
    "coffee": "Coffee is roasted before it is ground.",
    "milk": "Milk is heated to sixty degrees.",
    "cocoa": "Cocoa grows near the equator.",
}
Judged = Judgement[tuple[str, ...]]


@dataclass
class Wants:
    """A judge to whom one document suffices; it keeps what it was shown."""

    uri: str
    shown: list[tuple[str, ...]] = field(default_factory=list)
    worth: Callable[[Sequence[str]], float] = lambda uris: len(uris) / 10

    def __call__(self, hits: Sequence[Hit], number: int) -> Judged:
        uris = tuple(hit.document_uri for hit in hits)
        self.shown.append(uris)
        assert number == len(self.shown) or number > 1
        return Judgement(sufficient=self.uri in uris, sufficiency=self.worth(uris), evidence=uris)


class Filters:
    """A transform that takes the question for one about milk."""

    name = "filters"

    def transform(self, query: Query, *, scope: Scope) -> Query:
        where = Condition(field="kind", operator="==", value="milk")
        return replace(query, where=where)


class AlsoSays:
    """A transform with other wordings."""

    name = "also"

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.calls = 0

    def transform(self, query: Query, *, scope: Scope) -> Query:
        self.calls += 1
        added = tuple(Wording(text=text) for text in self.texts)
        return replace(query, wordings=(*query.wordings, *added))


@dataclass
class Reads:
    """Reads on, and finds one hit."""

    found: Sequence[Hit]
    seconds: list[float] = field(default_factory=list)

    def read_more(
        self, question: str, *, scope: Scope, where: Filter | None, seconds: float
    ) -> Sequence[Hit]:
        self.seconds.append(seconds)
        return self.found


def world() -> World:
    made = World()
    for uri, text in TEXTS.items():
        made.add(uri, text, whole=True)
    return made


def searcher(made: World, *, transforms: Sequence[Filters] = (), most_hits: int = 1000) -> Searcher:
    return Searcher(
        embedder=made.embedder,
        dense=made.dense,
        lexical=made.lexical,
        chunks=made,
        reranker=FeatureReranker(),
        transforms=transforms,
        settings=SearchSettings(candidates=1, most_hits=most_hits),
    )


def says(*texts: str, name: str = "says") -> Rewriter:
    return Rewriter(name=name, rewrite=lambda question, hits, scope: texts)


def tried(
    wants: Wants,
    *,
    question: str = "green tea degrees",
    rewriters: Sequence[Rewriter] = (),
    searches: int = 9,
    search: Searcher | None = None,
    where: Filter | None = None,
    seconds: float = 60.0,
    model_calls: int = 1,
    reads_more: Reads | None = None,
) -> tuple[Judged, Trace]:
    corrective = CorrectiveSearch(
        searcher=search or searcher(world()),
        budget=CorrectiveBudget(searches=searches, seconds=seconds, model_calls=model_calls),
        rewriters=rewriters,
        reads_more=reads_more,
    )
    trace = TraceBuilder()
    judged = corrective.search(question, k=1, scope=ANYONE, where=where, judge=wants, trace=trace)
    return judged, trace.trace()


def rounds(trace: Trace) -> list[dict[str, object]]:
    return [dict(stage.details) for stage in trace.stages if stage.name == "corrective"]


def test_without_a_budget_there_is_one_search() -> None:
    wants = Wants("cocoa")
    judged, trace = tried(wants, searches=0, rewriters=RULES)
    found = searcher(world()).search("green tea degrees", k=1, scope=ANYONE)
    assert (judged.sufficient, judged.evidence) == (False, ("tea",))
    assert [stage.name for stage in trace.stages] == [each.name for each in found.trace.stages]


def test_what_suffices_at_once_is_not_searched_again() -> None:
    wants = Wants("tea")
    judged, trace = tried(wants, rewriters=[says("coffee")])
    assert judged.sufficient
    assert rounds(trace) == []


def test_another_wording_finds_what_the_question_did_not() -> None:
    wants = Wants("cocoa")
    judged, trace = tried(wants, rewriters=[says("coffee roasted", "cocoa equator", "milk")])
    assert (judged.sufficient, judged.evidence) == (True, ("cocoa",))
    assert wants.shown == [("tea",), ("coffee",), ("cocoa",)]
    first, second = rounds(trace)
    assert (first["round"], first["tried"], first["text"]) == (2, "says", "coffee roasted")
    assert (first["sufficiency_before"], first["sufficiency_after"]) == (0.1, 0.1)
    assert (first["sufficient"], first["kept"]) == (False, False)
    assert (second["new_hits"], second["sufficient"], second["kept"]) == (("cocoa#0",), True, True)
    # Each round's search is told before its verdict.
    names = [stage.name for stage in trace.stages]
    assert [names.count(name) for name in ("lexical", "dense", "fused", "read")] == [3, 3, 3, 3]
    assert names[-1] == "corrective"


def test_the_best_round_is_kept_where_none_suffices() -> None:
    wants = Wants("none", worth=lambda uris: 1.0 if "coffee" in uris else 0.2)
    judged, trace = tried(wants, rewriters=[says("coffee roasted", "cocoa equator")], searches=2)
    assert (judged.sufficient, judged.evidence) == (False, ("coffee",))
    assert [each["kept"] for each in rounds(trace)] == [True, False]
    assert rounds(trace)[1]["sufficiency_before"] == 1.0


def test_hits_of_earlier_rounds_are_not_judged_again() -> None:
    wants = Wants("none")
    _, trace = tried(wants, rewriters=[says("green tea brewed")], searches=1)
    assert wants.shown == [("tea",)]
    assert (rounds(trace)[0]["new_hits"], rounds(trace)[0]["sufficiency_after"]) == ((), None)


def test_the_last_attempt_looks_deeper_and_then_nothing_is_left() -> None:
    wants = Wants("none")
    _, trace = tried(wants)
    deeper, end = rounds(trace)
    assert (deeper["tried"], len(wants.shown[1])) == ("deeper", 1)
    assert end == {"round": 2, "stopped": "nothing left to try"}


def test_no_attempt_looks_deeper_than_a_search_may() -> None:
    bounded = searcher(world(), most_hits=1)
    _, trace = tried(Wants("cocoa"), search=bounded)
    assert rounds(trace) == [{"round": 1, "stopped": "nothing left to try"}]


def test_no_text_is_searched_for_twice_and_none_that_is_empty() -> None:
    wants = Wants("none")
    _, trace = tried(
        wants, rewriters=[says("Green Tea Degrees", " ", "coffee"), says("COFFEE")], searches=9
    )
    assert [each.get("text") for each in rounds(trace)] == ["coffee", "green tea degrees", None]


@pytest.mark.parametrize("searches", [1, 2, 3])
def test_the_budget_bounds_the_searches(searches: int) -> None:
    wants = Wants("none")
    _, trace = tried(wants, rewriters=[says(*"abcdefgh")], searches=searches)
    assert len(rounds(trace)) == searches
    assert [stage.name for stage in trace.stages].count("fused") == searches + 1


def test_without_time_nothing_is_tried_and_the_trace_says_so() -> None:
    reads = Reads([])
    _, trace = tried(Wants("none"), rewriters=RULES, seconds=0.0, reads_more=reads)
    assert rounds(trace) == [{"round": 1, "stopped": "the time is up"}]
    assert reads.seconds == []


@pytest.mark.parametrize(("model_calls", "calls"), [(0, 0), (1, 1), (2, 2)])
def test_models_are_asked_within_their_budget(model_calls: int, calls: int) -> None:
    first, second = AlsoSays("coffee"), AlsoSays("cocoa")
    rewriters = [by_transform(each, asks_model=True) for each in (first, second)]
    tried(Wants("none"), rewriters=rewriters, model_calls=model_calls)
    assert first.calls + second.calls == calls


def test_a_model_is_not_asked_while_rules_suffice() -> None:
    model = AlsoSays("cocoa")
    rewriters = [says("coffee roasted"), by_transform(model, asks_model=True)]
    judged, _ = tried(Wants("coffee"), rewriters=rewriters)
    assert (judged.sufficient, model.calls) == (True, 0)


def test_a_model_that_has_nothing_to_say_costs_no_search() -> None:
    _, trace = tried(Wants("none"), rewriters=[by_transform(AlsoSays(), asks_model=True)])
    assert [each.get("tried") for each in rounds(trace)] == ["deeper", None]


def test_a_filter_that_was_read_into_the_question_is_dropped_but_not_the_callers() -> None:
    search = searcher(world(), transforms=[Filters()])
    judged, trace = tried(Wants("tea"), search=search)
    assert judged.sufficient
    assert rounds(trace)[0]["tried"] == "without_filter"
    callers = Condition(field="kind", operator="==", value="milk")
    judged, trace = tried(Wants("tea"), search=search, where=callers, rewriters=RULES)
    assert not judged.sufficient
    assert "without_filter" not in [each.get("tried") for each in rounds(trace)]
    assert all(not each.get("new_hits") for each in rounds(trace))


def test_every_round_keeps_to_the_scope() -> None:
    made = world()
    made.add("secret", "The secret recipe needs jasmine.", acl=frozenset({"user:ana"}), whole=True)
    wants = Wants("secret")
    judged, trace = tried(wants, search=searcher(made), rewriters=[says("secret jasmine recipe")])
    assert not judged.sufficient
    assert all("secret#0" not in stage.scores for stage in trace.stages)


def test_reading_on_is_the_last_resort_and_is_judged_as_well() -> None:
    hit = searcher(world()).search("cocoa equator", k=1, scope=ANYONE).hits[0]
    reads = Reads([hit])
    judged, trace = tried(Wants("cocoa"), searches=1, seconds=30.0, reads_more=reads)
    assert judged.sufficient
    assert [each["tried"] for each in rounds(trace)] == ["deeper", "read_more"]
    assert 0.0 < reads.seconds[0] <= 30.0
    judged, _ = tried(Wants("tea"), reads_more=Reads([hit]))
    assert judged.evidence == ("tea",)
    judged, _ = tried(Wants("none"), searches=0, reads_more=Reads([]))
    assert judged.evidence == ("tea",)


@pytest.mark.parametrize("bound", ["searches", "model_calls", "seconds"])
def test_a_negative_budget_is_refused(bound: str) -> None:
    with pytest.raises(UsageError, match=bound):
        CorrectiveBudget(**{bound: -1})  # type: ignore[arg-type]
