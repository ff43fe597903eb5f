"""Stretches of sentences: what chunkers by sentences cut, and what they leave whole.

A stretch never holds a heading below its first unit, a table, code or the beginning of a page. What
is no stretch (tables, code) is packed as the structure tells.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ragmem.chunking.edges import WIDE_GAP_CHARACTERS
from ragmem.chunking.units import GLUE, PAGE, SENTENCE, Unit

LEAST_TOKENS = 16
"""About a short sentence: what is shorter says too little to be found by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceRun:
    """Units that follow one another without a break.

    Attributes:
        sentences: the first unit of each sentence, then the unit after the last; a heading belongs
            to the sentence after it. Without prose, only where the run begins and ends.
    """

    sentences: tuple[int, ...]


def sentence_runs(units: Sequence[Unit]) -> list[SentenceRun]:
    """Divide a document into runs that no chunk of sentences crosses, in order."""
    breaks = [
        index
        for index, (one, other) in enumerate(pairwise(units), start=1)
        if _separates(one, other)
    ]
    runs = []
    for start, stop in pairwise([0, *breaks, len(units)] if units else []):
        prose = all(_is_prose(unit) for unit in units[start:stop])
        inner = (i for i in range(start + 1, stop) if prose and units[i].rank >= SENTENCE)
        runs.append(SentenceRun(sentences=(start, *inner, stop)))
    return runs


def chunk_edges(
    units: Sequence[Unit], runs: Sequence[SentenceRun], cuts: Collection[int], *, least: int
) -> list[int]:
    """Where chunks end that hold whole sentences, none of them tiny where a neighbour is near.

    Args:
        units: all units, in order.
        runs: their runs.
        cuts: the sentences, named by their first units, that a chunk may begin with.
        least: the weight below which a chunk goes on into the next of its run, or into the one
            before it where it is the last.

    Returns:
        First units of chunks, ascending; what lies between two may still be longer than a chunk.
    """
    edges: list[int] = []
    for run in runs:
        start, stop = run.sentences[0], run.sentences[-1]
        kept = [start]
        weight = 0
        for one, other in pairwise(run.sentences):
            weight += sum(unit.weight for unit in units[one:other])
            if other not in cuts or other == stop:
                continue
            if weight >= least:
                kept.append(other)
            elif len(kept) > 1 and units[other].rank > units[kept[-1]].rank:
                kept[-1] = other  # the end of a paragraph or an item stays with it
            else:
                continue
            weight = 0
        if weight < least and len(kept) > 1:
            kept.pop()
        edges += kept
    return edges


def _is_prose(unit: Unit) -> bool:
    return unit.kind in ("prose", "item", "heading")


def _separates(one: Unit, other: Unit) -> bool:
    """Whether a run ends between two units."""
    if other.start - one.end > WIDE_GAP_CHARACTERS:
        return True
    if other.rank <= GLUE:
        return False
    return _is_prose(one) != _is_prose(other) or (_is_prose(other) and other.rank >= PAGE)
