"""What a suite prints: metrics with intervals, and everything needed to get them again."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version

from .intervals import Metric


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


def versions() -> dict[str, str]:
    """What a result depends on besides settings and data."""
    names = ("ragmem", "chromadb", "tantivy", "onnxruntime", "ir-measures", "numpy")
    found = {name: version(name) for name in names}
    return found | {"python": platform.python_version(), "machine": platform.machine()}
