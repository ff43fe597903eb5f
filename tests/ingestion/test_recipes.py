"""A source is asked for again as it was asked for."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from ragmem import UsageError
from ragmem.ingestion.mapping import MetadataMapping
from ragmem.ingestion.recipes import SourceRequest, from_recipe, to_recipe
from ragmem.types import SourceDescription


def test_a_request_comes_back_as_it_was(tmp_path: Path) -> None:
    request = SourceRequest(
        source=SourceDescription(
            location=str(tmp_path), connector="files", options={"ignore": ["*.log"], "deep": True}
        ),
        tenant="t",
        acl=frozenset({"user:ana", "group:staff"}),
        mapping=MetadataMapping(
            keep=frozenset({"a"}),
            drop=frozenset({"b"}),
            rename={"a": "c"},
            add={"tags": ("x", "y"), "n": 1, "f": 0.5, "b": True},
        ),
    )
    stored = json.loads(json.dumps(to_recipe(request)))
    assert from_recipe(stored, tenant="t") == request


def test_nothing_said_comes_back_as_nothing_said() -> None:
    request = SourceRequest(source=SourceDescription(location="https://example.org/", options={}))
    stored = json.loads(json.dumps(to_recipe(request)))
    assert from_recipe(stored, tenant="default") == request


@pytest.mark.parametrize(
    "location",
    ["https://a.example/x", "s3://bucket/key", "sqlite:////var/data.db", "imap://u@h/INBOX"],
)
def test_uris_stay_as_they_are(location: str) -> None:
    request = SourceRequest(source=SourceDescription(location=location))
    assert to_recipe(request)["location"] == location


def test_a_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "docs")
    monkeypatch.chdir(tmp_path)
    for location, expected in {
        "docs": "docs",
        "link/../link": "link",
        "docs/**/*.md": "docs/**/*.md",
    }.items():
        request = SourceRequest(source=SourceDescription(location=location))
        assert to_recipe(request)["location"] == str(tmp_path / expected)


def test_a_request_comes_back_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    request = SourceRequest(
        source=SourceDescription(
            location="docs/*.md",
            connector="files",
            options={"ignore": ("a", "b"), "depth": 2, "on": date(2026, 1, 31), "at": Path("x")},
        ),
        tenant="acme",
        acl=frozenset({"user:ana", "group:staff"}),
        mapping=MetadataMapping(
            keep=frozenset({"name"}),
            drop=frozenset({"suffix"}),
            rename={"name": "file"},
            add={"tags": ("a", "b"), "year": 2026},
        ),
    )
    stored = json.loads(json.dumps(to_recipe(request)))
    monkeypatch.chdir("/")
    again = from_recipe(stored, tenant="acme")
    assert again.source.location == str(tmp_path / "docs" / "*.md")
    assert again.source.options == {"ignore": ["a", "b"], "depth": 2, "on": "2026-01-31", "at": "x"}
    assert (again.acl, again.mapping) == (request.acl, request.mapping)
    assert again.mapping.fingerprint == request.mapping.fingerprint
    assert to_recipe(again) == stored


def test_what_no_json_can_hold_is_refused() -> None:
    cyclic: dict[str, object] = {}
    cyclic["self"] = cyclic
    for value in (object(), cyclic):
        source = SourceDescription(location="https://ana:secret@x/", options={"client": value})
        with pytest.raises(UsageError, match="cannot be stored as JSON") as raised:
            to_recipe(SourceRequest(source=source))
        assert "secret" not in str(raised.value)


def test_what_would_admit_nobody_or_could_not_be_stored_is_refused() -> None:
    source = SourceDescription(location="docs")
    with pytest.raises(UsageError, match="no principal"):
        SourceRequest(source=source, acl=frozenset({"staff"}))
    with pytest.raises(UsageError, match="cannot be stored"):
        SourceRequest(source=source, tenant="a\0b")
