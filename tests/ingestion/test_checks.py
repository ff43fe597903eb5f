"""What callers and connectors may say about documents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ragmem.errors import UsageError
from ragmem.ingestion.checks import check_acl, check_metadata, check_text
from ragmem.ingestion.reading import SyncOptions


def test_principals() -> None:
    named = frozenset({"user:ana", "group:staff", "agent:a", "session:s 1"})
    assert check_acl(named) == named
    assert check_acl(["user:ana", "everyone"]) == frozenset()


@pytest.mark.parametrize("acl", [["ana"], ["user:"], ["User:ana"], ["user:ana", ""], "user:ana"])
def test_what_would_admit_nobody_is_refused(acl: Any) -> None:
    with pytest.raises(UsageError, match="principal"):
        check_acl(acl)


def test_metadata_are_what_filters_compare() -> None:
    given: Any = {"a": 1, "b": True, "c": 0.5, "d": "x", "e": ["p", "q"], "f": ()}
    assert check_metadata(given) == {**given, "e": ("p", "q")}


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), None, {"k": 1}, [1, 2], datetime.now(UTC), "a\0b", "\ud800"],
)
def test_what_cannot_be_stored_is_named(value: Any) -> None:
    with pytest.raises(UsageError, match=r"field 'key'|cannot be stored"):
        check_metadata({"key": value})


def test_options_are_checked_where_they_are_made() -> None:
    with pytest.raises(UsageError, match="no principal"):
        SyncOptions(acl=frozenset({"bob"}))
    with pytest.raises(UsageError, match="cannot be stored"):
        check_text("a\0b")
