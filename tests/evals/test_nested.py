"""Choosing from a grid: what is clearly better is found, and noise is not taken for a gain."""

from __future__ import annotations

import numpy as np

from evals.tuning.nested import choose, folds, others


def test_folds_share_out_the_questions() -> None:
    parts = folds(23, among=5, rng=np.random.default_rng(0))
    assert sorted(len(part) for part in parts) == [4, 4, 5, 5, 5]
    assert sorted(np.concatenate(parts)) == list(range(23))
    assert set(others(23, parts[0])) == set(range(23)) - set(parts[0])


def test_what_is_better_is_chosen() -> None:
    rng = np.random.default_rng(1)
    values = rng.uniform(size=40) + rng.normal(scale=0.01, size=(6, 40))
    values[4] += 0.1
    assert choose(values, [[0], [0, 1, 2], [0, 1, 2, 3, 4, 5]], rng=rng) == 4


def test_of_equals_the_first_is_chosen() -> None:
    values = np.full((4, 30), 0.3)
    assert choose(values, [[0], [0, 1, 2, 3]], rng=np.random.default_rng(0)) == 0


def test_the_figure_of_a_choice_among_noise_is_no_gain() -> None:
    rng = np.random.default_rng(2)
    honest, flattering = [], []
    for _ in range(30):
        values = rng.normal(size=(50, 60))
        grids = [[0], list(range(50))]
        flattering.append(values.mean(axis=1).max() - values[0].mean())
        held_out = np.empty(60)
        for fold in folds(60, among=5, rng=rng):
            chosen = choose(values[:, others(60, fold)], grids, rng=rng)
            held_out[fold] = values[chosen, fold]
        honest.append(held_out.mean() - values[0].mean())
    assert np.mean(flattering) > 0.2
    assert abs(np.mean(honest)) < 0.06
