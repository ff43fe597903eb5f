"""One chunk a sentence: small enough to be matched exactly, to be enlarged when it is found.

Enlarging belongs to retrieval (`ragmem.retrieval.enlarging`).
"""

from __future__ import annotations

from ragmem.chunking.drafting import check_chunk_tokens, drafted
from ragmem.chunking.rendering import rendered
from ragmem.chunking.sentence_runs import LEAST_TOKENS, chunk_edges, sentence_runs
from ragmem.ports import TokenCounter
from ragmem.types import Chunk, ParsedDocument

_VERSION = 1


class SentenceChunker:
    """Cuts documents into sentences; implements `ragmem.ports.Chunker`.

    A heading stands with the sentence after it, a short sentence with its neighbours; tables and
    code are cut as `StructureChunker` does. An edit changes only the chunks near it.
    """

    def __init__(
        self,
        tokens: TokenCounter,
        *,
        chunk_tokens: int = 254,
        least_tokens: int = LEAST_TOKENS,
        contextual_headers: bool = True,
        tokens_name: str = "",
    ) -> None:
        """Choose the sizes.

        Args:
            tokens: counts as the embedder does.
            chunk_tokens: the most tokens of a chunk with its context; longer sentences are cut.
            least_tokens: sentences are joined until they have this many; 0 joins none.
            contextual_headers: whether title and heading path stand before a chunk's text.
            tokens_name: names the tokenizer in the fingerprint, such as the embedder's `model_id`.

        Raises:
            UsageError: a size makes no sense.
        """
        check_chunk_tokens(chunk_tokens)
        self._tokens = tokens
        self._chunk_tokens = chunk_tokens
        self._least_tokens = least_tokens
        self._contextual_headers = contextual_headers
        self._tokens_name = tokens_name

    @property
    def fingerprint(self) -> str:
        """Names the algorithm's version and every setting."""
        return (
            f"sentences/{_VERSION}?chunk_tokens={self._chunk_tokens}"
            f"&least_tokens={self._least_tokens}"
            f"&contextual_headers={self._contextual_headers}&tokens={self._tokens_name}"
        )

    def chunk(self, document: ParsedDocument) -> list[Chunk]:
        """Cut a document.

        Args:
            document: any parsed document.

        Returns:
            Chunks in order that together hold every character that is not white space once, none
            of them longer than `chunk_tokens` with its context.
        """
        count = self._tokens.count_tokens
        draft = drafted(
            document,
            count=count,
            chunk_tokens=self._chunk_tokens,
            contextual_headers=self._contextual_headers,
        )
        runs = sentence_runs(draft.units)
        every = {index for run in runs for index in run.sentences}
        edges = chunk_edges(draft.units, runs, every, least=self._least_tokens)
        packer = draft.packer(overlap_tokens=0)
        return rendered(draft, packer.groups(also=edges), packer, count=count)
