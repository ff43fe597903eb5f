"""Means, medians and differences over questions, with bootstrap intervals.

Percentile intervals of Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
The same seed resamples the same questions, so that a result can be had again to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Values = npt.NDArray[np.float64]

_RESAMPLES = 10_000
_DRAWS_AT_A_TIME = 2**21  # some 16 MB of indices, whatever the number of questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A statistic over questions with its 95% interval.

    Attributes:
        value: the statistic, a mean unless said otherwise.
        low, high: its 2.5% and 97.5% percentiles under resampling.
        n: how many questions it is made of.
    """

    value: float
    low: float
    high: float
    n: int


def bootstrap_mean(values: Sequence[float], *, seed: int) -> Metric:
    """The mean of per-question values.

    Args:
        values: one value a question; at least one.
        seed: of the resampling.
    """
    return _with_interval([values], _means, seed)


def median(values: Sequence[float], *, seed: int) -> Metric:
    """The median of per-question values."""
    return _with_interval([values], _medians, seed)


def paired_difference(ours: Sequence[float], theirs: Sequence[float], *, seed: int) -> Metric:
    """The difference of two means over the same questions, the questions resampled in pairs.

    Args:
        ours, theirs: one value a question, in the same order.
        seed: of the resampling.
    """
    return bootstrap_mean(differences(ours, theirs), seed=seed)


def mean_of_sets(sets: Sequence[Sequence[float]], *, seed: int) -> Metric:
    """The mean of several sets' means: every set counts the same, however many its questions.

    Questions are resampled within their sets (a stratified bootstrap), so the interval is about
    other questions of these sets, not about other sets.

    Args:
        sets: the per-question values of each set, or their paired differences.
        seed: of the resampling.
    """
    return _with_interval(sets, _means, seed)


def differences(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """What the first values have more than the second, question by question."""
    return [one - other for one, other in zip(ours, theirs, strict=True)]


def _with_interval(
    sets: Sequence[Sequence[float]], statistic: Callable[[_Values], _Values], seed: int
) -> Metric:
    """The mean over sets of a statistic of each set's values."""
    samples = [np.asarray(values, dtype=np.float64) for values in sets]
    rng = np.random.default_rng(seed)
    resampled = np.mean([_resampled(sample, statistic, rng) for sample in samples], axis=0)
    low, high = np.percentile(resampled, [2.5, 97.5])
    value = np.mean([statistic(sample[np.newaxis]) for sample in samples])
    questions = sum(len(sample) for sample in samples)
    return Metric(value=float(value), low=float(low), high=float(high), n=questions)


def _resampled(
    sample: _Values, statistic: Callable[[_Values], _Values], rng: np.random.Generator
) -> _Values:
    """The statistic of each of many samples of the same size, drawn with replacement."""
    found = np.empty(_RESAMPLES)
    rows = max(1, _DRAWS_AT_A_TIME // len(sample))
    for start in range(0, _RESAMPLES, rows):
        count = min(rows, _RESAMPLES - start)
        drawn = rng.integers(0, len(sample), (count, len(sample)))
        found[start : start + count] = statistic(sample[drawn])
    return found


def _means(rows: _Values) -> _Values:
    return np.asarray(rows.mean(axis=1))


def _medians(rows: _Values) -> _Values:
    return np.asarray(np.median(rows, axis=1))
