"""Makes the signature of a text by which near-duplicates of it are known.

MinHash: Broder, "On the resemblance and containment of documents", 1997. The share of equal
minima estimates the Jaccard similarity of two texts' shingles; with 128 of them its standard error
is at most 0.045.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from itertools import islice

_PERMUTATIONS = 128
_SHINGLE_WORDS = 3
_SHINGLE_CHARACTERS = 6
_LEAST_SHINGLES = 16
_SHINGLES_AT_ONCE = 16_384
_LONG_WORD = 15
_WORD = re.compile(r"\w+")


def sign(text: str) -> bytes:
    """The MinHash signature of a text's shingles; empty where it is too short to tell anything.

    Returns:
        128 minima of 32-bit hashes, little endian.
    """
    from datasketch import MinHash

    minima = MinHash(num_perm=_PERMUTATIONS, seed=1, scheme="affine32")
    shingles = _shingles(text)
    some: set[str] = set()
    # A few at a time: those of a long text together would take thirty times its memory.
    while batch := set(islice(shingles, _SHINGLES_AT_ONCE)):
        minima.update_batch([shingle.encode() for shingle in batch])
        if len(some) < _LEAST_SHINGLES:
            some |= batch
    if len(some) < _LEAST_SHINGLES:
        return b""
    signature: bytes = minima.digest().astype("<u4").tobytes()
    return signature


def _shingles(text: str) -> Iterator[str]:
    """Three words in a row; six characters where words are not set apart by spaces."""
    folded = text.casefold()
    count = length = 0
    for found in _WORD.finditer(folded):
        count += 1
        length += found.end() - found.start()
    words = (found[0] for found in _WORD.finditer(folded))
    if length > _LONG_WORD * count:
        joined = "".join(words)
        for at in range(len(joined) - _SHINGLE_CHARACTERS + 1):
            yield joined[at : at + _SHINGLE_CHARACTERS]
        return
    window: deque[str] = deque(islice(words, _SHINGLE_WORDS - 1), _SHINGLE_WORDS)
    for word in words:
        window.append(word)
        yield " ".join(window)
