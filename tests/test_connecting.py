"""Which connector a location gets, and what its options must be."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.files import FilesConnector
from connectors.git import GitConnector
from connectors.notes import NotesConnector
from ragmem import SourceDescription, UnknownSource, UsageError
from ragmem.connecting import check_connectors, connect, connector_name, takes_text

Install = Callable[..., None]

WIKI = """
from typing import Any, Literal

class Wiki:
    schemes = frozenset({"wiki"})

    @classmethod
    def recognizes(cls, location):
        return "wiki" in location

    def __init__(
        self,
        location: str,
        *,
        pages: tuple[str, ...] = (),
        kinds: frozenset[str] | None = None,
        key: str | tuple[str, ...] = "id",
        depth: int = 1,
        rate: float | None = None,
        follow: bool = False,
        style: Literal["new", "old"] = "new",
        arguments: dict[str, Any] | None = None,
        schema: str = "",
        suffixes: frozenset[str] | None = None,
    ) -> None:
        self.location = location
        self.given = {name: value for name, value in locals().items() if name != "self"}
        self.source_uri = location
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Install a package that brings connectors."""

    def call(package: str, code: str, **connectors: str) -> None:
        site = tmp_path / f"site-{package}"
        info = site / f"{package}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [f"{name} = {package}:{kind}" for name, kind in connectors.items()]
        (info / "entry_points.txt").write_text("\n".join(["[ragmem.connectors]", *lines, ""]))
        (site / f"{package}.py").write_text(code)
        monkeypatch.syspath_prepend(site)

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def name_for(location: str | Path, **more: Any) -> str:
    return connector_name(SourceDescription(location=str(location), **more))


def made(location: str | Path, **options: object) -> Any:
    return connect(SourceDescription(location=str(location), options=options), defaults={})


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("docs", "files"),
        ("docs/**/*.md", "files"),
        ("C:\\docs", "files"),
        ("file:///docs", "files"),
        ("FILE:///docs", "files"),
        ("https://example.com/", "web"),
        ("https://example.com/sitemap.xml", "web"),
        ("https://example.com/report.pdf", "remote"),
        ("https://example.com/feed.xml", "feed"),
        ("https://example.com/team/book.git", "git"),
        ("git@example.com:team/book.git", "git"),
        ("s3://bucket/key", "remote"),
        ("imaps://ana@example.com", "imap"),
        ("postgresql+psycopg://example.com/shop", "database"),
        ("mbox:old", "mail"),
        ("obsidian:Vault", "notes"),
        ("slack:export.zip", "chats"),
        ("llama-index:package.module.Reader", "llama-index"),
        ("s3://bucket/" + "long" * 200, "remote"),
    ],
)
def test_what_is_nowhere_goes_by_its_name(here: Path, location: str, name: str) -> None:
    assert name_for(location) == name


def test_a_vault_in_a_git_checkout_is_notes_and_the_checkout_is_files(here: Path) -> None:
    subprocess.run(["git", "init", "-q", here], check=True)
    (here / "README.md").write_text("hello")
    assert name_for(here) == "files"
    (here / "vault" / ".obsidian").mkdir(parents=True)
    (here / "vault" / "note.md").write_text("hello")
    assert name_for(here / "vault") == "notes"
    assert name_for(here / "vault" / "note.md") == "files"
    assert name_for(here / "vault", connector="files") == "files"
    assert isinstance(made(here / "vault"), NotesConnector)
    named = SourceDescription(location=str(here), connector="git")
    assert isinstance(connect(named, defaults={}), GitConnector)


@pytest.mark.parametrize("name", ["http:", "notes: 2024", "s3:x", "a:b.md"])
def test_a_path_with_a_colon_is_a_path_where_it_is_there(here: Path, name: str) -> None:
    (here / name).mkdir()
    assert name_for(name) == "files"
    assert name_for(f"./{name}") == "files"
    assert made(name).source_uri == (here / name).as_uri()


@pytest.mark.parametrize("location", ["nowhere", "./http:nowhere", "C:\\docs"])
def test_a_path_that_is_not_there_is_named(here: Path, location: str) -> None:
    with pytest.raises(UnknownSource, match=re.escape(location) + ": no such file or folder"):
        made(location)


def test_an_unknown_scheme_or_name_says_what_there_is(here: Path) -> None:
    with pytest.raises(UnknownSource, match=r"no connector is installed for weird: .*begins with"):
        made("weird://x")
    with pytest.raises(UnknownSource, match=r"'nope'; installed are chats, .*, web"):
        name_for("x", connector="nope")
    with pytest.raises(UnknownSource) as raised:
        made("weird://ana:pass/w@rd@x/")
    assert "rd" not in str(raised.value).split(";")[0].split("weird:", 2)[2]


def test_another_package_brings_a_connector(install: Install, here: Path) -> None:
    install("wikipackage", WIKI, wiki="Wiki")
    assert "wiki" in sorted(check_connectors())
    assert name_for("wiki://x") == "wiki"
    assert name_for("my-wiki-folder") == "wiki"
    assert made("wiki://x", pages=["a", "b"]).given["pages"] == ("a", "b")


def test_another_package_never_takes_what_is_ours(install: Install, here: Path) -> None:
    greedy = WIKI.replace('{"wiki"}', '{"https", "file", "s3"}').replace('"wiki" in', '"v" in')
    install("agreedy", greedy, aaa="Wiki", files="Wiki", zzz="Wiki")
    (here / "vault" / ".obsidian").mkdir(parents=True)
    assert name_for(here / "vault") == "notes"
    assert name_for("https://example.com/report.pdf") == "remote"
    named = SourceDescription(location=str(here), connector="files")
    assert isinstance(connect(named, defaults={}), FilesConnector)
    assert name_for("https://example.com/") == "web"
    assert name_for("s3://bucket/") == "remote"
    assert name_for("x", connector="zzz") == "zzz"
    assert name_for("s3://own/v") == "aaa"  # recognized wins over the scheme


@pytest.mark.parametrize(
    "code",
    [
        "import no_such_module",
        "raise SystemError('at import')",
        "this is no Python",
        "Other = 1",
        "class Wiki: pass",
        "class Wiki:\n schemes = 'wiki'",
        "class Wiki:\n schemes = frozenset()\n recognizes = classmethod(lambda c, l: 1 / 0)",
    ],
)
def test_a_broken_package_keeps_nobody_from_their_files(
    install: Install, here: Path, code: str
) -> None:
    install("broken", code, aaa="Wiki")
    assert name_for(here) == "files"
    assert made(here).source_uri == here.as_uri()
    with pytest.raises(UnknownSource, match=r"the connector aaa .*cannot"):
        name_for("weird://x")


def test_what_a_connector_raises_unforeseen_names_connector_and_source(
    install: Install, here: Path
) -> None:
    code = WIKI.replace("self.location = location", "raise KeyError('home')")
    install("raising", code, wiki="Wiki")
    with pytest.raises(UsageError, match=r"connector wiki cannot be made for wiki://x: KeyError"):
        made("wiki://x")


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({"pages": ["a"]}, {"pages": ("a",)}),
        ({"pages": "a"}, {"pages": ("a",)}),
        ({"kinds": ["a", "a"]}, {"kinds": frozenset({"a"})}),
        ({"kinds": None}, {"kinds": None}),
        ({"key": "a"}, {"key": "a"}),
        ({"key": ["a", "b"]}, {"key": ("a", "b")}),
        ({"depth": 3, "rate": 2, "follow": True}, {"depth": 3, "rate": 2.0, "follow": True}),
        ({"style": "old", "schema": "x"}, {"style": "old", "schema": "x"}),
        ({"arguments": {"a": [1, {"b": 2}]}}, {"arguments": {"a": [1, {"b": 2}]}}),
    ],
)
def test_options_get_the_types_that_the_connector_declares(
    install: Install, options: dict[str, object], given: dict[str, object]
) -> None:
    install("wikipackage", WIKI, wiki="Wiki")
    connector = made("wiki://x", **options)
    assert {name: connector.given[name] for name in given} == given
    assert all(type(connector.given[name]) is type(value) for name, value in given.items())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"page": ["a"]}, "there is no page; the options of the connector wiki are arguments, dep"),
        ({"pages": 5}, "pages is 5, expected a list of texts"),
        ({"pages": [5]}, "pages is [5], expected a list of texts"),
        ({"kinds": {"a": 1}}, "expected a list of texts"),
        ({"key": 5}, "key is 5, expected a text or a list of texts"),
        ({"depth": "deep"}, "depth is 'deep', expected a whole number"),
        ({"depth": 1.5}, "depth is 1.5, expected a whole number"),
        ({"rate": "fast"}, "rate is 'fast', expected a number"),
        ({"follow": "maybe"}, "follow is 'maybe', expected true or false"),
        ({"style": "odd"}, "style is 'odd', expected one of new, old"),
        ({"arguments": ["a"]}, "arguments is ['a'], expected a mapping"),
        ({"depth": "x", "nope": 1}, "depth is 'x', expected a whole number; there is no nope"),
        ({"schema": "x" * 500 + "y", "depth": "x" * 500}, "'xxx"),
    ],
)
def test_a_wrong_option_names_itself_its_connector_and_the_source(
    install: Install, options: dict[str, object], message: str
) -> None:
    install("wikipackage", WIKI, wiki="Wiki")
    with pytest.raises(UsageError) as raised:
        made("wiki://x", **options)
    assert message in str(raised.value)
    assert "wrong options for wiki://x: " in str(raised.value)
    assert len(str(raised.value)) < 400


def test_a_missing_option_is_asked_for() -> None:
    with pytest.raises(UsageError, match="query is missing; key is missing"):
        made("sqlite:///x.db")


def test_defaults_are_for_connectors_that_take_them(install: Install) -> None:
    install("wikipackage", WIKI, wiki="Wiki")
    defaults = {"suffixes": frozenset({".md"}), "max_file_bytes": 5}
    source = SourceDescription(location="wiki://x", options={"depth": 2})
    assert connect(source, defaults=defaults).given["suffixes"] == {".md"}  # type: ignore[attr-defined]
    source = SourceDescription(location="wiki://x", options={"suffixes": [".txt"]})
    assert connect(source, defaults=defaults).given["suffixes"] == {".txt"}  # type: ignore[attr-defined]


def test_a_location_that_the_system_cannot_look_up_is_refused(here: Path) -> None:
    for location in ("a\0b", "x" * 5000, "deep/" * 2000, "~nobody-here/docs"):
        with pytest.raises(UsageError):
            made(location)


def test_the_connectors_of_ours_can_all_be_loaded() -> None:
    assert set(check_connectors().values()) == {""}


@pytest.mark.parametrize(
    ("location", "option", "expected"),
    [
        ("sqlite:///a.db", "template", True),
        ("sqlite:///a.db", "key", True),
        ("sqlite:///a.db", "timeout_seconds", False),
        ("docs", "ignore", False),
        ("docs", "no_such", False),
    ],
)
def test_which_options_may_be_texts(location: str, option: str, expected: bool) -> None:
    assert takes_text(SourceDescription(location=location), option) is expected
