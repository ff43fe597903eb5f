"""Late chunking: chunks get vectors of their tokens as these stand in the text around them.

Günther et al., "Late Chunking: Contextual Chunk Embeddings Using Long-Context Embedding Models"
(arXiv 2409.04701): the model reads as much of the document as it can, and only then the vectors of
a chunk's tokens are averaged. A longer document is read in windows that overlap, as in the paper's
algorithm for long documents. Where chunks begin and end is any chunker's business.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from ragmem.errors import UsageError
from ragmem.ports import Embedder, EmbedsTokens
from ragmem.types import Chunk, FloatMatrix, FloatVector, TokenVectors

_VERSION = 1
_OVERLAP_SHARE = 0.25
_WIDE_GAP_CHARACTERS = 2000
_WINDOWS_AT_ONCE = 32  # each has a vector a token
_BOUNDARY_CHARACTERS = 64
_NAME_END = re.compile(r" > |\n|\Z")

Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the model reads at once.

    Attributes:
        text: a stretch of the document, under the context line of its first own chunk.
        spans: for each of its own chunks the places in `text` that make up its vector: the chunk,
            and before it as much of the context line as the chunk's own begins with.
    """

    text: str
    spans: tuple[tuple[Span, ...], ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """For each own chunk a digest of all that its vector depends on, beside the model."""
        read = self.text.encode("utf-8", "surrogatepass")
        return tuple(
            hashlib.sha256(f"{spans}\0".encode() + read).hexdigest() for spans in self.spans
        )


class LateEmbedder:
    """An embedder whose vectors of chunks know the text around them; thread-safe as the other is.

    Questions and single texts are embedded as the other embedder does: its model must pool by mean
    for both to lie in one space.
    """

    def __init__(self, embedder: Embedder) -> None:
        """Take an embedder.

        Raises:
            UsageError: it does not show its token vectors.
        """
        if not isinstance(embedder, EmbedsTokens):
            raise UsageError(
                f"late chunking needs the vectors of single tokens, and the embedder "
                f"{embedder.model_id} does not give them: it has no embed_tokens"
            )
        self._embedder: Embedder = embedder
        self._tokens: EmbedsTokens = embedder

    @property
    def model_id(self) -> str:
        """The embedder's, and that vectors are pooled late: they are not for one store."""
        return f"{self._embedder.model_id}+late/{_VERSION}"

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        return self._embedder.dimensions

    @property
    def max_tokens(self) -> int:
        """How many tokens are read at once, special tokens left out."""
        return self._embedder.max_tokens

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text, special tokens left out."""
        return self._embedder.count_tokens(texts)

    def embed_documents(self, texts: Sequence[str]) -> FloatMatrix:
        """Embed texts that stand alone; shape (len(texts), dimensions), rows of length one."""
        return self._embedder.embed_documents(texts)

    def embed_query(self, text: str) -> FloatVector:
        """Embed a question; shape (dimensions,), length one."""
        return self._embedder.embed_query(text)

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """Embed every token of each text."""
        return self._tokens.embed_tokens(texts)

    def windows(self, text: str, chunks: Sequence[Chunk]) -> list[Window]:
        """What is read for a document's chunks.

        A window ends where the text around says so rather than where the one before began, so that
        an edit changes only the windows near it.

        Args:
            text: the document's text.
            chunks: its chunks, by place.

        Returns:
            Windows in order; each chunk is one's own, and those before it that fit stand there
            for context.
        """
        if not chunks:
            return []
        lines = sorted({chunk.context for chunk in chunks})
        line_lengths = dict(zip(lines, self.count_tokens(lines), strict=True))
        counted = [chunk.tokens for chunk in chunks]
        if not all(counted):  # a chunker of the caller's own may not have counted
            counted = self.count_tokens([chunk.text for chunk in chunks])
        lengths = [tokens + 1 for tokens in counted]  # what is between two may make one more
        found = []
        at = 0
        while at < len(chunks):
            room = self.max_tokens - line_lengths[chunks[at].context]
            overlap = int(room * _OVERLAP_SHARE)
            stop = _stop(chunks, lengths, at, room - overlap)
            first = at
            for index in range(at - 1, -1, -1):
                overlap -= lengths[index]
                if overlap < 0 or not _near(chunks[index], chunks[index + 1]):
                    break
                first = index
            found.append(_window(text, chunks, first, at, stop))
            at = stop
        return found

    def embed_windows(self, windows: Sequence[Window]) -> FloatMatrix:
        """Embed the own chunks of windows.

        Returns:
            One row a chunk, in the order of the windows' keys, each of length one.
        """
        rows = [
            row
            for at in range(0, len(windows), _WINDOWS_AT_ONCE)
            for row in self._pooled(windows[at : at + _WINDOWS_AT_ONCE])
        ]
        return np.stack(rows) if rows else np.empty((0, self.dimensions), dtype=np.float32)

    def _pooled(self, windows: Sequence[Window]) -> Iterator[FloatVector]:
        read = self.embed_tokens([window.text for window in windows])
        for window, tokens in zip(windows, read, strict=True):
            for spans in window.spans:
                vector = _mean(window.text, spans, tokens)
                if vector is None:
                    alone = "\n".join(window.text[start:end] for start, end in spans)
                    vector = self.embed_documents([alone])[0]
                yield vector


def _near(one: Chunk, other: Chunk) -> bool:
    return other.start - one.end <= _WIDE_GAP_CHARACTERS


def _stop(chunks: Sequence[Chunk], lengths: Sequence[int], at: int, room: int) -> int:
    """Where the own chunks of a window end that begins at `at`: at least one, as many as fit."""
    full, room = at + 1, room - lengths[at]
    while full < len(chunks) and _near(chunks[full - 1], chunks[full]):
        room -= lengths[full]
        if room < 0:
            break
        full += 1
    if full == len(chunks) or not _near(chunks[full - 1], chunks[full]):
        return full
    least = at + (full - at + 1) // 2
    return max(range(least, full + 1), key=lambda index: _boundary_hash(chunks[index]))


def _boundary_hash(chunk: Chunk) -> int:
    """A number that only the chunk's own text decides on."""
    return crc32(chunk.text[:_BOUNDARY_CHARACTERS].encode("utf-8", "surrogatepass"))


def _window(text: str, chunks: Sequence[Chunk], first: int, own: int, stop: int) -> Window:
    context = chunks[own].context
    line = f"{context}\n" if context else ""
    start = chunks[first].start
    shift = len(line) - start
    end = max(chunk.end for chunk in chunks[first:stop])
    spans = []
    for chunk in chunks[own:stop]:
        shared = _shared(context, chunk.context)
        place = chunk.start + shift, chunk.end + shift
        spans.append(((0, shared), place) if shared else (place,))
    return Window(text=line + text[start:end], spans=tuple(spans))


def _shared(one: str, other: str) -> int:
    """The length of what two context lines begin with, in whole titles, headings and lines."""
    ends = [found.start() for found in _NAME_END.finditer(one)]
    return max(
        (end for end in ends if one[:end] == other[:end] and _NAME_END.match(other, end)), default=0
    )


def _mean(text: str, spans: Sequence[Span], tokens: TokenVectors) -> FloatVector | None:
    """The mean of the tokens in these spans, of length one; None where not all was read."""
    starts, ends = tokens.offsets[:, 0], tokens.offsets[:, 1]
    inside = np.zeros(len(starts), dtype=bool)
    for start, end in spans:
        inside |= (starts < end) & (ends > start)
    reached = int(ends.max(initial=0))
    if not inside.any() or text[reached : spans[-1][1]].strip():
        return None
    mean = tokens.vectors[inside].mean(axis=0)
    length = float(np.linalg.norm(mean))
    return (mean / length).astype(np.float32) if length > 0.0 else None
