"""Questions with misspelt words."""

from __future__ import annotations

import pytest
from search_world import World

from ragmem.query import Query, Wording
from ragmem.retrieval.rerank import FeatureReranker
from ragmem.retrieval.search import Searcher, SearchSettings
from ragmem.retrieval.understanding.spelling import SpellingTolerance
from ragmem.types import Scope

ANA = frozenset({"user:ana"})


@pytest.fixture
def world() -> World:
    world = World()
    world.add("pumps", "The hydraulic pressure of the pumps is measured daily by Napoleon.")
    world.add("valves", "The valves are closed in the evening. The read_config function opens.")
    world.add("secret", "The zeppelin project is confidential.", acl=ANA)
    return world


def read(world: World, question: str, scope: Scope | None = None) -> Query:
    query = Query(question=question, wordings=(Wording(text=question),))
    return SpellingTolerance(world.lexical).transform(query, scope=scope or Scope())


@pytest.mark.parametrize(
    ("question", "corrected"),
    [
        ("What is the hydralic pressure?", "What is the hydraul pressure?"),
        ("How are vavles closed?", "How are valv closed?"),
        ("Presure of the pumps", "pressur of the pumps"),
        ("pumps measured by Napolean", "pumps measured by napoleon"),
        ("hydralic", "hydraul"),
        ('the "presure" of (pumps), daily', 'the "pressur" of (pumps), daily'),
    ],
)
def test_only_the_lexical_wording_is_corrected(world: World, question: str, corrected: str) -> None:
    query = read(world, question)
    assert query.question == question
    assert query.wordings == (
        Wording(text=question, index="dense"),
        Wording(text=corrected, index="lexical"),
    )
    assert query.notes["spelling"]["corrected"]  # type: ignore[index]


@pytest.mark.parametrize(
    "question",
    [
        "What is the hydraulic pressure?",
        "read_confg()",
        "valvs.closed",
        "valve5",
        "the VALVS are closed",
        "closed by readConfg",
        "what was measured by Nopolean and Pumpo",  # names that may be right
        "user@presure.org /daly/presure",
        "12345 67.89",
        "?",
        "Wie hoch ist die Presssure dieser Pumpen?",  # another language
    ],
)
def test_what_may_be_right_is_left_alone(world: World, question: str) -> None:
    query = read(world, question)
    assert query.wordings == (Wording(text=question),)
    assert query.notes["spelling"]["corrected"] == {}  # type: ignore[index]


def test_words_of_documents_out_of_sight_are_never_told(world: World) -> None:
    question = "when does the zepelin project end with pressure"
    assert "zeppelin" not in str(read(world, question))
    seen = read(world, question, Scope(user="ana"))
    assert "zeppelin" in seen.wordings[1].text


def test_other_wordings_stay(world: World) -> None:
    other = Wording(text="vavles", weight=0.5, index="lexical")
    query = Query(question="vavles", wordings=(Wording(text="vavles", index="dense"), other))
    after = SpellingTolerance(world.lexical).transform(query, scope=Scope())
    assert [(each.weight, each.index) for each in after.wordings] == [
        (1, "dense"),
        (0.5, "lexical"),
    ]
    assert after.wordings[0].text == "vavles"
    assert after.wordings[1].text != "vavles"


def test_a_search_finds_what_was_meant(world: World) -> None:
    def found(transforms: list[SpellingTolerance]) -> dict[str, float]:
        searcher = Searcher(
            embedder=world.embedder,
            dense=world.dense,
            lexical=world.lexical,
            chunks=world,
            reranker=FeatureReranker(),
            transforms=transforms,
            settings=SearchSettings(default_ranking="fused"),
        )
        trace = searcher.search("closed vavles", scope=Scope()).trace
        assert ("understand" in [stage.name for stage in trace.stages]) == bool(transforms)
        return dict(trace.stage("lexical").scores)

    plain, tolerant = found([]), found([SpellingTolerance(world.lexical)])
    assert plain.keys() == tolerant.keys() == {"valves#0"}
    assert tolerant["valves#0"] > plain["valves#0"]
