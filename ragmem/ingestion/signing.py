"""Makes the signature of a text by which near-duplicates of it are known.

MinHash: Broder, "On the resemblance and containment of documents", 1997. The share of equal
minima estimates the Jaccard similarity of two texts' shingles; with 128 of them its standard error
is at most 0.045.
"""

from __future__ import annotations

import re

_PERMUTATIONS = 128
_SHINGLE_WORDS = 3
_SHINGLE_CHARACTERS = 6
_LEAST_SHINGLES = 16
_LONG_WORD = 15
_WORD = re.compile(r"\w+")


def sign(text: str) -> bytes:
    """The MinHash signature of a text's shingles; empty where it is too short to tell anything.

    Returns:
        128 minima of 32-bit hashes, little endian.
    """
    shingles = _shingles(text)
    if len(shingles) < _LEAST_SHINGLES:
        return b""
    from datasketch import MinHash

    minima = MinHash(num_perm=_PERMUTATIONS, seed=1, scheme="affine32")
    minima.update_batch(sorted(shingle.encode() for shingle in shingles))
    signature: bytes = minima.digest().astype("<u4").tobytes()
    return signature


def _shingles(text: str) -> set[str]:
    """Three words in a row; six characters where words are not set apart by spaces."""
    words = _WORD.findall(text.casefold())
    if sum(map(len, words)) > _LONG_WORD * len(words):
        joined = "".join(words)
        width = _SHINGLE_CHARACTERS
        return {joined[at : at + width] for at in range(len(joined) - width + 1)}
    width = _SHINGLE_WORDS
    return {" ".join(words[at : at + width]) for at in range(len(words) - width + 1)}
