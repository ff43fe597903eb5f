"""Which documents are nearly the same, and which of their passages say nearly the same.

How a document's signature is made belongs to ingestion. Two signatures agree in a share of their
minima that estimates the Jaccard similarity of the texts (Broder 1997).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np

from ragmem.store.reader import StoreReader
from ragmem.types import DocumentInfo, Scope, StoredChunk

ALIKE_DOCUMENTS = 0.8
"""Documents whose signatures agree in this share of their minima are near-duplicates."""
_ALIKE_PASSAGES = 0.8
_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?:;|•*#\n]")
_NEGATIONS = frozenset(
    (  # `t` is what is left of "don't"
        *("no", "not", "never", "none", "nor", "neither", "without", "cannot", "t"),
        *("nicht", "kein", "keine", "keinen", "keiner", "ohne", "nie"),
        *("pas", "ne", "jamais", "sans", "aucun", "aucune"),
        *("non", "nunca", "sin", "ningún", "ninguna", "mai", "senza", "não", "nem", "sem"),
        *("niet", "geen"),
    )
)
_SIGNATURE = np.dtype("<u4")


def repeats(found: StoredChunk, shown: StoredChunk) -> bool:
    """Whether a passage only repeats what one of another document has shown.

    It does where both documents are nearly the same. A number, a name or a negation that was not
    shown is news, and so is a negation that is missing, however alike the rest: two versions of a
    contract differ in just that. Equal words in documents that are not alike are no repetition:
    what they are said of differs.
    """
    if found.document_id == shown.document_id:
        return False
    if agreement(found.signature, shown.signature) < ALIKE_DOCUMENTS:
        return False
    return Saying.of(found.chunk.text).is_in(Saying.of(shown.chunk.text))


class ShownPassages:
    """Passages in the order they were shown, to be asked which of them another repeats."""

    def __init__(self) -> None:
        self._shown: list[StoredChunk] = []
        self._signatures = np.empty((0, 0), dtype=_SIGNATURE)

    def add(self, chunk: StoredChunk) -> None:
        """Note that a passage is shown; nothing repeats one whose document has no signature."""
        signature = np.frombuffer(chunk.signature, dtype=_SIGNATURE)
        if not len(signature) or (self._shown and not self._comparable(signature)):
            return
        if len(self._shown) == len(self._signatures):
            grown = np.zeros((max(16, 2 * len(self._shown)), len(signature)), dtype=_SIGNATURE)
            if self._shown:
                grown[: len(self._shown)] = self._signatures
            self._signatures = grown
        self._signatures[len(self._shown)] = signature
        self._shown.append(chunk)

    def repeated_by(self, found: StoredChunk) -> StoredChunk | None:
        """The first passage shown that this one only repeats."""
        signature = np.frombuffer(found.signature, dtype=_SIGNATURE)
        if not self._comparable(signature):
            return None
        equal = self._signatures[: len(self._shown)] == signature
        alike = np.flatnonzero(equal.mean(axis=1) >= ALIKE_DOCUMENTS)
        likely = (self._shown[place] for place in alike.tolist())
        return next((shown for shown in likely if repeats(found, shown)), None)

    def _comparable(self, signature: np.ndarray[Any, np.dtype[np.uint32]]) -> bool:
        return bool(self._shown) and len(signature) == self._signatures.shape[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """A text with its pairs of neighbouring words, to be compared with many."""

    text: str
    pairs: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, text: str) -> Self:
        """What a text says."""
        return cls(text=text, pairs=frozenset(_pairs(text)))

    def is_in(self, shown: Saying) -> bool:
        """Whether another text is nearly the same, and this one has no news beside it."""
        common = len(self.pairs & shown.pairs)
        all_pairs = len(self.pairs) + len(shown.pairs) - common
        if not all_pairs or common < _ALIKE_PASSAGES * all_pairs:
            return False
        telling, shown_telling = _telling(self.text), _telling(shown.text)
        return telling <= shown_telling and not (shown_telling - telling) & _NEGATIONS


def _pairs(text: str) -> set[tuple[str, str]]:
    """The pairs of neighbouring words."""
    return set(pairwise(_WORD.findall(text.casefold())))


def _telling(text: str) -> set[str]:
    """The words by which passages that are alike may say different things.

    Those with a digit, negations, and names: words with a capital that begin no sentence.
    """
    found: set[str] = set()
    before = 0
    for word in _WORD.finditer(text):
        folded = word[0].casefold()
        begins = before == 0 or _SENTENCE_END.search(text, before, word.start()) is not None
        is_name = word[0][0].isupper() and not begins
        if is_name or folded in _NEGATIONS or any(map(str.isdigit, word[0])):
            found.add(folded)
        before = word.end()
    return found


def agreement(one: bytes, other: bytes) -> float:
    """The share of minima in which two signatures agree; 0 where a document has none."""
    if not one or len(one) != len(other):
        return 0.0
    equal = np.frombuffer(one, dtype=_SIGNATURE) == np.frombuffer(other, dtype=_SIGNATURE)
    return float(np.mean(equal))


def near_duplicates_in(reader: StoreReader, *, scope: Scope) -> list[tuple[DocumentInfo, ...]]:
    """The groups of documents that are nearly the same, of those that the scope sees."""
    documents = {each.id: each for each in reader.documents(scope=scope)}
    groups = near_duplicates(reader.signatures(list(documents)))
    return [tuple(documents[each] for each in group) for group in groups]


def near_duplicates(signatures: Mapping[str, bytes]) -> list[list[str]]:
    """The groups of documents that are nearly the same.

    Args:
        signatures: by document.

    Returns:
        Groups of two and more, each sorted; what is alike to one of a group belongs to it.
    """
    from datasketch import MinHash, MinHashLSH

    known = {key: np.frombuffer(each, dtype=_SIGNATURE) for key, each in signatures.items() if each}
    if not known:
        return []
    width = len(next(iter(known.values())))
    buckets = MinHashLSH(threshold=ALIKE_DOCUMENTS, num_perm=width)
    group_of: dict[str, set[str]] = {}
    for key in sorted(known):
        minima = MinHash(seed=1, hashvalues=known[key], scheme="affine32")
        alike = [
            other
            for other in buckets.query(minima)
            if agreement(signatures[key], signatures[other]) >= ALIKE_DOCUMENTS
        ]
        buckets.insert(key, minima)
        group = {key}.union(*(group_of[other] for other in alike))
        group_of |= dict.fromkeys(group, group)
    unique = {id(group): group for group in group_of.values() if len(group) > 1}
    return sorted(sorted(group) for group in unique.values())
