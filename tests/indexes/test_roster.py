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
    staff = frozenset({"group:staff"})
    roster.put(
        [entry("a"), entry("b"), entry("c", year=2), entry("s", acl=staff), entry("x", tenant="o")]
    )
    assert counts(roster.admission(Scope(groups=frozenset({"staff"})), None)) == (4, 4)
    assert counts(roster.admission(Scope(tenant="absent"), None)) == (0, 0)
    assert counts(roster.admission(Scope(tenant="o"), equals(year=1))) == (1, 1)
    visible = roster.admission(Scope(), None)
    assert counts(visible) == (3, 4)
    assert sorted(roster.holding(visible)) == ["a", "b", "c"]
    assert roster.keep(["a", "s", "x", "unknown"], visible) == {"a"}
    filtered = roster.admission(Scope(), equals(year=1))
    assert counts(filtered) == (2, 4)
    assert sorted(roster.holding(filtered)) == ["a", "b"]
    assert roster.keep(["a", "c", "s", "unknown"], filtered) == {"a"}


def counts(admission: Admission) -> tuple[int, int]:
    return admission.admitted, admission.total


def test_changes_are_seen_at_once(roster: Roster) -> None:
    roster.put([entry("a")])
    assert roster.admission(Scope(), None).admitted == 1
    roster.put([entry("a", acl=frozenset({"user:ana"}))])
    assert roster.admission(Scope(), None).admitted == 0
    assert roster.admission(Scope(user="ana"), None).admitted == 1
    roster.remove(["a", "unknown"])
    roster.sweep()
    assert counts(roster.admission(Scope(user="ana"), None)) == (0, 0)


def test_the_last_of_a_repeated_entry_counts(roster: Roster) -> None:
    roster.put([entry("a", year=1), entry("a", year=2)])
    assert counts(roster.admission(Scope(), equals(year=1))) == (0, 1)
    assert counts(roster.admission(Scope(), equals(year=2))) == (1, 1)


def test_a_search_without_a_filter_reads_no_metadata(roster: Roster) -> None:
    roster.put([entry(f"c{number}", year=number) for number in range(20)])
    statements: list[str] = []
    roster._file.connection.set_trace_callback(statements.append)
    assert roster.admission(Scope(), None).admitted == 20
    assert statements
    assert not [text for text in statements if "field_values" in text or "holdings" in text]


def test_sweeping_keeps_what_others_hold(roster: Roster) -> None:
    ana = frozenset({"user:ana"})
    roster.put([entry("a", acl=ana, year=1), entry("b", year=1), entry("c", acl=ana, year=2)])
    roster.remove(["a", "c"])
    roster.sweep()
    assert roster._rows("SELECT field, value FROM field_values") == [('"year"', "1")]
    assert roster._rows("SELECT value FROM audiences") == [('["default",[]]',)]
    assert roster._rows("SELECT count(*) FROM metadata") == [(1,)]
    assert counts(roster.admission(Scope(), equals(year=1))) == (1, 1)
    roster.put([entry("b", year=3)])
    roster.sweep()
    assert roster._rows("SELECT value FROM field_values") == [("3",)]
    for table in ("holdings", "metadata"):
        assert roster._rows(f"SELECT count(*) FROM {table}") == [(1,)]
    assert roster._rows("SELECT count(*) FROM left_behind") == [(0,)]


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
