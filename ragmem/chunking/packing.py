"""Which units share a chunk.

`edges` says where a chunk always ends; what lies between is packed in order, each chunk ending at
the best boundary within its budget.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from ragmem.chunking.edges import WIDE_GAP_CHARACTERS, hard_edges, local_maxima, openings
from ragmem.chunking.units import BLOCK, GLUE, PAGE, SENTENCE, Section, Unit

_TINY_SHARE = 0.25
_SHORT_SHARE = 0.5
_FITS_BONUS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The units of one chunk.

    Attributes:
        first: the first unit, overlap included.
        core: the first unit that is not overlap.
        stop: the unit after the last.
    """

    first: int
    core: int
    stop: int


class Packer:
    """Packs the units of one document."""

    def __init__(
        self,
        units: Sequence[Unit],
        sections: Sequence[Section],
        *,
        hashes: Sequence[int],
        context_tokens: Sequence[int],
        chunk_tokens: int,
        overlap_tokens: int,
    ) -> None:
        """Prepare.

        Args:
            units: all units, in order.
            sections: the sections that the units refer to.
            hashes: for each unit what `boundary_hash` says of its start.
            context_tokens: for each unit the length of the context of a chunk that begins with it.
            chunk_tokens: the most tokens of a chunk, context included.
            overlap_tokens: the most tokens a chunk repeats of the one before.
        """
        self._units = units
        self._context = context_tokens
        self._budget = chunk_tokens
        self._overlap = overlap_tokens
        self._tiny = int(chunk_tokens * _TINY_SHARE)
        self._sums = [0, *accumulate(unit.weight for unit in units)]
        self._openings = openings(units, sections, self._sums)
        self._scores = [(unit.rank, key) for unit, key in zip(units, hashes, strict=True)]
        for opening in self._openings:
            if opening.inside >= self._tiny:
                # Between two headings a chunk rather ends before the one with more below it.
                rank, key = self._scores[opening.unit]
                self._scores[opening.unit] = rank + 1, key

    def groups(self, *, also: Collection[int] = ()) -> list[Group]:
        """Pack everything, in order; chunks end before the units `also` names, too."""
        if not self._units:
            return []
        hard = hard_edges(self._units, self._sums, self._openings, tiny=self._tiny)
        edges = sorted({0, *hard, *also, len(self._units)})
        anchored = sorted({*edges, *(a for run in pairwise(edges) for a in self._anchors(*run))})
        groups: list[Group] = []
        for start, stop in pairwise(anchored):
            last = groups[-1].core if groups else start
            groups += self.pack(start, stop, budget=self._budget, last=last)
        return groups

    def pack(self, start: int, stop: int, *, budget: int, last: int) -> list[Group]:
        """Pack the units from `start` to `stop` into chunks of at most `budget` tokens.

        Args:
            start: the first unit.
            stop: the unit after the last.
            budget: the most tokens of a chunk, context included.
            last: the first unit of the chunk before, which overlap does not reach.
        """
        groups: list[Group] = []
        core = start
        while core < stop:
            first = self._overlap_start(last, core)
            if self._size(core, core, stop) <= budget:
                if self._size(first, core, stop) > budget:
                    first = core
                end = stop
            else:
                end = self._best_end(first, core, stop, budget)
            groups.append(Group(first=first, core=core, stop=end))
            last, core = core, end
        return groups

    def _anchors(self, start: int, stop: int) -> list[int]:
        """The anchors between two edges, unless two chunks hold everything between them."""
        if self._size(start, start, stop) <= 2 * self._budget:
            return []
        found = local_maxima(self._scores, self._sums, start, stop, reach=self._budget)
        margin = self._budget * _SHORT_SHARE
        return [
            index
            for index in found
            if self._units[index].rank > GLUE
            and min(self._sums[index] - self._sums[start], self._sums[stop] - self._sums[index])
            >= margin
        ]

    def size(self, group: Group) -> int:
        """A group's length as the packing reckons it."""
        return self._size(group.first, group.core, group.stop)

    def _size(self, first: int, core: int, stop: int) -> int:
        return self._context[core] + self._sums[stop] - self._sums[first]

    def _overlap_start(self, last: int, core: int) -> int:
        """The first of the whole sentences before a chunk that it repeats."""
        units, best, at = self._units, core, core
        if units[core].kind != "prose" or not SENTENCE <= units[core].rank <= BLOCK:
            return core
        while (
            at - 1 > last
            and units[at - 1].kind == "prose"
            and units[at - 1].section == units[core].section
            and units[at].rank < PAGE
            and units[at].start - units[at - 1].end <= WIDE_GAP_CHARACTERS
            and self._sums[core] - self._sums[at - 1] <= self._overlap
        ):
            at -= 1
            if units[at].rank >= SENTENCE or units[at].rank == GLUE:
                best = at
        return best

    def _best_end(self, first: int, core: int, stop: int, budget: int) -> int:
        """Where a chunk that begins at `core` ends best, something being left after it."""
        if self._size(first, core, core + 1) > budget:
            return core + 1
        units, sums = self._units, self._sums
        short = int((budget - self._context[core]) * _SHORT_SHARE)
        best: tuple[int, int] | None = None
        choice = fallback = core + 1
        fallback_glued = True
        end = core + 1
        while end < stop and self._size(first, core, end) <= budget:
            rank = units[end].rank
            length, rest = sums[end] - sums[core], sums[stop] - sums[end]
            enough = self._tiny if rank >= PAGE else short
            if rank > GLUE and rest >= self._tiny and length >= enough:
                fits = _FITS_BONUS if self._context[end] + rest <= budget else 0
                score = self._scores[end][0] + fits, self._scores[end][1]
                if best is None or score > best:
                    best, choice = score, end
            if rank > GLUE or fallback_glued:
                fallback, fallback_glued = end, rank <= GLUE
            end += 1
        return choice if best is not None else fallback
