"""The chunker that settings name, sized for the embedder that will read its chunks."""

from __future__ import annotations

from typing import Literal

from ragmem.chunking.late import LateEmbedder
from ragmem.errors import UsageError
from ragmem.ports import Chunker, Embedder

Chunking = Literal["structure", "sentences", "semantic"]

CHUNK_TOKENS = 254
"""The default embedder's window; longer chunks say more than one vector can hold."""
_CHUNKS_A_WINDOW = 4
"""Late chunking adds nothing where a chunk fills what is read at once."""


def chosen_chunker(
    chunking: Chunking,
    embedder: Embedder,
    *,
    chunk_tokens: int,
    overlap_tokens: int,
    semantic_percentile: float,
    contextual_headers: bool,
) -> Chunker:
    """Make a chunker.

    Args:
        chunking: which one.
        embedder: reads the chunks.
        chunk_tokens: the most tokens of a chunk with its context; 0 for what suits the embedder.
        overlap_tokens: how much of a chunk is repeated in the next, at most a quarter of it; only
            `structure` repeats anything.
        semantic_percentile: where `semantic` cuts.
        contextual_headers: whether title and headings stand before a chunk's text.

    Raises:
        UsageError: the embedder does not read so many tokens, or they are too few.
    """
    longest = embedder.max_tokens
    if chunk_tokens > longest:
        raise UsageError(
            f"chunk_tokens is {chunk_tokens} and the embedding model {embedder.model_id} reads "
            f"{longest}; set chunk_tokens to that or less"
        )
    share = _CHUNKS_A_WINDOW if isinstance(embedder, LateEmbedder) else 1
    chunk_tokens = chunk_tokens or min(longest // share, CHUNK_TOKENS)
    if chunking == "semantic":
        from ragmem.chunking.semantic import SemanticChunker

        return SemanticChunker(
            embedder,
            chunk_tokens=chunk_tokens,
            percentile=semantic_percentile,
            contextual_headers=contextual_headers,
        )
    if chunking == "sentences":
        from ragmem.chunking.sentence_chunks import SentenceChunker

        return SentenceChunker(
            embedder,
            chunk_tokens=chunk_tokens,
            contextual_headers=contextual_headers,
            tokens_name=embedder.model_id,
        )
    from ragmem.chunking.structure import StructureChunker

    return StructureChunker(
        embedder,
        chunk_tokens=chunk_tokens,
        overlap_tokens=min(overlap_tokens, chunk_tokens // 4),
        contextual_headers=contextual_headers,
        tokens_name=embedder.model_id,
    )
