"""Times in questions as filters."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ragmem.errors import UsageError
from ragmem.filters import admits, equals
from ragmem.indexes.bm25 import RankBM25Index
from ragmem.query import Query, Wording
from ragmem.retrieval.understanding.dates import DateFilter
from ragmem.types import PUBLIC, IndexEntry, Metadata, Scope

HERE = timezone(timedelta(hours=9))
NOW = datetime(2024, 6, 12, 1, 0, tzinfo=HERE)  # still the 11th in London
FOUND = {
    "sent in may": {"sent_at": "2021-05-31T23:59:59+00:00"},
    "sent in may, touched later": {"sent_at": "2021-05-01", "modified_at": "2024-01-01T00:00:00"},
    "of that year": {"created_at": "2021"},
    "of that month": {"created_at": "2021-05"},
    "copies of two times": {"modified_at": ("2020-01-01", "2021-05-05")},
    "undated": {"author": "Ana"},
    "dated by a number": {"sent_at": 2019},
}
LEFT_OUT = {
    "sent in june, made in may": {"sent_at": "2021-06-01", "created_at": "2021-05-05"},
    "of another month": {"created_at": "2021-06"},
    "of another year": {"modified_at": "2020-05-05T00:00:00+00:00"},
}


def index_of(*documents: Metadata, text: str = "minutes of the meeting") -> RankBM25Index:
    index = RankBM25Index()
    for number, metadata in enumerate(documents):
        acl = frozenset({"user:ana"}) if metadata.get("secret") else PUBLIC
        entry = IndexEntry(
            chunk_id=f"c{number}",
            document_id=f"d{number}",
            tenant="default",
            acl=acl,
            title="",
            text=text,
            language="en",
            metadata=metadata,
        )
        index.upsert([entry])
    return index


def read(question: str, index: RankBM25Index, scope: Scope | None = None) -> Query:
    query = Query(
        question=question, wordings=(Wording(text=question),), where=equals(kind="minutes")
    )
    return DateFilter(index, now=lambda: NOW).transform(query, scope=scope or Scope())


def test_a_month_admits_what_is_of_it_and_what_has_no_date() -> None:
    index = index_of({"kind": "minutes", "sent_at": "2021-05-05"})
    where = read("minutes of May 2021", index).where
    for name, metadata in FOUND.items():
        assert admits(where, {**metadata, "kind": "minutes"}), name
        assert not admits(where, metadata), name
    for name, metadata in LEFT_OUT.items():
        assert not admits(where, {**metadata, "kind": "minutes"}), name


def test_the_day_is_that_of_the_clocks_zone() -> None:
    index = index_of({"kind": "minutes", "sent_at": "2024-06-11T20:00:00+09:00"})
    read_query = read("minutes of yesterday", index)
    assert admits(read_query.where, {"kind": "minutes", "sent_at": "2024-06-11T08:00"})
    assert not admits(read_query.where, {"kind": "minutes", "sent_at": "2024-06-12"})
    assert read_query.notes["dates"] == {
        "understood": (("yesterday", "2024-06-11", "2024-06-12"),),
        "now": "2024-06-12T01:00+09:00",
        "fields": ("sent_at", "published_at", "created_at", "modified_at"),
    }


def test_two_times_admit_either() -> None:
    index = index_of({"kind": "minutes", "sent_at": "2021-05-05"})
    where = read("Compare minutes of May 2021 and July 2021", index).where
    dates = {"2021-05-05": True, "2021-06-05": False, "2021-07-05": True}
    for day, expected in dates.items():
        assert admits(where, {"kind": "minutes", "sent_at": day}) is expected


@pytest.mark.parametrize(
    "documents",
    [
        [{"kind": "minutes", "sent_at": "2024-05-05"}],
        [{"kind": "minutes"}],
        [{"kind": "other", "sent_at": "2021-05-05"}, {"kind": "minutes"}],
        [{"kind": "minutes", "sent_at": "2021-05-05", "secret": True}, {"kind": "minutes"}],
    ],
    ids=["other time", "undated", "other kind", "out of sight"],
)
def test_a_time_that_nothing_is_of_does_not_filter(documents: list[Metadata]) -> None:
    query = read("minutes of May 2021", index_of(*documents))
    assert query.where == equals(kind="minutes")
    assert "no dated document" in str(query.notes["dates"])


def test_a_question_of_nothing_but_a_time_filters() -> None:
    index = index_of({"kind": "minutes", "sent_at": "2024-05-05"})
    assert read("what was in May 2021?", index).where != equals(kind="minutes")


def test_no_time_no_filter() -> None:
    query = read("minutes of the meeting", index_of())
    assert query.where == equals(kind="minutes")
    assert query.notes == {"dates": {"understood": ()}}


def test_no_field_is_refused() -> None:
    with pytest.raises(UsageError, match="date field"):
        DateFilter(index_of(), fields=())
