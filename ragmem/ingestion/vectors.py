"""What an embedder reads for a document's chunks, and under which keys their vectors are cached.

Usually each chunk is read by itself and its text is the key; with late chunking several are read
together, and the key covers all that was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragmem.chunking.late import LateEmbedder, Window
from ragmem.ports import Embedder
from ragmem.store.chunks import text_hash_of, text_hashes_of
from ragmem.types import Chunk, FloatMatrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A text that the embedder reads.

    Attributes:
        keys: of the vectors that come of it.
        window: where they are vectors of chunks within it.
    """

    text: str
    keys: tuple[str, ...]
    window: Window | None = None


def readings_of(embedder: Embedder, text: str, chunks: Sequence[Chunk]) -> list[Reading]:
    """What must be read for the chunks of a document with this text."""
    if isinstance(embedder, LateEmbedder):
        windows = embedder.windows(text, chunks)
        return [Reading(text=each.text, keys=each.keys, window=each) for each in windows]
    texts = [chunk.embedded_text for chunk in chunks]
    return [Reading(text=each, keys=(text_hash_of(each),)) for each in texts]


def keys_of(embedder: Embedder, text: str, chunks: Sequence[Chunk]) -> list[str]:
    """The key of each chunk of a document with this text, in order."""
    if isinstance(embedder, LateEmbedder):
        return [key for window in embedder.windows(text, chunks) for key in window.keys]
    return text_hashes_of(chunks)


def embed_readings(embedder: Embedder, readings: Sequence[Reading]) -> FloatMatrix:
    """Embed what is read; one row a key, in order."""
    if isinstance(embedder, LateEmbedder):
        return embedder.embed_windows([each.window for each in readings if each.window])
    return embedder.embed_documents([each.text for each in readings])
