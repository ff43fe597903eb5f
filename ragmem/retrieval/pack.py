"""Packing hits into a token budget: overlaps merged, neighbours joined, offsets exact.

Which sentences of a passage are quoted, and the prompt around them, are the agent's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragmem.ports import TokenCounter
from ragmem.retrieval.readers import DocumentReader
from ragmem.types import Hit, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A span of a document made of one or more hits: `text == document.text[start:end]`.

    Attributes:
        page: the page its first character lies on, None without pages.
        chunk_ids: the hits it covers, best first.
        score: its best hit's.
        tokens: the length of `text`, counted by the model it is packed for.
        heading_path: the best hit's.
    """

    document_uri: str
    document_title: str
    start: int
    end: int
    text: str
    page: int | None
    chunk_ids: tuple[str, ...]
    score: float
    tokens: int
    heading_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What fits a budget.

    Attributes:
        passages: the best first, the second best last, the weakest in the middle.
        tokens: their tokens together, at most the budget.
        left_out: the chunks that did not fit, best first.
    """

    passages: tuple[Passage, ...]
    tokens: int
    left_out: tuple[str, ...]


def pack(
    hits: Sequence[Hit],
    *,
    budget_tokens: int,
    counter: TokenCounter,
    documents: DocumentReader,
    scope: Scope,
    join_characters: int = 8,
) -> Packed:
    """Turn hits, best first, into passages that fit a budget.

    A hit that overlaps a passage of its document, or lies at most `join_characters` from it (the
    white space that chunking leaves between neighbours), becomes part of it. A hit that does not
    fit is left out and the next ones are still tried. The order follows Liu et al., "Lost in the
    Middle" (TACL 2024): models read the two ends of their context best.

    Args:
        hits: best first.
        budget_tokens: the most tokens all passages may have together.
        counter: counts as the reading model does.
        documents: reads the text between joined neighbours.
        scope: who is asking.
        join_characters: the widest gap that is bridged.
    """
    passages: list[Passage] = []
    left_out: list[str] = []
    spent = 0
    for hit in hits:
        near = [passage for passage in passages if _near(passage, hit, join_characters)]
        merged = _merge(hit, near, documents, scope)
        if merged.tokens == 0:
            merged = replace(merged, tokens=counter.count_tokens([merged.text])[0])
        grown = spent + merged.tokens - sum(passage.tokens for passage in near)
        if grown > budget_tokens:
            left_out.append(hit.chunk_id)
            continue
        at = passages.index(near[0]) if near else len(passages)
        passages = [passage for passage in passages if passage not in near]
        passages.insert(at, merged)
        spent = grown
    best_first = sorted(passages, key=lambda passage: -passage.score)
    return Packed(passages=ends_first(best_first), tokens=spent, left_out=tuple(left_out))


def ends_first(best_first: Sequence[Passage]) -> tuple[Passage, ...]:
    """Put the best first, the second best last, the third second, and so on inwards."""
    return (*best_first[::2], *reversed(best_first[1::2]))


def _near(passage: Passage, hit: Hit, join_characters: int) -> bool:
    return (
        passage.document_uri == hit.document_uri
        and hit.start <= passage.end + join_characters
        and passage.start <= hit.end + join_characters
    )


def _merge(hit: Hit, near: Sequence[Passage], documents: DocumentReader, scope: Scope) -> Passage:
    """One passage over the hit and the passages near it; tokens 0 where they must be counted."""
    start = min([hit.start, *(passage.start for passage in near)])
    end = max([hit.end, *(passage.end for passage in near)])
    for passage in near:
        if (passage.start, passage.end) == (start, end):
            return replace(passage, chunk_ids=(*passage.chunk_ids, hit.chunk_id))
    if (hit.start, hit.end) == (start, end):
        text, page = hit.text, hit.page
    else:
        text = documents.read_span(hit.document_uri, start, end, scope=scope)
        page = min([(hit.start, hit.page), *((each.start, each.page) for each in near)])[1]
    return Passage(
        document_uri=hit.document_uri,
        document_title=hit.document_title,
        start=start,
        end=end,
        text=text,
        page=page,
        chunk_ids=(*(each for passage in near for each in passage.chunk_ids), hit.chunk_id),
        score=max([hit.score, *(passage.score for passage in near)]),
        tokens=0,
        heading_path=near[0].heading_path if near else hit.heading_path,
    )
