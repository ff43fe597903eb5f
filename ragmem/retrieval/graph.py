"""Candidates that the best ones lead to: passages about what those mention.

The question `who directed the film that was shot in Tarvo` finds the passage on Tarvo; that
mentions a film, and the passage with the film's title answers. Passages are linked by the names
they hold (`ragmem.store.names`); how mass walks along the links is in `graph_walk`. No model is
asked, at ingest or here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from ragmem.chunking.names import everyday, names_in, outermost, phrases_in, title_names
from ragmem.filters import Filter
from ragmem.indexes.ranking import cosines_to
from ragmem.ports import DenseIndex
from ragmem.query import FirstLook, Proposal
from ragmem.retrieval.graph_walk import DAMPING, Link, shares, specificity, walk
from ragmem.retrieval.readers import ChunkReader
from ragmem.store.names import MOST_MENTIONS, Holders
from ragmem.types import Scope, StoredChunk

_FOUND_SEEDS = 5
_MOST_SEEDS = 10
_SHARPNESS = 8.0
"""A found passage starts with its score's share of the best one's, to this power."""
_NAMED = 2.0
"""What a passage starts with whose title the question names."""
_SHARED = 0.4
"""A name that two passages only share links them so much weaker than a title does."""
_ALONE = 0.25
"""Where no title is linked at all, links by shared names weigh so much of that: fusion stretches
the highest score to 1, whatever it rests on."""
_TEMPERATURE = 0.1
_LEAST = 1e-3


class NameReader(ChunkReader, Protocol):
    """Reads chunks and which of them hold which names."""

    def titles_among(self, names: Collection[str], *, scope: Scope) -> set[str]:
        """Those of these names that are a title of a chunk that the scope sees."""
        ...

    def holders(
        self, names: Collection[str], *, scope: Scope, where: Filter | None
    ) -> Mapping[str, Holders]:
        """By name, the chunks that hold it, the scope sees and the filter admits."""
        ...


class GraphSource:
    """Walks from the best passages, and from those the question names, to what they mention."""

    def __init__(self, *, names: NameReader, dense: DenseIndex) -> None:
        """Take what the walk reads.

        Args:
            names: the store.
            dense: its vectors tell which of several passages under one title is meant.
        """
        self._names = names
        self._dense = dense

    @property
    def name(self) -> str:
        """What the trace calls it."""
        return "graph"

    def propose(self, look: FirstLook, *, k: int) -> Proposal:
        """The passages that the walk reaches, at most `k`; none where nothing is linked."""
        graph = _Graph(self._names, self._dense, look)
        seeds = graph.seeds()
        links = graph.links(seeds)
        found = walk(seeds, links)
        kept = sorted(found.scores, key=lambda each: (-found.scores[each], each))[:k]
        scores = {each: found.scores[each] for each in kept if found.scores[each] >= _LEAST}
        return Proposal(
            scores=scores if links or graph.named else {},
            floor=0.0,
            details={
                "damping": DAMPING,
                "seeds": seeds,
                "sharpness": _SHARPNESS,
                "named": graph.named,
                "links": {
                    target: (link.source, link.name, link.weight, found.spread[link.source])
                    for target, link in found.links.items()
                    if target in scores
                },
            },
        )


class _Graph:
    """The part of the graph around one question; `named` holds titles in it by chunk id."""

    def __init__(self, names: NameReader, dense: DenseIndex, look: FirstLook) -> None:
        self._names = names
        self._dense = dense
        self._look = look
        self._similarities: dict[str, float] = {}
        self._by_title = False
        self.named: dict[str, str] = {}

    def seeds(self) -> dict[str, float]:
        """Where the walk starts: the best passages found and those with a title in the question."""
        fused = self._look.scores["fused"]
        best = max(fused.values(), default=0.0)
        seeds: dict[str, float] = {}
        if best > 0.0:
            for chunk_id in list(fused)[:_FOUND_SEEDS]:
                seeds[chunk_id] = max(0.0, fused[chunk_id] / best) ** _SHARPNESS
        question = self._look.query.question
        standing = names_in(question)
        titles = self._titles(phrases_in(question) | standing)
        for name, holders in self._holders(_spoken_of(titles, standing)).items():
            told = _NAMED * specificity(holders.mentions, most=MOST_MENTIONS)
            for chunk_id, share in self._shares(holders.titled).items():
                if told * share > seeds.get(chunk_id, 0.0):
                    seeds[chunk_id] = told * share
                    self.named[chunk_id] = name
        strongest = sorted(seeds, key=lambda each: (-seeds[each], each))[:_MOST_SEEDS]
        return {each: seeds[each] for each in strongest if seeds[each] >= _LEAST}

    def links(self, seeds: Mapping[str, float]) -> list[Link]:
        """What the seeds lead to."""
        stored = self._names.read_chunks(list(seeds), scope=self._look.scope)
        own = {key: title_names(each.document_title) for key, each in stored.items()}
        phrases = {key: phrases_in(each.chunk.text) for key, each in stored.items()}
        titles = self._titles({phrase for found in phrases.values() for phrase in found})
        held = {
            key: _spoken_of(
                own[key] | (phrases[key] & titles), names_in(each.chunk.text) | own[key]
            )
            for key, each in stored.items()
        }
        named = {name for names in held.values() for name in names}
        texts = [each.chunk.text for each in stored.values()]
        holders = self._holders(named - everyday(named, texts))
        links = [
            link
            for key, each in stored.items()
            for name in sorted(held[key] & holders.keys())
            for link in self._from(each, name, holders[name], own=name in own[key])
        ]
        if self._by_title or self.named:
            return links
        return [replace(link, weight=link.weight * _ALONE) for link in links]

    def _from(self, source: StoredChunk, name: str, holders: Holders, *, own: bool) -> list[Link]:
        """The links of a passage by one name.

        A passage with the name as its title speaks for it; without one, those that mention it do.
        """
        elsewhere = _elsewhere(holders.titled, source.document_id)
        weight = 1.0 if elsewhere and not own else _SHARED
        self._by_title = self._by_title or weight == 1.0
        if not elsewhere:
            elsewhere = _elsewhere(holders.mentioning, source.document_id)
        weight *= specificity(holders.mentions, most=MOST_MENTIONS)
        return [
            Link(source=source.id, target=target, name=name, weight=weight * share)
            for target, share in self._shares(elsewhere).items()
            if weight * share >= _LEAST
        ]

    def _titles(self, names: Collection[str]) -> set[str]:
        return self._names.titles_among(names, scope=self._look.scope)

    def _holders(self, names: Collection[str]) -> Mapping[str, Holders]:
        holders = self._names.holders(names, scope=self._look.scope, where=self._look.query.where)
        every = {key for each in holders.values() for key in (*each.titled, *each.mentioning)}
        missing = sorted(every - self._similarities.keys())
        if missing:
            self._similarities |= cosines_to(self._look.vector, self._dense.vectors(missing))
        return holders

    def _shares(self, chunk_ids: Collection[str]) -> dict[str, float]:
        known = {key: self._similarities[key] for key in chunk_ids if key in self._similarities}
        return shares(known, temperature=_TEMPERATURE)


def _spoken_of(titles: Collection[str], standing: Collection[str]) -> frozenset[str]:
    """The names a text speaks of: those standing by themselves, and titles not within others.

    A text on New York City does not speak of York.
    """
    return outermost(titles) | frozenset(standing)


def _elsewhere(holding: Mapping[str, str], document_id: str) -> list[str]:
    return [key for key, owner in holding.items() if owner != document_id]
