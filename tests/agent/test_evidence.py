"""Sentence selection: exact offsets, scores that explain themselves, honest sufficiency."""

from __future__ import annotations

import pytest
from fakes import HashEmbedder
from hypothesis import given
from hypothesis import strategies as st

from ragmem.agent.evidence import EvidenceWeights, choose, rank_evidence, unnamed
from ragmem.retrieval.pack import Passage

EMBEDDER = HashEmbedder(dimensions=64)
TEXT = "The tower opened in 1889. It was built by Gustave Eiffel. Tickets are sold at the gate."


def passage(text: str, *, start: int = 0, score: float = 1.0, title: str = "Tower") -> Passage:
    return Passage(
        document_uri="d",
        document_title=title,
        start=start,
        end=start + len(text),
        text=text,
        page=None,
        chunk_ids=("c",),
        score=score,
        tokens=1,
    )


def test_sentences_have_document_offsets() -> None:
    ranked = rank_evidence("who built the tower", [passage(TEXT, start=100)], EMBEDDER)
    assert len(ranked.sentences) == 3
    for each in ranked.sentences:
        assert TEXT[each.start - 100 : each.end - 100] == each.text
    assert ranked.sentences[0].text == "It was built by Gustave Eiffel."


def test_the_score_is_the_weighted_sum_of_its_parts() -> None:
    weights = EvidenceWeights(coverage=0.1, passage=0.2, kind=0.3, sufficiency_coverage=0.4)
    ranked = rank_evidence(
        "when did the tower open",
        [passage(TEXT, score=3.0), passage("The tower is tall.", start=500, score=1.0)],
        EMBEDDER,
        weights=weights,
    )
    for each in ranked.sentences:
        assert each.score == pytest.approx(
            each.cosine + 0.1 * each.coverage + 0.2 * each.passage + 0.3 * each.kind
        )
        assert each.passage == (0.0 if each.start >= 500 else 1.0)
    assert ranked.sufficiency == pytest.approx(
        max(each.cosine for each in ranked.sentences)
        + 0.4 * max(each.coverage for each in ranked.sentences)
    )


def test_a_question_about_something_else_suffices_less() -> None:
    asked = rank_evidence("the tower opened in 1889", [passage(TEXT)], EMBEDDER).sufficiency
    other = rank_evidence("zebra stripes evolve", [passage(TEXT)], EMBEDDER).sufficiency
    assert other < 0.5 < asked


def test_nothing_found_is_no_evidence() -> None:
    assert rank_evidence("q", [], EMBEDDER).sentences == ()
    assert rank_evidence("q", [passage(" \n ")], EMBEDDER).sufficiency == 0.0


def test_choosing_stops_at_either_limit_but_always_takes_the_best() -> None:
    ranked = rank_evidence("tower", [passage(TEXT)], EMBEDDER).sentences
    assert choose(ranked, most_sentences=2, most_words=99) == ranked[:2]
    assert choose(ranked, most_sentences=3, most_words=1) == ranked[:1]
    assert choose((), most_sentences=3, most_words=10) == ()


def test_no_sentence_is_chosen_twice() -> None:
    twice = [passage("Same words here."), passage("Same words, here!", start=900)]
    ranked = rank_evidence("words", twice, EMBEDDER).sentences
    assert len(ranked) == 2
    assert len(choose(ranked, most_sentences=5, most_words=99)) == 1


@given(text=st.text(st.sampled_from("ab 1.?!\n|東。"), max_size=200), most=st.integers(1, 5))
def test_every_sentence_is_an_exact_span_and_not_too_long(text: str, most: int) -> None:
    ranked = rank_evidence("a b", [passage(text, start=7)], EMBEDDER, most_sentence_words=most)
    for each in ranked.sentences:
        assert text[each.start - 7 : each.end - 7] == each.text
        assert 1 <= len(each.text.split()) <= most
        assert len(each.text) <= 41 * most


def test_what_lies_far_below_the_best_is_not_chosen() -> None:
    ranked = rank_evidence("tower opened in 1889", [passage(TEXT)], EMBEDDER).sentences
    gap = ranked[0].score - ranked[1].score
    assert gap > 0
    assert len(choose(ranked, most_sentences=9, most_words=99, margin=gap / 2)) == 1
    assert len(choose(ranked, most_sentences=9, most_words=99, margin=gap + 0.001)) == 2


def test_a_fragment_is_chosen_only_when_it_is_best() -> None:
    table = [passage("Table 1. The tower opened in 1889.")]
    ranked = rank_evidence("table 1", table, EMBEDDER).sentences
    assert [each.text for each in ranked] == ["Table 1.", "The tower opened in 1889."]
    assert choose(ranked, most_sentences=9, most_words=99) == ranked
    assert choose(ranked[::-1], most_sentences=9, most_words=99) == ranked[1:]


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("Which level does Zstandard use?", ("Zstandard",)),
        ("Who is the President of Germany?", ()),
        ("Where do Germans live?", ()),
        ("Does the ab12x lamp work?", ("ab12x",)),
        ("How much did NATO spend?", ()),
        ("what is a kettle", ()),
        ("Zstandard?", ()),
    ],
)
def test_names_that_nothing_mentions(question: str, missing: tuple[str, ...]) -> None:
    assert unnamed(question, ["The German president cooks tea in a pot."]) == missing


def test_an_announcement_is_not_chosen_beside_others() -> None:
    ranked = rank_evidence("tower", [passage("The tower is tall. The tower has:")], EMBEDDER)
    assert len(ranked.sentences) == 2
    first = sorted(ranked.sentences, key=lambda each: each.start)
    assert choose(first, most_sentences=9, most_words=99) == tuple(first[:1])


def test_headings_and_questions_are_no_evidence() -> None:
    text = "# How long is the warranty?\n\nHow long is it? It is 24 months for the lamp.\n"
    ranked = rank_evidence("How long is the warranty?", [passage(text)], EMBEDDER)
    assert [each.text for each in ranked.sentences] == ["It is 24 months for the lamp."]
    only = "# Warranty of the lamp\n"
    ranked = rank_evidence("Warranty of the lamp", [passage(only)], EMBEDDER)
    assert [each.text for each in ranked.sentences] == [only.strip()]


def test_years_that_nothing_mentions() -> None:
    question = "when was the tower painted in 2015"
    assert rank_evidence(question, [passage(TEXT)], EMBEDDER).undated == ("2015",)
    titled = passage(TEXT, title="Report 2015")
    assert rank_evidence(question, [titled], EMBEDDER).undated == ()
    assert rank_evidence(question, [passage(TEXT)], EMBEDDER, known=["FY15"]).undated == ()


def test_links_and_notices_are_only_evidence_where_nothing_else_is() -> None:
    text = "[The tower](tower.md)\n\nCopyright (c) 2019 Tower\n\nIt has a tower lift."
    ranked = rank_evidence("the tower", [passage(text)], EMBEDDER)
    assert [each.text for each in ranked.sentences] == ["It has a tower lift."]
