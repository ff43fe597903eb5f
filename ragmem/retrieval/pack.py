"""Packing hits into a token budget: repetitions left out, neighbours joined, offsets exact.

Which sentences of a passage are quoted, and the prompt around them, are the agent's business.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ragmem.chunking.sentences import sentence_spans
from ragmem.errors import UnknownDocument
from ragmem.ports import TokenCounter
from ragmem.retrieval.near_duplicates import Saying
from ragmem.retrieval.readers import DocumentReader
from ragmem.retrieval.terms import content_words, words
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
    """What fits a budget: each chunk given is in a passage, left out or repeated.

    Attributes:
        passages: the best first, the second best last, the weakest in the middle.
        tokens: their tokens together, at most the budget.
        left_out: the chunks that did not fit, or whose document is gone, best first.
        repeated: the chunks left out for only repeating a passage, with its first chunk.
        cut: the chunk that is packed without its end, where the best one did not fit whole.
    """

    passages: tuple[Passage, ...]
    tokens: int
    left_out: tuple[str, ...]
    repeated: Mapping[str, str] = field(default_factory=dict)
    cut: str | None = None


def pack(
    hits: Sequence[Hit],
    *,
    budget_tokens: int,
    counter: TokenCounter,
    documents: DocumentReader,
    scope: Scope,
    question: str = "",
    join_characters: int = 8,
) -> Packed:
    """Turn hits, best first, into passages that fit a budget.

    A hit that overlaps a passage of its document, or lies at most `join_characters` from it (the
    white space that chunking leaves between neighbours), becomes part of it. A hit that says
    nearly the same as a passage, in whatever document, is left out, unless only its title or its
    headings have a word of the question: what it says is said of something else then. A hit that
    does not fit is left out and the next ones are still tried; the best is cut at the last end of
    a sentence that fits. The order follows Liu et al., "Lost in the Middle" (TACL 2024): models
    read the two ends of their context best.

    Args:
        hits: best first.
        budget_tokens: the most tokens all passages may have together.
        counter: counts as the reading model does.
        documents: reads the text between joined neighbours.
        scope: who is asking.
        question: what the passages are to answer.
        join_characters: the widest gap that is bridged.
    """
    passages: list[Passage] = []
    left_out: list[str] = []
    repeated: dict[str, str] = {}
    cut = None
    spent = 0
    repetitions = _Repetitions(question)
    for hit in hits:
        near = [passage for passage in passages if _near(passage, hit, join_characters)]
        try:
            merged = _merge(hit, near, documents, scope)
        except UnknownDocument:
            left_out.append(hit.chunk_id)
            continue
        others = [passage for passage in passages if passage not in near]
        if (shown := repetitions.find(merged, near, others)) is not None:
            repeated[hit.chunk_id] = shown.chunk_ids[0]
            continue
        if merged.tokens == 0:
            merged = replace(merged, tokens=counter.count_tokens([merged.text])[0])
        if not passages and merged.tokens > budget_tokens:
            merged = _cut(merged, budget_tokens, counter)
            cut = hit.chunk_id if merged.tokens <= budget_tokens else None
        grown = spent + merged.tokens - sum(passage.tokens for passage in near)
        if grown > budget_tokens:
            left_out.append(hit.chunk_id)
            continue
        at = passages.index(near[0]) if near else len(passages)
        passages = [*others[:at], merged, *others[at:]]
        spent = grown
    best_first = sorted(passages, key=lambda passage: -passage.score)
    return Packed(
        passages=ends_first(best_first),
        tokens=spent,
        left_out=tuple(left_out),
        repeated=repeated,
        cut=cut,
    )


def ends_first(best_first: Sequence[Passage]) -> tuple[Passage, ...]:
    """Put the best first, the second best last, the third second, and so on inwards."""
    return (*best_first[::2], *reversed(best_first[1::2]))


class _Repetitions:
    """Finds passages that say the same; each text is taken apart once."""

    def __init__(self, question: str) -> None:
        self._asked = frozenset(content_words(question))
        self._sayings: dict[str, Saying] = {}

    def find(
        self, merged: Passage, near: Sequence[Passage], others: Sequence[Passage]
    ) -> Passage | None:
        """The passage that makes what `merged` adds to those near it a repetition."""
        if any((each.start, each.end) == (merged.start, merged.end) for each in near):
            return None
        for other in others:
            if self._repeats(merged, other) or (near and self._repeats(other, merged)):
                return other
        return None

    def _repeats(self, passage: Passage, shown: Passage) -> bool:
        if passage.text != shown.text and not self._said(passage).is_in(self._said(shown)):
            return False
        return self._named(passage) <= self._named(shown)

    def _said(self, passage: Passage) -> Saying:
        if passage.text not in self._sayings:
            self._sayings[passage.text] = Saying.of(passage.text)
        return self._sayings[passage.text]

    def _named(self, passage: Passage) -> frozenset[str]:
        """The words of the question in a passage's title and headings."""
        above = words(" ".join((passage.document_title, *passage.heading_path)))
        return self._asked.intersection(above)


def _cut(passage: Passage, budget_tokens: int, counter: TokenCounter) -> Passage:
    """The passage up to the last end of a sentence that fits; as it is where none does."""
    ends = [end for _, end in sentence_spans(passage.text)]

    def tokens_until(end: int) -> int:
        return counter.count_tokens([passage.text[:end]])[0]

    fitting = bisect_right(ends, budget_tokens, key=tokens_until)
    if fitting == 0:
        return passage
    text = passage.text[: ends[fitting - 1]]
    tokens = tokens_until(len(text))
    return replace(passage, end=passage.start + len(text), text=text, tokens=tokens)


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
        pages = {hit.start: hit.page} | {each.start: each.page for each in near}
        page = pages[start]
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
