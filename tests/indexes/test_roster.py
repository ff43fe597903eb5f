"""The rows beside Chroma: who may see which chunk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ragmem.errors import StoreError
from ragmem.filters import equals
from ragmem.indexes.roster import Admission, Roster
from ragmem.types import PUBLIC, IndexEntry, Scope


@pytest.fixture
def roster(tmp_path: Path) -> Iterator[Roster]:
    opened = Roster(tmp_path / "roster.sqlite3", dimensions=3)
    yield opened
    opened.close()


def entry(
    chunk_id: str, *, tenant: str = "default", acl: frozenset[str] = PUBLIC, year: int = 1
) -> IndexEntry:
    return IndexEntry(
        chunk_id=chunk_id,
        document_id="d" + chunk_id,
        tenant=tenant,
        acl=acl,
        title="",
        text="",
        language="",
        metadata={"year": year},
    )


def test_admission_counts_what_may_be_seen(roster: Roster) -> None:
    roster.put([entry("a"), entry("b"), entry("c", year=2), entry("x", tenant="other")])
    everything = Admission(codes=None, admitted=3, total=3)
    assert roster.admission(Scope(), None) == everything
    assert roster.admission(Scope(tenant="absent"), None).admitted == 0
    seen = roster.admission(Scope(), equals(year=1))
    assert (seen.admitted, seen.total) == (2, 3)
    assert seen.codes is not None
    assert sorted(roster.holding(seen.codes)) == ["a", "b"]
    assert roster.keep(["a", "c", "unknown"], seen.codes) == {"a"}


def test_changes_are_seen_at_once(roster: Roster) -> None:
    roster.put([entry("a")])
    assert roster.admission(Scope(), None).admitted == 1
    roster.put([entry("a", acl=frozenset({"user:ana"}))])
    assert roster.admission(Scope(), None).admitted == 0
    assert roster.admission(Scope(user="ana"), None).admitted == 1
    roster.remove(["a", "unknown"])
    roster.sweep()
    assert roster.admission(Scope(user="ana"), None) == Admission(codes=None, admitted=0, total=0)


def test_chunks_by_tenant_and_document(roster: Roster) -> None:
    roster.put([entry("a"), entry("b", tenant="other"), entry("c")])
    assert roster.by_tenant(["a", "a", "b", "unknown"]) == {"default": ["a"], "other": ["b"]}
    assert roster.of_documents(["da", "dc", "unknown"]) == ["a", "c"]
    assert roster.ids() == {"a", "b", "c"}


def test_tombstones_are_counted_until_a_new_collection(roster: Roster) -> None:
    roster.assign("default", "first")
    roster.put([entry("a")])
    assert roster.tombstones() == {}
    roster.bury("default", 2)
    roster.bury("default", 3)
    assert roster.tombstones() == {"default": (5, 1)}
    roster.assign("default", "second")
    assert roster.tombstones() == {}
    assert roster.collections() == {"default": "second"}


def test_a_failed_change_changes_nothing(roster: Roster) -> None:
    roster.put([entry("a")])
    broken = entry("b", tenant="\ud800")
    with pytest.raises((StoreError, UnicodeEncodeError)):
        roster.put([entry("c"), broken])
    assert roster.ids() == {"a"}
