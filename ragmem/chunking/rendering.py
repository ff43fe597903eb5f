"""From groups of units to chunks, each counted once more as it will be embedded.

Which units share a group is decided before; here a group is only cut again where its chunk turns
out longer than allowed, whatever the tokenizer does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ragmem.chunking.cutting import safe_cut
from ragmem.chunking.drafting import Draft
from ragmem.chunking.packing import Group, Packer
from ragmem.chunking.units import page_at
from ragmem.errors import UsageError
from ragmem.types import Chunk


def rendered(
    draft: Draft,
    groups: Sequence[Group],
    packer: Packer,
    *,
    count: Callable[[Sequence[str]], list[int]],
) -> list[Chunk]:
    """The chunks of a document.

    Args:
        draft: the document's units.
        groups: of units, in order.
        packer: made the groups, and cuts those again whose chunk is too long.
        count: counts the tokens of many texts.

    Returns:
        Chunks in order, none longer than the draft's `chunk_tokens` with its context.
    """
    renderer = _Renderer(draft)
    pieces = [renderer.piece(group) for group in groups]
    counts = _counts(count, [piece.chunk.embedded_text for piece in pieces])
    while any(tokens > draft.chunk_tokens for tokens in counts):
        repaired = [
            [piece]
            if tokens <= draft.chunk_tokens
            else renderer.smaller(piece, packer, excess=tokens - draft.chunk_tokens)
            for piece, tokens in zip(pieces, counts, strict=True)
        ]
        pieces = [piece for group in repaired for piece in group]
        counts = _counts(count, [piece.chunk.embedded_text for piece in pieces])
    with_context = [index for index, piece in enumerate(pieces) if piece.chunk.context]
    own = _counts(count, [pieces[index].chunk.text for index in with_context])
    for index, tokens in zip(with_context, own, strict=True):
        counts[index] = tokens
    return [
        replace(piece.chunk, tokens=tokens) for piece, tokens in zip(pieces, counts, strict=True)
    ]


def _counts(count: Callable[[Sequence[str]], list[int]], texts: Sequence[str]) -> list[int]:
    return count(texts) if texts else []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A chunk not counted yet and the units it came from."""

    group: Group
    chunk: Chunk


class _Renderer:
    """Turns groups of units into chunks."""

    def __init__(self, draft: Draft) -> None:
        self._text = draft.document.text
        self._page_starts = [page.start for page in draft.document.pages]
        self._page_numbers = [page.number for page in draft.document.pages]
        self._units = draft.units
        self._sections = draft.sections
        self._contexts = draft.contexts

    def piece(self, group: Group) -> _Piece:
        """The chunk of a group."""
        unit = self._units[group.core]
        start, end = self._units[group.first].start, self._units[group.stop - 1].end
        first_line = self._text[start : min(end, start + 400)].split("\n", 1)[0]
        context = self._contexts.text(unit, first_line)
        return _Piece(group=group, chunk=self._chunk(start, end, self._path(group), context))

    def smaller(self, piece: _Piece, packer: Packer, *, excess: int) -> list[_Piece]:
        """What a chunk that is too long becomes: something shorter, whatever the tokenizer does."""
        group, chunk = piece.group, piece.chunk
        if group.first < group.core:
            return [self.piece(replace(group, first=group.core))]
        if group.stop - group.core > 1:
            budget = packer.size(group) - excess
            parts = packer.pack(group.core, group.stop, budget=budget, last=group.core)
            return [self.piece(replace(part, first=part.core)) for part in parts]
        if chunk.context:
            return [replace(piece, chunk=replace(chunk, context=""))]
        if chunk.end - chunk.start == 1:
            raise UsageError(
                f"the character at {chunk.start} alone has {excess} tokens more than chunk_tokens; "
                "raise chunk_tokens"
            )
        middle = safe_cut(self._text, chunk.start, (chunk.start + chunk.end) // 2, chunk.end)
        return [
            replace(piece, chunk=self._chunk(start, end, chunk.heading_path, ""))
            for start, end in ((chunk.start, middle), (middle, chunk.end))
            if self._text[start:end].strip()
        ]

    def _chunk(self, start: int, end: int, path: tuple[str, ...], context: str) -> Chunk:
        return Chunk(
            start=start,
            end=end,
            text=self._text[start:end],
            heading_path=path,
            page=page_at(self._page_starts, self._page_numbers, start),
            context=context,
        )

    def _path(self, group: Group) -> tuple[str, ...]:
        """The headings above a group, its own first heading among them if it rules all of it.

        A group that begins in the middle of a section keeps that section's path: what follows
        another heading shows it in the text.
        """
        first = self._units[group.core]
        section = self._sections[first.section]
        if not first.opens:
            return section.path
        inside = {
            unit.section for unit in self._units[group.core : group.stop] if unit.kind != "heading"
        }
        paths = [self._sections[index].path for index in inside] or [section.path]
        shared = 0
        while all(path[shared : shared + 1] == paths[0][shared : shared + 1] for path in paths):
            if shared == len(paths[0]):
                break
            shared += 1
        return max(section.parents, paths[0][:shared], key=len)
