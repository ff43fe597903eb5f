"""What is searched for: a question, its other wordings, and what was learnt while searching.

Pure values between the question and the candidates; who makes them is in `ragmem.retrieval`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ragmem.filters import Filter
from ragmem.types import FloatVector, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One text that the indexes are searched with.

    Attributes:
        text: any text but an empty one.
        weight: its say beside the other wordings, above zero; the question itself has 1.
        index: which index it is for; a made-up answer, say, suits the dense one only.
    """

    text: str
    weight: float = 1.0
    index: Literal["both", "dense", "lexical"] = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question as it is searched for.

    Attributes:
        question: what was asked, unchanged; what rerankers compare with.
        wordings: what the indexes are searched with.
        where: a filter over document metadata, applied before ranking.
        notes: what was done to the question, for the trace, by the transform's name.
    """

    question: str
    wordings: tuple[Wording, ...]
    where: Filter | None = None
    notes: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLook:
    """What the indexes found, for sources that start from there.

    Attributes:
        vector: of the question itself.
        scores: by stage name (`dense`, `lexical`, `fused`), by chunk id, best first; as many as the
            settings say, however many hits are wanted.
        scope: who is asking.
    """

    query: Query
    vector: FloatVector
    scores: Mapping[str, Mapping[str, float]]
    scope: Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a source proposes.

    Attributes:
        scores: by chunk id; higher is better.
        floor: what a chunk counts that is not among them; None is the lowest of them.
        details: what explains the scores, for the trace.
    """

    scores: Mapping[str, float]
    floor: float | None = None
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranking:
    """A reranker's scores and what they are made of.

    Attributes:
        scores: one a hit, in the order given; higher is better.
        parts: one mapping a hit, its features by name as the formula takes them.
        constants: what is the same for every hit (weights, a model's name and version).
    """

    scores: tuple[float, ...]
    parts: tuple[Mapping[str, float], ...]
    constants: Mapping[str, object] = field(default_factory=dict)
