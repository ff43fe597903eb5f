"""The default chunker: packs headings, sentences, tables and code into a token budget.

The stages live beside it: `blocks` finds the structure, `units` and `cutting` make and weigh
pieces, `contexts` says what stands before a chunk, `edges` and `packing` decide which pieces share
one. Here they are put together and every chunk is counted once more as it will be embedded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragmem.chunking.blocks import document_blocks
from ragmem.chunking.contexts import Contexts
from ragmem.chunking.cutting import safe_cut, weigh
from ragmem.chunking.packing import Group, Packer
from ragmem.chunking.units import (
    Section,
    Unit,
    boundary_hash,
    draft_units,
    held_together,
    page_at,
)
from ragmem.errors import UsageError
from ragmem.ports import TokenCounter
from ragmem.types import Chunk, ParsedDocument

_VERSION = 2
_MIN_CHUNK_TOKENS = 16


class StructureChunker:
    """Cuts documents along their structure; implements `ragmem.ports.Chunker`.

    Deterministic, linear in the text's length, and local: an edit changes only the chunks near it.
    """

    def __init__(
        self,
        tokens: TokenCounter,
        *,
        chunk_tokens: int = 254,
        overlap_tokens: int = 32,
        tokens_name: str = "",
    ) -> None:
        """Choose the sizes.

        Args:
            tokens: counts as the embedder does.
            chunk_tokens: the most tokens of a chunk together with its context. The default is what
                an embedder with a window of 256 reads between its two special tokens.
            overlap_tokens: the most tokens that a chunk repeats of the one before it, in whole
                sentences and only within one section and page; 0 for none.
            tokens_name: names the tokenizer in the fingerprint, such as the embedder's `model_id`.

        Raises:
            UsageError: a size makes no sense.
        """
        if chunk_tokens < _MIN_CHUNK_TOKENS:
            raise UsageError(
                f"chunk_tokens is {chunk_tokens}, expected at least {_MIN_CHUNK_TOKENS}"
            )
        if not 0 <= overlap_tokens <= chunk_tokens // 4:
            raise UsageError(
                f"overlap_tokens is {overlap_tokens}, expected 0 to {chunk_tokens // 4}, "
                f"a quarter of chunk_tokens"
            )
        self._tokens = tokens
        self._chunk_tokens = chunk_tokens
        self._overlap_tokens = overlap_tokens
        self._tokens_name = tokens_name

    @property
    def fingerprint(self) -> str:
        """Names the algorithm's version and every setting."""
        return (
            f"structure/{_VERSION}?chunk_tokens={self._chunk_tokens}"
            f"&overlap_tokens={self._overlap_tokens}&tokens={self._tokens_name}"
        )

    def chunk(self, document: ParsedDocument) -> list[Chunk]:
        """Cut a document.

        Args:
            document: any parsed document.

        Returns:
            Chunks in order that together hold every character that is not white space, none of
            them longer than `chunk_tokens` with its context.
        """
        text, budget = document.text, self._chunk_tokens
        drafts, sections = draft_units(document, document_blocks(document))
        contexts = Contexts(
            text,
            document.title,
            sections,
            {unit.header for unit in drafts if unit.header is not None},
            count=self._tokens.count_tokens,
            chunk_tokens=budget,
        )

        def limit(unit: Unit) -> int:
            return budget - contexts.tokens(unit)

        units = weigh(text, drafts, count=self._tokens.count_tokens, limit=limit)
        units = held_together(units, limit=limit)
        packer = Packer(
            units,
            sections,
            hashes=[boundary_hash(text, unit) for unit in units],
            context_tokens=[contexts.tokens(unit) for unit in units],
            chunk_tokens=budget,
            overlap_tokens=self._overlap_tokens,
        )
        renderer = _Renderer(document, units, sections, contexts)
        pieces = [renderer.piece(group) for group in packer.groups()]
        return self._verified(pieces, packer, renderer)

    def _verified(self, pieces: list[_Piece], packer: Packer, renderer: _Renderer) -> list[Chunk]:
        """Count the chunks as they will be embedded; cut those again that turn out too long."""
        counts = self._counts([piece.chunk.embedded_text for piece in pieces])
        while any(tokens > self._chunk_tokens for tokens in counts):
            repaired = [
                [piece]
                if tokens <= self._chunk_tokens
                else renderer.smaller(piece, packer, excess=tokens - self._chunk_tokens)
                for piece, tokens in zip(pieces, counts, strict=True)
            ]
            pieces = [piece for group in repaired for piece in group]
            counts = self._counts([piece.chunk.embedded_text for piece in pieces])
        bare = [index for index, piece in enumerate(pieces) if piece.chunk.context]
        own = self._counts([pieces[index].chunk.text for index in bare])
        for index, tokens in zip(bare, own, strict=True):
            counts[index] = tokens
        return [
            replace(piece.chunk, tokens=tokens)
            for piece, tokens in zip(pieces, counts, strict=True)
        ]

    def _counts(self, texts: Sequence[str]) -> list[int]:
        return self._tokens.count_tokens(texts) if texts else []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A chunk not counted yet and the units it came from."""

    group: Group
    chunk: Chunk


class _Renderer:
    """Turns groups of units into chunks."""

    def __init__(
        self,
        document: ParsedDocument,
        units: Sequence[Unit],
        sections: Sequence[Section],
        contexts: Contexts,
    ) -> None:
        self._text = document.text
        self._page_starts = [page.start for page in document.pages]
        self._page_numbers = [page.number for page in document.pages]
        self._units = units
        self._sections = sections
        self._contexts = contexts

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
