"""A source is asked for again as it was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
    "location", ["https://a.example/x", "s3://bucket/key", "sqlite:////var/data.db", "imap://u@h/INBOX"]
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
