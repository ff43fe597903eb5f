"""Cosines and the best of some scores."""

from __future__ import annotations

import numpy as np
import pytest

from ragmem.indexes.ranking import best, cosines, products


def test_best_settles_ties_by_id_even_at_the_end_of_the_list() -> None:
    scores = np.array([1, 2, 2, 2, 0], dtype=np.float32)
    assert [hit.chunk_id for hit in best("edcba", scores, 2)] == ["b", "c"]
    assert [hit.chunk_id for hit in best("edcba", scores, 9)] == ["b", "c", "d", "e", "a"]
    assert best([], scores[:0], 3) == []


def test_cosines_of_any_lengths() -> None:
    rows = np.array([[2, 0], [0, 3], [-1, 0], [0, 0], [1, 1]], dtype=np.float32)
    vector = np.array([5, 0], dtype=np.float32)
    assert cosines(vector, rows).tolist() == pytest.approx([1, 0, -1, 0, 2**-0.5])


def test_a_cosine_is_the_same_whatever_the_other_rows() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(500, 384)).astype(np.float32)
    every = cosines(rows[0], rows)
    for _ in range(20):
        chosen = random.choice(500, size=random.integers(1, 60), replace=False)
        assert cosines(rows[0], rows[chosen]).tolist() == every[chosen].tolist()


def test_products_are_those_of_each_row_with_each() -> None:
    rows = np.random.default_rng(1).normal(size=(7, 5)).astype(np.float32)
    found = products(rows)
    assert found.shape == (7, 7)
    assert found == pytest.approx(rows @ rows.T, abs=1e-5)
    assert np.array_equal(found, found.T)
