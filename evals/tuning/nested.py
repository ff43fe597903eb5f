"""Nested cross-validation over a grid: pure functions of a table of values.

Stone, "Cross-Validatory Choice and Assessment of Statistical Predictions" (1974); Varma and Simon,
"Bias in error estimation when using cross-validation for model selection" (2006): the figure of
what was chosen must come from questions that had no say in the choice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
"""One row a point of the grid, one column a question."""
Questions = npt.NDArray[np.int64]

_INNER_FOLDS = 5


def folds(count: int, *, among: int, rng: np.random.Generator) -> list[Questions]:
    """Split questions by chance into folds whose sizes differ by one at most."""
    return [np.sort(part) for part in np.array_split(rng.permutation(count), among)]


def others(count: int, fold: Questions) -> Questions:
    """The questions that are not in a fold."""
    return np.setdiff1d(np.arange(count), fold)


def choose(values: Values, grids: Sequence[Sequence[int]], *, rng: np.random.Generator) -> int:
    """The point to use: the best of that grid from which choosing pays most.

    A larger grid fits the questions at hand better and others worse. So each grid is judged by
    inner folds: the best point on the other questions, with its values on the fold's. The point is
    then the best of the grid that did best, on all questions. Of equal ones the first is taken.

    Args:
        values: of every point on every question.
        grids: rows of `values`, smallest grid first.
        rng: splits the questions.
    """
    count = values.shape[1]
    inner = folds(count, among=_INNER_FOLDS, rng=rng)
    held_out = [
        sum(
            float(values[_best(values[:, others(count, fold)], grid), fold].sum()) for fold in inner
        )
        for grid in grids
    ]
    # Sums of the same values in another order differ in their last digits.
    winner = next(row for row, total in enumerate(held_out) if total >= max(held_out) - 1e-9)
    return _best(values, grids[winner])


def _best(values: Values, grid: Sequence[int]) -> int:
    means = values[list(grid)].mean(axis=1)
    return grid[int(np.flatnonzero(means >= means.max() - 1e-12)[0])]
