"""The grounding check against sentences that change, swap, negate or invent something."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import HashEmbedder

from ragmem.agent.evidence import Evidence
from ragmem.agent.grounding import GroundingCheck, Verdict

FACTS = (
    "Alexander Fleming discovered penicillin in London in 1928.",
    "He shared the Nobel Prize with Howard Florey and Ernst Chain in 1945.",
    "The warranty covers batteries for 24 months, but it does not cover the charger.",
    "Sales increased by 5 million euros after the merger.",
    "Napoli beat Milan 3-1.",
)


def evidence(
    texts: tuple[str, ...] = FACTS, *, gap: int = 1, title: str = "Facts"
) -> list[Evidence]:
    found, start = [], 0
    for text in texts:
        found.append(
            Evidence(
                document_uri="d",
                document_title=title,
                start=start,
                end=start + len(text),
                text=text,
                cosine=0.5,
                coverage=0.5,
                passage=1.0,
                kind=0.5,
                score=1.0,
            )
        )
        start += len(text) + gap
    return found


def check(sentence: str, question: str = "What happened?", *, least: float = 0.0) -> Verdict:
    grounding = GroundingCheck(HashEmbedder(dimensions=64), least_similarity=least)
    return grounding.check(sentence, question=question, evidence=evidence())


@pytest.mark.parametrize(
    ("sentence", "rests_on"),
    [
        (FACTS[0], (0,)),
        ("Alexander Fleming discovered penicillin.", (0,)),
        ("Penicillin was discovered in 1928.", (0,)),
        ("Fleming's discovering of penicillin was in London.", (0,)),
        ("The warranty covers batteries for 24 months.", (2,)),
        ("The warranty does not cover the charger.", (2,)),
        ("Sales increase by 5 million euros.", (3,)),
        ("Alexander Fleming shared the Nobel Prize with Howard Florey.", (0, 1)),
    ],
)
def test_what_the_evidence_says_is_supported(sentence: str, rests_on: tuple[int, ...]) -> None:
    verdict = check(sentence)
    assert verdict.supported, verdict.reason
    assert verdict.evidence == tuple(evidence()[row] for row in rests_on)


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("Alexander Fleming discovered penicillin in 1929.", "1929"),
        ("Alexander Fleming discovered penicillin in Paris.", "pari"),
        ("Marie Curie discovered penicillin in London in 1928.", "marie, curie"),
        ("Alexander Fleming did not discover penicillin.", "negated"),
        ("The warranty covers the charger.", "negated"),
        ("The warranty does not cover batteries.", "negated"),
        ("The warranty covers batteries for 48 months.", "48"),
        ("Sales decreased by 5 million euros.", "decreased"),
        ("Sales increased by 5 billion euros.", "billion"),
        ("Sales increased before the merger.", "before"),
        ("Sales increased by 5%.", "percent"),
        ("Milan beat Napoli.", "order"),
        ("Napoli beat Milan 1-3.", "order"),
        ("Howard Florey discovered penicillin.", "evidence"),
        ("Penicillin cures all infections.", "cure"),
        ("Fleming discovered penicillin and sold the charger.", "evidence"),
        ("Not found.", "found"),
        ("...", "no content"),
        ("", "no content"),
        ("It is what it is.", "no content"),
        ("Who discovered penicillin?", "asks"),
    ],
)
def test_what_it_does_not_say_is_refused_with_the_reason(sentence: str, why: str) -> None:
    verdict = check(sentence)
    assert not verdict.supported
    assert why in verdict.reason
    assert verdict.evidence == ()


def test_the_question_said_again_is_no_answer() -> None:
    sentence = "Penicillin was discovered in London."
    assert not check(sentence, "Who discovered penicillin in London?").supported
    assert check(sentence, "Was penicillin discovered in London?").supported


def test_sentences_that_are_not_neighbours_do_not_support_together() -> None:
    grounding = GroundingCheck(HashEmbedder(dimensions=64), least_similarity=0.0)
    sentence = "Alexander Fleming shared the Nobel Prize with Howard Florey."
    apart = evidence(FACTS[:2], gap=50)
    assert not grounding.check(sentence, question="q", evidence=apart).supported


def test_the_title_may_name_the_subject() -> None:
    grounding = GroundingCheck(HashEmbedder(dimensions=64), least_similarity=0.0)
    titled = evidence(("He was born in Darvel.",), title="Alexander Fleming")
    said = grounding.check("Alexander Fleming was born in Darvel.", question="q", evidence=titled)
    assert said.supported


def test_a_vector_that_is_too_different_refuses() -> None:
    assert check("Penicillin was discovered.", least=0.99).reason == "the vectors are not similar"


def test_without_evidence_nothing_is_supported() -> None:
    verdict = GroundingCheck(HashEmbedder()).check("It rains today.", question="q", evidence=[])
    assert (verdict.supported, verdict.reason) == (False, "no evidence")


@pytest.mark.parametrize(
    ("sentence", "behind", "why"),
    [
        ("The year margin was 24.4%.", 0.3, "covered"),
        ("The quarter margin was 24.6%.", 0.05, "other numbers"),
        ("The quarter margin was good.", 0.3, "more relevant"),
        ("The quarter margin was good.", 0.05, "covered"),
        ("The quarter margin was 24.6%.", 0.0, "covered"),
    ],
)
def test_what_the_best_evidence_answers_better_is_refused(
    sentence: str, behind: float, why: str
) -> None:
    texts = ("The year margin was 24.4%.", "The quarter margin was 24.6%, which was good.")
    best, second = evidence(texts)
    shown = [best, replace(second, score=best.score - behind)]
    grounding = GroundingCheck(HashEmbedder(dimensions=64), least_similarity=0.0)
    assert why in grounding.check(sentence, question="margin", evidence=shown).reason


def test_a_sentence_without_the_date_that_is_asked_for_is_refused() -> None:
    shown = [replace(evidence()[0], kind=1.0)]
    grounding = GroundingCheck(HashEmbedder(dimensions=64), least_similarity=0.0)
    for sentence, question, supported in [
        ("Fleming discovered penicillin.", "When was it discovered?", False),
        ("Penicillin was discovered in 1928.", "When was it discovered?", True),
        ("Fleming discovered penicillin.", "Who discovered penicillin?", True),
    ]:
        assert grounding.check(sentence, question=question, evidence=shown).supported is supported
