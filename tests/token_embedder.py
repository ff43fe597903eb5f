"""A deterministic embedder that shows its token vectors, each coloured by the whole text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from fakes import HashEmbedder

from ragmem.types import FloatMatrix, TokenVectors


class TokenHashEmbedder(HashEmbedder):
    """A token is a word; its vector is the word's, moved a little by all that is read with it."""

    def __init__(self, *, model_id: str = "tokens-16", max_tokens: int = 40) -> None:
        super().__init__(model_id=model_id)
        self.max_tokens = max_tokens

    def embed_tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        return [self._tokens(text) for text in texts]

    def _tokens(self, text: str) -> TokenVectors:
        self.read.append(text)
        words = list(re.finditer(r"\S+", text))[: self.max_tokens]
        own: FloatMatrix = np.stack([self.embed_query(word[0]) for word in words] or [_ZEROS])
        vectors = own + 0.25 * own.mean(axis=0)
        offsets = np.array([word.span() for word in words], dtype=np.int64).reshape(-1, 2)
        return TokenVectors(vectors=vectors[: len(words)], offsets=offsets)


_ZEROS = np.zeros(16, dtype=np.float32)
