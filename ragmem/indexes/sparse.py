"""An index of learned sparse vectors: a lexical index whose words and weights a model chooses.

What a text weighs is the encoder's business; the vectors lie in `postings.py`, who may see them in
`roster.py`. Texts are encoded when they are added, so rebuilding encodes everything again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ragmem.errors import StoreError
from ragmem.filters import Filter
from ragmem.indexes.postings import Postings
from ragmem.indexes.roster import Roster
from ragmem.ports import SparseEncoder
from ragmem.types import Candidate, IndexEntry, Scope, TermWeights

_FIRST_LOOK = 256


class SparseIndex:
    """Exact search by inner product over sparse vectors; the port is `ragmem.ports.LexicalIndex`.

    A score tells of its chunk and the question alone, never of other chunks.
    """

    def __init__(self, folder: Path, encoder: SparseEncoder) -> None:
        """Open the index, creating it where there is none.

        Raises:
            StoreMismatch: it was written in another format or with another model.
            StoreCorrupt: its files cannot be read.
            ModelUnavailable: the encoder's model is not on this machine.
        """
        model_id = encoder.model_id
        folder.mkdir(parents=True, exist_ok=True)
        self._encoder = encoder
        self._roster = Roster(folder / "roster.sqlite3", dimensions=1, index="sparse")
        try:
            self._postings = Postings(folder / "postings.sqlite3", model_id=model_id)
        except StoreError:
            self._roster.close()
            raise
        self._last: tuple[str, TermWeights] | None = None

    def upsert(self, entries: Sequence[IndexEntry]) -> None:
        """Encode and add or replace entries."""
        if not entries:
            return
        vectors = self._encoder.encode_documents([entry.text for entry in entries])
        self._roster.put(entries)
        self._postings.put(
            {entry.chunk_id: vector for entry, vector in zip(entries, vectors, strict=True)}
        )

    def search(
        self, text: str, *, k: int, scope: Scope, where: Filter | None = None
    ) -> list[Candidate]:
        """The k best chunks among those the scope sees and the filter admits.

        Returns:
            At most k with a score above zero, best first; equal scores ordered by chunk id.
        """
        admission = self._roster.admission(scope, where)
        if k < 1 or not admission.admitted or not text.strip():
            return []
        numbers, scores = self._postings.scores(self._encoded(text))
        order = np.argsort(-scores, kind="stable")
        found: list[Candidate] = []
        at, size = 0, max(_FIRST_LOOK, 2 * k)
        while at < len(order):
            batch = order[at : at + size]
            if len(found) >= k and scores[batch[0]] < found[k - 1].score:
                break
            named = self._postings.chunk_ids(numbers[batch].tolist())
            seen = self._roster.keep(list(named.values()), admission)
            for row in batch.tolist():
                chunk_id = named.get(int(numbers[row]))
                if chunk_id in seen:
                    found.append(Candidate(chunk_id=chunk_id, score=float(scores[row])))
            at, size = at + size, 4 * size
        return sorted(found, key=lambda each: (-each.score, each.chunk_id))[:k]

    def scores(self, text: str, chunk_ids: Sequence[str]) -> Mapping[str, float]:
        """What `search` scores these chunks, those above zero."""
        if not chunk_ids or not text.strip():
            return {}
        return self._postings.scores_of(self._encoded(text), chunk_ids)

    def delete_chunks(self, chunk_ids: Sequence[str]) -> None:
        """Remove chunks."""
        self._roster.remove(chunk_ids)
        self._postings.remove(chunk_ids)

    def delete_documents(self, document_ids: Sequence[str]) -> None:
        """Remove every chunk of these documents."""
        self.delete_chunks(self._roster.of_documents(document_ids))

    def commit(self) -> None:
        """Changes are on disk already; let nothing that was removed stay there."""
        self._roster.sweep()
        self._postings.fold()

    def chunk_ids(self) -> set[str]:
        """Every chunk in the index."""
        return self._postings.ids()

    def clear(self) -> None:
        """Remove everything."""
        self._roster.remove(list(self._roster.ids()))
        self._postings.clear()

    def close(self) -> None:
        """Let go of the files."""
        self._roster.close()
        self._postings.close()

    def _encoded(self, text: str) -> TermWeights:
        """The question's weights; a search asks for those of one question several times."""
        last = self._last
        if last is None or last[0] != text:
            last = self._last = (text, self._encoder.encode_query(text))
        return last[1]
