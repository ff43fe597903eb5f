"""The default chunker: packs headings, sentences, tables and code into a token budget.

The stages live beside it: `blocks` finds the structure, `units` and `cutting` make and weigh
pieces, `contexts` says what stands before a chunk (`drafting` puts these together), `edges` and
`packing` decide which pieces share one, `rendering` makes the chunks.
"""

from __future__ import annotations

from ragmem.chunking.drafting import check_chunk_tokens, drafted
from ragmem.chunking.rendering import rendered
from ragmem.errors import UsageError
from ragmem.ports import TokenCounter
from ragmem.types import Chunk, ParsedDocument

_VERSION = 3


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
        contextual_headers: bool = True,
        tokens_name: str = "",
    ) -> None:
        """Choose the sizes.

        Args:
            tokens: counts as the embedder does.
            chunk_tokens: the most tokens of a chunk together with its context. The default is what
                an embedder with a window of 256 reads between its two special tokens.
            overlap_tokens: the most tokens that a chunk repeats of the one before it, in whole
                sentences and only within one section and page; 0 for none.
            contextual_headers: whether title and heading path stand before a chunk's text.
            tokens_name: names the tokenizer in the fingerprint, such as the embedder's `model_id`.

        Raises:
            UsageError: a size makes no sense.
        """
        check_chunk_tokens(chunk_tokens)
        if not 0 <= overlap_tokens <= chunk_tokens // 4:
            raise UsageError(
                f"overlap_tokens is {overlap_tokens}, expected 0 to {chunk_tokens // 4}, "
                f"a quarter of chunk_tokens"
            )
        self._tokens = tokens
        self._chunk_tokens = chunk_tokens
        self._overlap_tokens = overlap_tokens
        self._contextual_headers = contextual_headers
        self._tokens_name = tokens_name

    @property
    def fingerprint(self) -> str:
        """Names the algorithm's version and every setting."""
        return (
            f"structure/{_VERSION}?chunk_tokens={self._chunk_tokens}"
            f"&overlap_tokens={self._overlap_tokens}"
            f"&contextual_headers={self._contextual_headers}&tokens={self._tokens_name}"
        )

    def chunk(self, document: ParsedDocument) -> list[Chunk]:
        """Cut a document.

        Args:
            document: any parsed document.

        Returns:
            Chunks in order that together hold every character that is not white space, none of
            them longer than `chunk_tokens` with its context.
        """
        count = self._tokens.count_tokens
        draft = drafted(
            document,
            count=count,
            chunk_tokens=self._chunk_tokens,
            contextual_headers=self._contextual_headers,
        )
        packer = draft.packer(overlap_tokens=self._overlap_tokens)
        return rendered(draft, packer.groups(), packer, count=count)
