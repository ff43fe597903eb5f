"""From ranked chunk ids to hits: what the store has, the scope sees and nothing before repeats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ragmem.retrieval.near_duplicates import ShownPassages
from ragmem.retrieval.readers import ChunkReader
from ragmem.retrieval.trace import TraceBuilder
from ragmem.types import Hit, Scope, StoredChunk


@dataclass(frozen=True, slots=True, kw_only=True)
class HitReader:
    """Reads hits from the store; `collapse` leaves out those that only repeat a better one."""

    chunks: ChunkReader
    collapse: bool

    def read(
        self,
        order: Mapping[str, float],
        components: Mapping[str, Mapping[str, float]],
        *,
        wanted: int,
        scope: Scope,
        trace: TraceBuilder,
    ) -> list[Hit]:
        """The best `wanted` hits of an order, with the components of their scores."""
        remaining = list(order)
        hits: dict[str, Hit] = {}
        shown = ShownPassages()
        unreadable: list[str] = []
        collapsed: dict[str, str] = {}
        with trace.stage("read") as stage:
            while remaining and len(hits) < wanted:
                batch = remaining[: wanted - len(hits)]
                del remaining[: len(batch)]
                stored = self.chunks.read_chunks(batch, scope=scope)
                unreadable += [chunk_id for chunk_id in batch if chunk_id not in stored]
                for chunk_id in (each for each in batch if each in stored):
                    found = stored[chunk_id]
                    before = shown.repeated_by(found) if self.collapse else None
                    if before is None:
                        shown.add(found)
                        hits[chunk_id] = _hit(found, order[chunk_id], components)
                    else:
                        collapsed[chunk_id] = before.id
                        hits[before.id] = _with_near_duplicate(hits[before.id], found.document_uri)
            stage.details |= {
                "read": len(hits),
                "unreadable": tuple(unreadable),
                "collapsed": collapsed,
            }
        return list(hits.values())


def _with_near_duplicate(hit: Hit, uri: str) -> Hit:
    if uri in hit.near_duplicates:
        return hit
    return replace(hit, near_duplicates=(*hit.near_duplicates, uri))


def _hit(stored: StoredChunk, score: float, components: Mapping[str, Mapping[str, float]]) -> Hit:
    chunk = stored.chunk
    return Hit(
        document_uri=stored.document_uri,
        document_title=stored.document_title,
        chunk_id=stored.id,
        text=chunk.text,
        start=chunk.start,
        end=chunk.end,
        score=score,
        scores={
            name: scores[stored.id] for name, scores in components.items() if stored.id in scores
        },
        heading_path=chunk.heading_path,
        page=chunk.page,
        metadata=stored.metadata,
        context=chunk.context,
        other_uris=stored.other_uris,
    )
