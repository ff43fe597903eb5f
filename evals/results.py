"""What a suite prints: metrics with intervals, and everything needed to get them again."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

import numpy as np

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A mean over questions with its 95% interval.

    Attributes:
        value: the mean.
        low, high: the 2.5% and 97.5% percentiles of the mean under resampling.
        n: how many questions it is the mean of.
    """

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult:
    """One run of a suite; `by` groups the same metrics by kind of question."""

    suite: str
    metrics: Mapping[str, Metric]
    by: Mapping[str, Mapping[str, Metric]] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seconds: float

    def as_json(self) -> dict[str, object]:
        """The result as JSON's kinds of values."""
        return asdict(self)


def bootstrap_mean(values: Sequence[float], *, seed: int) -> Metric:
    """The mean of per-question values with a percentile bootstrap interval.

    Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.

    Args:
        values: one value a question; at least one.
        seed: of the resampling.
    """
    sample = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty(_RESAMPLES)
    for row in range(_RESAMPLES):
        means[row] = sample[rng.integers(0, len(sample), len(sample))].mean()
    low, high = np.percentile(means, [2.5, 97.5])
    return Metric(value=float(sample.mean()), low=float(low), high=float(high), n=len(sample))


def median(values: Sequence[float], *, seed: int) -> Metric:
    """The median of per-question values with a percentile bootstrap interval."""
    sample = np.asarray(values, dtype=np.float64)
    rng = np.random.default_rng(seed)
    medians = [
        float(np.median(sample[rng.integers(0, len(sample), len(sample))])) for _ in range(1000)
    ]
    low, high = np.percentile(medians, [2.5, 97.5])
    return Metric(value=float(np.median(sample)), low=float(low), high=float(high), n=len(sample))


def versions() -> dict[str, str]:
    """What a result depends on besides settings and data."""
    names = ("ragmem", "chromadb", "tantivy", "onnxruntime", "ir-measures", "numpy")
    found = {name: version(name) for name in names}
    return found | {"python": platform.python_version(), "machine": platform.machine()}
