"""The rules for saying a question differently; when they are tried is `test_corrective`."""

from __future__ import annotations

from ragmem.retrieval.rewriting import feedback, keywords, rarest_terms
from ragmem.types import Hit, Scope

ANYONE = Scope()


def hit(text: str, *, title: str = "") -> Hit:
    return Hit(
        document_uri=text,
        document_title=title,
        chunk_id=text,
        text=text,
        start=0,
        end=len(text),
        score=1.0,
        scores={},
    )


def test_keywords_leave_out_what_carries_no_content() -> None:
    assert keywords("What is the boiling point of the water?", [], ANYONE) == [
        "boiling point water"
    ]


def test_the_rarest_terms_are_those_that_the_hits_lack() -> None:
    hits = [hit("Tea is brewed in water."), hit("Water boils.", title="Tea")]
    assert rarest_terms("is jasmine tea brewed in water", hits, ANYONE) == ["jasmine brewed"]
    assert rarest_terms("", hits, ANYONE) == [""]


def test_feedback_adds_what_the_best_hits_share() -> None:
    hits = [
        *(hit("Matcha is whisked."), hit("Matcha is green."), hit("Sencha is green.")),
        *(hit("Grass is green."), hit("Paint is green.")),
    ]
    assert feedback("what is matcha tea", hits, ANYONE) == ["what is matcha tea green"]
    assert feedback("tea", [hit("Only one."), hit("And another.")], ANYONE) == []
    assert feedback("tea", [], ANYONE) == []
