"""Folding and weighting of words."""

from __future__ import annotations

import math

import pytest

from ragmem.retrieval.terms import content_words, coverage, inverse_frequencies, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Batteries, STRASSE Straße!", ["battery", "strasse", "strasse"]),
        ("the glass bus has status", ["the", "glass", "bus", "has", "status"]),
        ("houses boxes shoes", ["house", "boxe", "shoe"]),
        ("1,234,567 and 3.14", ["1234567", "and", "3.14"]),
        ("東京 Tokyo", ["東", "京", "tokyo"]),
        ("snake_case covid19", ["snake", "case", "covid19"]),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_content_words_leave_out_stopwords_unless_there_is_nothing_else() -> None:
    assert content_words("Who is the author of Emma?") == ["author", "emma"]
    assert content_words("What is it?") == ["what", "is", "it"]


def test_inverse_frequencies_follow_the_formula_and_rarer_terms_weigh_more() -> None:
    texts = [{"a", "b"}, {"a"}, {"a"}]
    weights = inverse_frequencies(["a", "b", "missing"], texts)
    assert weights["b"] == pytest.approx(math.log(1 + 2.5 / 1.5))
    assert weights["missing"] > weights["b"] > weights["a"] > 0


def test_coverage_is_the_share_of_the_weight() -> None:
    assert coverage({"a": 3.0, "b": 1.0}, {"a", "z"}) == 0.75
    assert coverage({}, {"a"}) == 0.0
