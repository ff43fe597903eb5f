"""Paths and URIs told apart, made to last, made fit to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragmem.ingestion.locations import anchored, scheme_of, shown


@pytest.mark.parametrize(
    ("location", "scheme"),
    [
        ("docs/a.md", None),
        ("C:\\docs", None),
        ("c:/docs", None),
        ("HTTPS://x", "https"),
        ("git+ssh://x", "git+ssh"),
        ("mbox:in", "mbox"),
        ("./a:b", None),
        ("git@host:path", None),
        ("ab\0:x", None),
        ("s3://" + "x" * 5000, "s3"),
    ],
)
def test_schemes(location: str, scheme: str | None) -> None:
    assert scheme_of(location) == scheme


def test_paths_are_anchored_also_after_a_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    (tmp_path / "in.mbox").touch()
    (tmp_path / "odd: name").touch()
    expected = {
        "docs": f"{tmp_path}/docs",
        "../docs": f"{tmp_path.parent}/docs",
        "docs/**/*.md": f"{tmp_path}/docs/**/*.md",
        "/docs/": "/docs",
        "~/docs": "/home/ana/docs",
        "~nobody-here/docs": f"{tmp_path}/~nobody-here/docs",
        "odd: name": f"{tmp_path}/odd: name",
        "mbox:in.mbox": f"mbox:{tmp_path}/in.mbox",
        "mbox:elsewhere": "mbox:elsewhere",
        "mbox:/in.mbox": "mbox:/in.mbox",
        "sqlite:///shop.db?mode=ro": f"sqlite:///{tmp_path}/shop.db?mode=ro",
        "sqlite+pysqlite:////shop.db": "sqlite+pysqlite:////shop.db",
        "sqlite://": "sqlite://",
        "https://in.mbox/": "https://in.mbox/",
        "file:///docs": "file:///docs",
        "https://host/a#access_token=x": "https://host/a",
        "feed+https://host/a?b#c": "feed+https://host/a?b",
        "feed:HTTP://host/a#c": "feed:HTTP://host/a",
        "feed://host/a#c": "feed://host/a",
        "s3://bucket/a#b": "s3://bucket/a#b",
    }
    assert {each: anchored(each, folder=tmp_path) for each in expected} == expected


@pytest.mark.parametrize(
    ("location", "fit"),
    [
        ("postgresql://ana:secret@host/shop", "postgresql://…@host/shop"),
        ("imaps://ana:se/c@r:et@host/", "imaps://…@host/"),
        ("https://host:8080/a@b", "https://host:8080/a@b"),
        ("https://[::1]:8080/a@b", "https://[::1]:8080/a@b"),
        ("https://u:p@[::1]/", "https://…@[::1]/"),
        ("https://host:443/?a=b@c", "https://host:443/?a=b@c"),
        ("https://host/a#access_token=secret", "https://host/a"),
        ("sftp://ana@host/x", "sftp://…@host/x"),
        ("nosuch://TOKEN@h", "nosuch://…@h"),
        ("nosuch://TO?K#EN@h", "nosuch://…@h"),
        ("nosuch:u:TOKEN@h", "nosuch:…@h"),
        ("nosuch:u:TOKEN", "nosuch:…"),
        ("nosuch:TOKEN@h", "nosuch:…@h"),
        ("postgresql://u:TOKEN", "postgresql://…"),
        ("postgresql://u:TOKEN/db", "postgresql://…/db"),
        ("postgresql://[u:TOKEN@h/db", "postgresql://…@h/db"),
        ("github://u:TOKEN@o:r@main/x", "github://…@main/x"),
        ("github://o:r/x", "github://o:r/x"),
        ("github://o:r.x@v1/y", "github://o:r.x@v1/y"),
        ("feed:https://u:TOKEN@h/a", "feed:https://…@h/a"),
        ("feed:https://h:80/a", "feed:https://h:80/a"),
        ("https:u:TOKEN@h", "https:…@h"),
        ("https:/u:TOKEN@h", "https:/…@h"),
        ("user:TOKEN@h", "user:…@h"),
        ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
        ("mbox:/mail/a:b@c", "mbox:/mail/a:b@c"),
        ("file:C:\\docs\\a@b", "file:C:\\docs\\a@b"),
        ("C:\\docs\\a@b", "C:\\docs\\a@b"),
        ("git@host:team/a.git", "git@host:team/a.git"),
        ("docs/a:b@c", "docs/a:b@c"),
    ],
)
def test_passwords_are_not_shown(location: str, fit: str) -> None:
    assert shown(location) == fit


def test_an_archive_is_found_from_the_folder(tmp_path: Path) -> None:
    assert anchored("zip://a.zip/x", folder=tmp_path) == f"zip://{tmp_path}/a.zip/x"
    assert anchored("zip:///a.zip", folder=tmp_path) == "zip:///a.zip"
