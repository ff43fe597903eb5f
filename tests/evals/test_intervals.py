"""Intervals: right in size, in pairs where they should be, every set alike."""

from __future__ import annotations

import numpy as np
import pytest

from evals.intervals import bootstrap_mean, mean_of_sets, median, paired_difference


def test_intervals_hold_the_mean_and_shrink_with_the_sample() -> None:
    rng = np.random.default_rng(0)
    small = bootstrap_mean(list(rng.normal(size=30)), seed=1)
    large = bootstrap_mean(list(rng.normal(size=3000)), seed=1)
    assert small.low < small.value < small.high
    # The interval of a mean is about 2 * 1.96 / sqrt(n) wide.
    assert small.high - small.low == pytest.approx(2 * 1.96 / np.sqrt(30), rel=0.3)
    assert large.high - large.low == pytest.approx(2 * 1.96 / np.sqrt(3000), rel=0.1)
    assert bootstrap_mean([0.5] * 9, seed=1) == bootstrap_mean([0.5] * 9, seed=2)


def test_a_median_is_no_mean() -> None:
    assert median([1.0, 2.0, 300.0], seed=0).value == 2.0


def test_questions_are_compared_in_pairs() -> None:
    rng = np.random.default_rng(3)
    hard = rng.uniform(size=200)  # how hard a question is says most about its value
    ours = list(hard + 0.02 + rng.normal(scale=0.02, size=200))
    paired = paired_difference(ours, list(hard), seed=0)
    assert paired.value == pytest.approx(0.02, abs=0.005)
    assert 0 < paired.low < paired.value < paired.high
    alone = bootstrap_mean(ours, seed=0)
    assert paired.high - paired.low < 0.2 * (alone.high - alone.low)
    turned = paired_difference(list(hard), ours, seed=0)
    assert turned.value == pytest.approx(-paired.value)
    with pytest.raises(ValueError, match="argument 2"):
        paired_difference([1.0], [1.0, 2.0], seed=0)


def test_every_set_counts_the_same() -> None:
    metric = mean_of_sets([[0.0] * 90, [1.0] * 10], seed=0)
    assert (metric.value, metric.low, metric.high, metric.n) == (0.5, 0.5, 0.5, 100)


def test_questions_are_drawn_within_their_sets() -> None:
    rng = np.random.default_rng(5)
    sets = [list(rng.normal(loc=place, size=100)) for place in (0.0, 50.0)]
    metric = mean_of_sets(sets, seed=0)
    # Were sets drawn too, the interval would span their distance.
    assert metric.high - metric.low == pytest.approx(2 * 1.96 / np.sqrt(200), rel=0.2)
