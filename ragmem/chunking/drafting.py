"""A document as units with weights, sections and contexts: what every chunker here starts from.

What becomes of the units is the chunkers' business (`structure`, `sentence_chunks`, `semantic`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ragmem.chunking.blocks import document_blocks
from ragmem.chunking.contexts import Contexts
from ragmem.chunking.cutting import weigh
from ragmem.chunking.packing import Packer
from ragmem.chunking.units import Section, Unit, boundary_hash, draft_units, held_together
from ragmem.errors import UsageError
from ragmem.types import ParsedDocument

_MIN_CHUNK_TOKENS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A document on its way to chunks.

    Attributes:
        units: in order, none longer than a chunk may be.
        sections: those that the units refer to.
        contexts: what stands before a chunk that begins with a unit.
        chunk_tokens: the most tokens of a chunk with its context.
    """

    document: ParsedDocument
    units: Sequence[Unit]
    sections: Sequence[Section]
    contexts: Contexts
    chunk_tokens: int

    def packer(self, *, overlap_tokens: int) -> Packer:
        """What packs the units into chunks."""
        return Packer(
            self.units,
            self.sections,
            hashes=[boundary_hash(self.document.text, unit) for unit in self.units],
            context_tokens=[self.contexts.tokens(unit) for unit in self.units],
            chunk_tokens=self.chunk_tokens,
            overlap_tokens=overlap_tokens,
        )


def drafted(
    document: ParsedDocument,
    *,
    count: Callable[[Sequence[str]], list[int]],
    chunk_tokens: int,
    contextual_headers: bool,
) -> Draft:
    """Find a document's units and weigh them.

    Args:
        document: any parsed document.
        count: counts the tokens of many texts.
        chunk_tokens: the most tokens of a chunk with its context.
        contextual_headers: whether title and heading path stand before a chunk's text.
    """
    drafts, sections = draft_units(document, document_blocks(document))
    contexts = Contexts(
        document.text,
        document.title,
        sections,
        {unit.header for unit in drafts if unit.header is not None},
        count=count,
        chunk_tokens=chunk_tokens,
        names=contextual_headers,
    )

    def limit(unit: Unit) -> int:
        return chunk_tokens - contexts.tokens(unit)

    units = weigh(document.text, drafts, count=count, limit=limit)
    return Draft(
        document=document,
        units=held_together(units, limit=limit),
        sections=sections,
        contexts=contexts,
        chunk_tokens=chunk_tokens,
    )


def check_chunk_tokens(chunk_tokens: int) -> None:
    """Refuse a budget that leaves no room for a text beside its context.

    Raises:
        UsageError: it is too small.
    """
    if chunk_tokens < _MIN_CHUNK_TOKENS:
        raise UsageError(f"chunk_tokens is {chunk_tokens}, expected at least {_MIN_CHUNK_TOKENS}")
