"""A lexical index in memory on rank-bm25: small sets, and the reference in parity tests.

It ranks as `ragmem.indexes.tantivy` does, from the same terms, but with exact document lengths
and without persistence; it scores every entry in Python and rebuilds at the first search after a
change.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ragmem.filters import Filter
from ragmem.indexes.analysis import (
    TITLE_WEIGHT,
    Analyzer,
    TermGroup,
    analyzer_name,
    settled,
)
from ragmem.indexes.entries import EntryTable
from ragmem.indexes.likeness import edits_allowed, likest
from ragmem.indexes.ranking import best
from ragmem.types import Candidate, IndexEntry, Scope

if TYPE_CHECKING:
    import rank_bm25

K1 = 1.2
B = 0.75


def idf(document_frequency: int, documents: int) -> float:
    """Inverse document frequency as Lucene has it: never negative.

    Kamphuis et al., "Which BM25 Do You Mean?" (ECIR 2020), table 1, "Lucene (accurate)".
    """
    return math.log(1 + (documents - document_frequency + 0.5) / (document_frequency + 0.5))


class RankBM25Index:
    """BM25 search over entries in memory; the port is `ragmem.ports.LexicalIndex`."""

    def __init__(self) -> None:
        self._analyzer = Analyzer()
        self._table = EntryTable()
        self._terms: dict[str, tuple[str, list[str], list[str]]] = {}
        self._fields: _Fields | None = None

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Add or replace entries."""
        for entry in entries:
            name = analyzer_name(entry.language)
            self._table.put(entry)
            self._terms[entry.chunk_id] = (name, *self._analyzer.fields(entry, name))
        self._fields = None

    def search(
        self, text: str, *, k: int, scope: Scope, where: Filter | None = None
    ) -> list[Candidate]:
        """The k best chunks among those the scope sees and the filter admits.

        Args:
            text: any text; nothing in it is query syntax.
            k: the most candidates to return.
            scope: who is asking.
            where: a filter over metadata.

        Returns:
            At most k with a score above zero, best first; equal scores ordered by chunk id.
        """
        ids = self._table.visible(scope, where)
        groups = self._analyzer.groups(text, {name for name, _, _ in self._terms.values()})
        if not ids or not groups or k < 1:
            return []
        scores = self._scored(groups, ids)
        hits = np.flatnonzero(scores > 0)
        return best([ids[row] for row in hits.tolist()], scores[hits], k)

    def unknown(self, words: Sequence[str], *, scope: Scope) -> list[str]:
        """Those of these words that no visible chunk holds in any form, stop words left out."""
        counts, analyzers = self._visible_terms(scope)
        forms = {word: self._analyzer.forms(word, analyzers) for word in words}
        return [word for word, made in forms.items() if made and not made & counts.keys()]

    def suggest(self, word: str, *, scope: Scope) -> list[str]:
        """Words of visible chunks that an unknown one may have been meant to be, best first."""
        edits = edits_allowed(word)
        if not edits:
            return []
        counts, analyzers = self._visible_terms(scope)
        forms = self._analyzer.forms(word, analyzers)
        near = likest(
            forms,
            lambda letter: [term for term in counts if term.startswith(letter)],
            edits=edits,
            count=counts.__getitem__,
        )
        words = [self._analyzer.word(term, analyzers) for term in near]
        return [word for word in words if word is not None]

    def scores(self, text: str, chunk_ids: Sequence[str]) -> Mapping[str, float]:
        """What `search` scores these chunks, those above zero."""
        ids = [chunk_id for chunk_id in dict.fromkeys(chunk_ids) if chunk_id in self._terms]
        groups = self._analyzer.groups(text, {name for name, _, _ in self._terms.values()})
        if not ids or not groups:
            return {}
        scores = map(float, self._scored(groups, ids))
        return {key: score for key, score in zip(ids, scores, strict=True) if score > 0}

    def _visible_terms(self, scope: Scope) -> tuple[Counter[str], set[str]]:
        """In how many visible texts each term stands, and the analyses of all texts."""
        bodies = [self._terms[chunk_id][1] for chunk_id in self._table.visible(scope, None)]
        counts = Counter(term for body in bodies for term in set(body))
        return counts, {name for name, _, _ in self._terms.values()}

    def delete_chunks(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks."""
        self._table.remove(chunk_ids)
        for chunk_id in chunk_ids:
            self._terms.pop(chunk_id, None)
        self._fields = None

    def delete_documents(self, document_ids: Sequence[str]) -> None:
        """Remove every chunk of these documents."""
        self.delete_chunks(self._table.of_documents(document_ids))

    def commit(self) -> None:
        """Changes in memory are visible at once."""

    def chunk_ids(self) -> set[str]:
        """Every chunk in the index."""
        return self._table.ids()

    def clear(self) -> None:
        """Remove everything."""
        self._table.clear()
        self._terms.clear()
        self._fields = None

    def close(self) -> None:
        """Let go of the terms."""
        self.clear()

    def _scored(self, groups: Sequence[TermGroup], ids: Sequence[str]) -> npt.NDArray[np.float32]:
        """The score of each of these chunks, shape (len(ids),)."""
        if self._fields is None:
            self._fields = _Fields(self._terms)
        scores = self._fields.scores(groups, ids)
        return np.array([settled(score) for score in scores], dtype=np.float32)


class _Fields:
    """rank-bm25 over the texts and over the titles of one state of the index."""

    def __init__(self, terms: dict[str, tuple[str, list[str], list[str]]]) -> None:
        self._rows = {chunk_id: row for row, chunk_id in enumerate(terms)}
        self._body = _scorer([body for _, body, _ in terms.values()])
        self._title = _scorer([title for _, _, title in terms.values()])

    def scores(self, groups: Sequence[TermGroup], ids: Sequence[str]) -> npt.NDArray[np.float64]:
        """The score of each of these chunks, shape (len(ids),)."""
        rows = [self._rows[chunk_id] for chunk_id in ids]
        total = np.zeros(len(rows))
        for scorer, weight in ((self._body, 1.0), (self._title, TITLE_WEIGHT)):
            if scorer is None:
                continue
            for group in groups:
                forms = [scorer.get_batch_scores([form], rows) for form in group.forms]
                total += weight * group.weight * np.max(forms, axis=0)
        return total


def _scorer(texts: list[list[str]]) -> rank_bm25.BM25Okapi | None:
    """rank-bm25's Okapi with Lucene's idf; None when there is no term at all."""
    from rank_bm25 import BM25Okapi

    if not any(texts):
        return None

    class Lucene(BM25Okapi):  # type: ignore[misc]
        """Okapi's own idf turns negative for terms in more than half of the texts."""

        def _calc_idf(self, nd: dict[str, int]) -> None:
            self.idf = {term: idf(count, self.corpus_size) for term, count in nd.items()}

    return Lucene(texts, k1=K1, b=B)
