"""One step over the graph of passages and the names they share: pure mathematics, no store.

The walk starts at seeds and follows their links. It is personalised PageRank (Haveliwala,
"Topic-Sensitive PageRank", WWW 2002; for passages and entities as in Gutiérrez et al., "From RAG to
Memory", 2025) cut off after its first step, with two changes: a passage keeps the best path that
leads to it rather than their sum, so that one path explains its score; and what a seed gives is
divided by the square root of its links' weights rather than by their sum, because the one passage
that the question goes on to is often one link of many.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DAMPING = 2 / 3
"""How much of a seed's mass walks on; the rest stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link from a seed to another passage.

    Attributes:
        name: the name that links them.
        weight: how much it says, in [0, 1].
    """

    source: str
    target: str
    name: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """Where a walk led.

    Attributes:
        scores: by chunk id.
        links: by target, the link that gave its score; those that only kept seed mass are left out.
        spread: by source, what its links' weights are divided by.
    """

    scores: Mapping[str, float]
    links: Mapping[str, Link]
    spread: Mapping[str, float]


def walk(seeds: Mapping[str, float], links: Sequence[Link]) -> Walk:
    """The mass of each passage: `max((1 - d) r(t), max over links of d r(s) w(s, t) / z(s))`.

    Here `r` is the mass at the start and `z(s) = max(1, sqrt(sum over t of w(s, t)))`; of several
    links between the same two passages the heaviest counts.

    Args:
        seeds: what each passage starts with.
        links: out of seeds.
    """
    heaviest: dict[tuple[str, str], Link] = {}
    for link in sorted(links, key=lambda each: (each.source, each.target, each.name)):
        known = heaviest.get((link.source, link.target))
        if known is None or link.weight > known.weight:
            heaviest[link.source, link.target] = link
    totals: dict[str, float] = {}
    for link in heaviest.values():
        totals[link.source] = totals.get(link.source, 0.0) + link.weight
    spread = {source: max(1.0, math.sqrt(total)) for source, total in totals.items()}
    scores = {chunk_id: (1.0 - DAMPING) * mass for chunk_id, mass in seeds.items()}
    best: dict[str, Link] = {}
    for link in heaviest.values():
        mass = DAMPING * seeds[link.source] * link.weight / spread[link.source]
        if mass > scores.get(link.target, 0.0):
            scores[link.target] = mass
            best[link.target] = link
    return Walk(scores=scores, links=best, spread=spread)


def specificity(mentions: int, *, most: int) -> float:
    """How much a name tells: 1 for one passage that mentions it, 0 for `most` and more.

    `1 - ln(n) / ln(most)`: an inverse document frequency scaled to [0, 1].
    """
    return max(0.0, 1.0 - math.log(max(1, mentions)) / math.log(most))


def shares(similarities: Mapping[str, float], *, temperature: float) -> dict[str, float]:
    """How much each of several passages under one name is meant: 1 for the most similar.

    `exp((s - best) / temperature)` of the similarities to the question.
    """
    best = max(similarities.values(), default=0.0)
    return {key: math.exp((value - best) / temperature) for key, value in similarities.items()}
