"""Which terms are nearly a word."""

from __future__ import annotations

import pytest

from ragmem.indexes.likeness import MOST_SUGGESTIONS, distance, edits_allowed, likest


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("word", "word", 0),
        ("word", "wrod", 1),
        ("word", "wor", 1),
        ("word", "words", 1),
        ("word", "ward", 1),
        ("ca", "abc", 3),  # 2 where a swapped pair may be edited again
        ("kitten", "sitting", 3),
        ("", "ab", 2),
        ("привет", "првиет", 1),
    ],
)
def test_distance(one: str, other: str, expected: int) -> None:
    assert distance(one, other, limit=5) == distance(other, one, limit=5) == expected
    for limit in range(5):
        assert distance(one, other, limit=limit) == min(expected, limit + 1)


@pytest.mark.parametrize(
    ("word", "edits"),
    [("cat", 0), ("word", 1), ("protein", 1), ("proteins", 2), ("h2so4", 0), ("covid19x", 0)],
)
def test_short_words_and_numbers_are_left_alone(word: str, edits: int) -> None:
    assert edits_allowed(word) == edits


def nearest(form: str, counts: dict[str, int], *, edits: int = 2) -> list[str]:
    return likest(
        [form],
        lambda letter: [term for term in counts if term.startswith(letter)],
        edits=edits,
        count=lambda term: counts.get(term, 0),
    )


def test_the_nearest_come_first_then_the_first_letter_then_the_more_frequent() -> None:
    counts = {"protein": 5, "protean": 9, "protest": 50}
    assert nearest("protien", counts) == ["protein"]
    assert nearest("proteun", counts) == ["protean", "protein"]
    assert nearest("xrotein", counts) == ["protein"]
    assert nearest("moat", {"boat": 90, "most": 1}) == ["most", "boat"]
    assert nearest("htis", {"this": 2}) == ["this"]
    assert nearest("rotein", counts) == ["protein"]


def test_what_nobody_may_see_is_not_there_and_a_farther_term_takes_its_place() -> None:
    assert nearest("proteen", {"protein": 0, "protect": 3}) == ["protect"]
    assert nearest("protien", {"protein": 0}) == []


def test_no_numbers_nothing_too_far_and_not_too_many() -> None:
    assert nearest("worde", {"word1": 9, "wo": 9}) == []
    assert nearest("protein", {"product": 5}) == []
    many = {f"wor{letter}": 1 for letter in "abcdefgh"}
    assert len(nearest("wory", many, edits=1)) == MOST_SUGGESTIONS
