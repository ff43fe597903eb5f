"""Chunks that end where the subject changes, as the embedder sees it.

Percentile breakpoints as in Greg Kamradt, "5 Levels of Text Splitting" (2023), level 4: the text is
cut where the distance between neighbouring groups of sentences exceeds a percentile of all these
distances in the document. Here the groups do not overlap: the last sentences before a place and the
first ones after it, like the blocks of Hearst, "TextTiling" (Computational Linguistics, 1997), for
groups that share sentences are far apart on both sides of a change, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from ragmem.chunking.drafting import Draft, check_chunk_tokens, drafted
from ragmem.chunking.rendering import rendered
from ragmem.chunking.sentence_runs import LEAST_TOKENS, SentenceRun, chunk_edges, sentence_runs
from ragmem.errors import UsageError
from ragmem.ports import Embedder
from ragmem.types import Chunk, FloatMatrix, ParsedDocument

_VERSION = 1
_LEAST_SENTENCES, _MOST_SENTENCES = 2, 3


class SemanticChunker:
    """Cuts documents where neighbouring sentences differ; implements `ragmem.ports.Chunker`.

    Beside these places it cuts at headings, pages, tables and code, and where a chunk would grow
    longer than allowed. The percentile is one of the whole document: an edit may move a cut far
    from it. Every sentence is embedded, on top of the chunks.
    """

    def __init__(
        self,
        embedder: Embedder,
        *,
        chunk_tokens: int = 254,
        least_tokens: int = LEAST_TOKENS,
        percentile: float = 95.0,
        contextual_headers: bool = True,
    ) -> None:
        """Choose the sizes.

        Args:
            embedder: compares the sentences, and counts.
            chunk_tokens: the most tokens of a chunk with its context.
            least_tokens: a shorter chunk is joined with a neighbour.
            percentile: the share of distances, in percent, that make no cut: above 0, below 100.
            contextual_headers: whether title and heading path stand before a chunk's text.

        Raises:
            UsageError: a size makes no sense.
        """
        check_chunk_tokens(chunk_tokens)
        if not 0.0 < percentile < 100.0:
            raise UsageError(f"percentile is {percentile}, expected more than 0 and less than 100")
        self._embedder = embedder
        self._chunk_tokens = chunk_tokens
        self._least_tokens = least_tokens
        self._percentile = percentile
        self._contextual_headers = contextual_headers

    @property
    def fingerprint(self) -> str:
        """Names the algorithm's version, every setting and the model."""
        return (
            f"semantic/{_VERSION}?chunk_tokens={self._chunk_tokens}"
            f"&least_tokens={self._least_tokens}&percentile={self._percentile}"
            f"&contextual_headers={self._contextual_headers}&model={self._embedder.model_id}"
        )

    def chunk(self, document: ParsedDocument) -> list[Chunk]:
        """Cut a document.

        Args:
            document: any parsed document.

        Returns:
            Chunks in order that together hold every character that is not white space once, none
            of them longer than `chunk_tokens` with its context.
        """
        count = self._embedder.count_tokens
        draft = drafted(
            document,
            count=count,
            chunk_tokens=self._chunk_tokens,
            contextual_headers=self._contextual_headers,
        )
        runs = sentence_runs(draft.units)
        cuts = self._breakpoints(draft, runs)
        edges = chunk_edges(draft.units, runs, cuts, least=self._least_tokens)
        packer = draft.packer(overlap_tokens=0)
        return rendered(draft, packer.groups(also=edges), packer, count=count)

    def _breakpoints(self, draft: Draft, runs: list[SentenceRun]) -> set[int]:
        """The sentences, by their first units, before which the subject changes."""
        longer = [run for run in runs if len(run.sentences) > 2 * _LEAST_SENTENCES]
        if not longer:
            return set()
        spans = [span for run in longer for span in pairwise(run.sentences)]
        rows = self._embedder.embed_documents([_text(draft, *span) for span in spans])
        found: list[dict[int, float]] = []
        at = 0
        for run in longer:
            sentences = run.sentences[:-1]
            found.append(_distances(sentences, rows[at : at + len(sentences)]))
            at += len(sentences)
        all_distances = [distance for each in found for distance in each.values()]
        limit = float(np.percentile(all_distances, self._percentile))
        return {place for each in found for place in _peaks(each) if each[place] > limit}


def _text(draft: Draft, first: int, stop: int) -> str:
    """The text of some units."""
    return draft.document.text[draft.units[first].start : draft.units[stop - 1].end]


def _distances(sentences: Sequence[int], vectors: FloatMatrix) -> dict[int, float]:
    """By sentence, how far the sentences from it on are from those before it.

    One minus the mean cosine over all pairs of one of each group, which does not depend on how
    many they are.

    Args:
        sentences: those of one run.
        vectors: one row a sentence, of length one.
    """
    found = {}
    for at in range(_LEAST_SENTENCES, len(sentences) - _LEAST_SENTENCES + 1):
        before = vectors[max(0, at - _MOST_SENTENCES) : at].mean(axis=0)
        after = vectors[at : at + _MOST_SENTENCES].mean(axis=0)
        found[sentences[at]] = 1.0 - float(before @ after)
    return found


def _peaks(distances: Mapping[int, float]) -> list[int]:
    """The places whose distance is larger than that before and not smaller than that after.

    Around a change of subject several places in a row are far apart; it is at the farthest.
    """
    ends = float("-inf")
    values = [ends, *distances.values(), ends]
    return [
        place
        for at, place in enumerate(distances, start=1)
        if values[at - 1] < values[at] >= values[at + 1]
    ]
