"""The formula behind the lexical scores, worked by hand."""

from __future__ import annotations

import math

import pytest

from ragmem.indexes.bm25 import RankBM25Index, idf
from ragmem.types import PUBLIC, IndexEntry, Scope


@pytest.mark.parametrize(
    ("frequency", "documents", "value"),
    [(1, 2, math.log(2)), (2, 2, math.log(1.2)), (0, 0, math.log(2))],
)
def test_idf_is_lucenes(frequency: int, documents: int, value: float) -> None:
    assert idf(frequency, documents) == pytest.approx(value)


def test_a_score_by_hand() -> None:
    index = RankBM25Index()
    for chunk_id, text in (("a", "battery battery life"), ("b", "screen")):
        entry = IndexEntry(
            chunk_id=chunk_id,
            document_id="d",
            tenant="default",
            acl=PUBLIC,
            title="",
            text=text,
            language="en",
            metadata={},
        )
        index.upsert([entry])
    hit = index.search("battery", k=1, scope=Scope())[0]
    length_norm = 1.2 * (1 - 0.75 + 0.75 * 3 / 2)
    assert hit.score == pytest.approx(math.log(2) * 2 * 2.2 / (2 + length_norm), rel=1e-4)
