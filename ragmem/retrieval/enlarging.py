"""Match small, return large: hits grow to the sentences around them, or to their section.

It comes after ranking and changes no score. How small the chunks are is the chunker's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragmem.chunking.sentences import sentence_spans
from ragmem.errors import UnknownDocument, UsageError
from ragmem.retrieval.readers import NeighbourReader
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import Hit, Scope, StoredChunk

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlarger:
    """Enlarges hits; thread-safe where its reader is.

    Attributes:
        documents: reads what stands around a chunk.
        to: `section` is all that stands under the innermost heading above the chunk, or as many
            whole chunks of it as the limit allows, evenly on both sides; `sentences` is a few
            sentences of that.
        sentences: how many before and how many after.
        characters: the longest that a hit grows.
    """

    documents: NeighbourReader
    to: Literal["sentences", "section"]
    sentences: int = 3
    characters: int = 2000

    def __post_init__(self) -> None:
        """Refuse what cannot be followed.

        Raises:
            UsageError: a count below 1.
        """
        for name in ("sentences", "characters"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least 1")

    def enlarge(
        self, hits: Sequence[Hit], *, wanted: int, scope: Scope, trace: TraceBuilder
    ) -> list[Hit]:
        """Enlarge hits, best first; one that lies in a better one's enlarged text joins it.

        Args:
            hits: best first.
            wanted: the most hits to return.
            scope: who is asking.
            trace: gets a stage `enlarged`.

        Returns:
            Hits with the text that `matched` names in it, none of them in text that a better one
            grew into.
        """
        shown: dict[str, Hit] = {}
        joined: dict[str, str] = {}
        with trace.stage("enlarged") as stage:
            for hit in hits:
                around = next((each for each in shown.values() if _holds(each, hit)), None)
                span = hit.start, hit.end
                if around is not None:
                    matched = {**around.matched, hit.chunk_id: span}
                    shown[around.chunk_id] = replace(around, matched=matched)
                    joined[hit.chunk_id] = around.chunk_id
                elif len(shown) < wanted:
                    grown = self._grown(hit, _room(hit, shown), scope)
                    shown[hit.chunk_id] = replace(grown, matched={hit.chunk_id: span})
            stage.scores = {hit.chunk_id: hit.score for hit in shown.values()}
            stage.details |= {
                "to": self.to,
                "spans": {hit.chunk_id: (hit.start, hit.end) for hit in shown.values()},
                "joined": joined,
            }
        return list(shown.values())

    def _grown(self, hit: Hit, room: Span, scope: Scope) -> Hit:
        """The hit with more text; as it is where its document has changed meanwhile."""
        uri = hit.document_uri
        near = self.documents.neighbours(hit.chunk_id, characters=self.characters, scope=scope)
        start, end = self._section(hit, near, room)
        if (start, end) == (hit.start, hit.end):
            return hit
        try:
            text = self.documents.read_span(uri, start, end, scope=scope)
            if self.to == "sentences":
                first, last = self._window(text, hit.start - start, hit.end - start)
                text, start, end = text[first:last], start + first, start + last
            page = hit.page
            if page is not None and start < hit.start:
                page = self.documents.page_at(uri, start, scope=scope)
        except UnknownDocument:
            return hit
        if text[hit.start - start : hit.end - start] != hit.text:
            return hit
        return replace(hit, text=text, start=start, end=end, page=page)

    def _section(self, hit: Hit, near: Sequence[StoredChunk], room: Span) -> Span:
        """The hit's section, or as much of it as the limit and the room allow."""
        places = [each.id for each in near]
        if hit.chunk_id not in places:
            return hit.start, hit.end
        at = places.index(hit.chunk_id)
        sides = {
            "before": _of_section(reversed(near[:at]), hit),
            "after": _of_section(near[at + 1 :], hit),
        }
        start, end = hit.start, hit.end
        while sides:
            lesser = "before" if hit.start - start <= end - hit.end else "after"
            side = lesser if lesser in sides else next(iter(sides))
            span = next(sides[side], None)
            low, high = (start, end) if span is None else (min(start, span[0]), max(end, span[1]))
            inside = room[0] <= low and high <= room[1] and high - low <= self.characters
            if span is None or not inside:
                del sides[side]
            else:
                start, end = low, high
        return start, end

    def _window(self, text: str, start: int, end: int) -> Span:
        """The span with a few sentences on both sides, in the text of its section."""
        before = sentence_spans(text[:start])[-self.sentences :]
        after = sentence_spans(text[end:])[: self.sentences]
        return before[0][0] if before else start, end + after[-1][1] if after else end


def _of_section(chunks: Iterator[StoredChunk] | Sequence[StoredChunk], hit: Hit) -> Iterator[Span]:
    """The spans of these chunks as long as they stand under the hit's heading."""
    for stored in chunks:
        if stored.chunk.heading_path[: len(hit.heading_path)] != hit.heading_path:
            return
        yield stored.chunk.start, stored.chunk.end


def _holds(shown: Hit, hit: Hit) -> bool:
    same = shown.document_uri == hit.document_uri
    return same and shown.start <= hit.start and hit.end <= shown.end


def _room(hit: Hit, shown: Mapping[str, Hit]) -> Span:
    """How far a hit may grow before it repeats what a better one shows; it may overlap itself."""
    others = [each for each in shown.values() if each.document_uri == hit.document_uri]
    ends = (min(each.end, hit.start) for each in others if each.start <= hit.start)
    starts = (max(each.start, hit.end) for each in others if each.start > hit.start)
    return max(ends, default=0), min(starts, default=2**63)
