"""Signatures estimate how alike two texts are."""

from __future__ import annotations

import random

import numpy as np
import pytest

from ragmem.ingestion.signing import sign


def alike(one: bytes, two: bytes) -> float:
    return float(np.mean(np.frombuffer(one, "<u4") == np.frombuffer(two, "<u4")))


def words(count: int, *, seed: int = 0, among: int = 5000) -> list[str]:
    chosen = random.Random(seed)
    return [f"w{chosen.randrange(among)}" for _ in range(count)]


@pytest.mark.parametrize("changed", [0, 10, 40, 150, 400])
def test_the_share_of_equal_minima_estimates_the_jaccard_similarity(changed: int) -> None:
    text = words(600)
    other = text[: 600 - changed] + words(changed, seed=1)
    shingles = [{tuple(each[n : n + 3]) for n in range(598)} for each in (text, other)]
    exact = len(shingles[0] & shingles[1]) / len(shingles[0] | shingles[1])
    estimate = alike(sign(" ".join(text)), sign(" ".join(other)))
    # Three standard errors of 128 permutations.
    assert abs(estimate - exact) <= 3 * 0.045


def test_layout_and_case_do_not_count() -> None:
    text = words(100)
    assert sign(" ".join(text)) == sign("\n\n".join(text).upper()) != b""


@pytest.mark.parametrize("text", ["", "two words", " ".join(words(17)), "。" * 100, "x" * 10])
def test_short_texts_have_none(text: str) -> None:
    assert sign(text) == b""


def test_texts_without_spaces_are_compared_by_characters() -> None:
    chosen = random.Random(0)
    text = "".join(chr(chosen.randrange(0x4E00, 0x9FA0)) for _ in range(400))
    other = text[:380] + "".join(chr(chosen.randrange(0x4E00, 0x9FA0)) for _ in range(20))
    assert 0.7 < alike(sign(text), sign(other)) < 1.0
    assert alike(sign(text), sign(text[::-1])) < 0.1
    assert sign("x" * 5000) == b""
