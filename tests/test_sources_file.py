"""Sources described in YAML."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ragmem import MetadataMapping, UsageError
from ragmem.connecting import check_connectors, connect, connector_name
from ragmem.sources_file import ListedSource, read_sources_file

EXAMPLE = Path(__file__).parent.parent / "examples" / "sources.yaml"


def read(folder: Path, text: str) -> list[ListedSource]:
    path = folder / "sources.yaml"
    path.write_text(text, encoding="utf-8")
    return read_sources_file(path)


def test_everything_a_source_can_say(tmp_path: Path) -> None:
    [listed] = read(
        tmp_path,
        """
        sources:
          - source: docs/
            connector: files
            options: {ignore: ["*.tmp"], since: 2026-01-31, depth: 2}
            tenant: acme
            acl: [group:staff, user:ana]
            metadata:
              keep: [name, author]
              drop: [suffix]
              rename: {author: written_by}
              add: {team: search, year: 2026, open: true, tags: [a, b], day: 2026-01-31}
            allow_mass_delete: true
        """,
    )
    request = listed.request
    assert listed.allow_mass_delete
    assert request.source.location == str(tmp_path / "docs")
    assert request.source.connector == "files"
    # A date stays a text: connectors and the store's JSON know no other.
    assert request.source.options == {"ignore": ["*.tmp"], "since": "2026-01-31", "depth": 2}
    assert (request.tenant, request.acl) == ("acme", {"group:staff", "user:ana"})
    assert request.mapping == MetadataMapping(
        keep=frozenset({"name", "author"}),
        drop=frozenset({"suffix"}),
        rename={"author": "written_by"},
        add={"team": "search", "year": 2026, "open": True, "tags": ("a", "b"), "day": "2026-01-31"},
    )
    mapped = request.mapping.apply({"name": "x", "author": "Ana", "suffix": ".md", "other": 1})
    assert mapped.keys() == {"name", "written_by", "team", "year", "open", "tags", "day"}


def test_paths_start_from_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ana")
    (tmp_path / "a: b").mkdir()
    listed = read(
        tmp_path,
        "sources: [{source: docs}, {source: ../*.md}, {source: ~/docs}, {source: 'a: b'}, "
        "{source: 'https://x/'}, {source: 'sqlite:///x.db'}]",
    )
    assert [each.request.source.location for each in listed] == [
        f"{tmp_path}/docs",
        f"{tmp_path.parent}/*.md",
        "/home/ana/docs",
        f"{tmp_path}/a: b",
        "https://x/",
        f"sqlite:///{tmp_path}/x.db",
    ]


def test_anchors_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    text = "\ufeffsources:\n- &one\n  source: a\n  acl: [user:ana]\n- <<: *one\n  source: b\n"
    listed = read(tmp_path, text)
    assert [each.request.acl for each in listed] == [{"user:ana"}] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected `sources:`"),
        ("- docs", "expected `sources:`"),
        ("sources: []", "line 1, sources: List should have at least 1 item"),
        (
            "sources:\n- source: a\n  optons: {}",
            "line 3, sources[0].optons: there is no such key; known are source, connector, options",
        ),
        (
            "sources:\n- source: a\n- source: b\n  metadata:\n    ad: {}\n",
            "line 5, sources[1].metadata.ad: there is no such key; known are keep, drop, rename, a",
        ),
        ("sources: [{source: a}]\nsource: b", "line 2, source: there is no such key; known are so"),
        (
            "sources:\n- source: a\n  acl: group:staff",
            "line 3, sources[0].acl: Input should be a v",
        ),
        ("sources:\n- source: a\n- acl: []", "line 3, sources[1].source: Field required"),
        ("sources:\n- source: 5", "line 2, sources[0].source: Input should be a valid string"),
        ("sources:\n- source: ''", "sources[0].source"),
        ("sources:\n- source: a\n  5: b", "Keys should be strings"),
        ("sources:\n- source: a\n  options: {x: 1, on: 2}", "line 3, sources[0].options"),
        ("sources:\n- source: a\n- source: b\n  acl: [staff]", "line 3, sources[1]: 'staff' is no"),
        ("sources:\n- source: a\n  metadata: {add: {x: .nan}}", "the metadata field 'x' is nan"),
        ("sources:\n- source: a\n  metadata: {add: {x: null}}", "the metadata field 'x' is None"),
        (
            "sources:\n- source: a\nsources:\n- source: b",
            "line 3, column 1: the key 'sources' is t",
        ),
        (
            "sources:\n- source: a\n  options: {a: 1, a: 2}",
            "line 3, column 19: the key 'a' is ther",
        ),
        ("sources: [\n", "line 2, column 1: expected the node content"),
        ("\tsources: 1", "line 1, column 1"),
        ("sources: !!python/object:os.system {}", "line 1, column 10: could not determine"),
        ("sources: &a [*a]", "sources[0]"),
        ("sources: \0", "is no YAML"),
        ("sources: [{source: a}]\n---\nsources: []", "found another document"),
        ("[" * 5000, "is no YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, text)
    assert message in str(raised.value)
    assert "sources.yaml" in str(raised.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read_sources_file(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"sources: [{source: caf\xe9}]")
    with pytest.raises(UsageError, match="codec"):
        read_sources_file(tmp_path / "latin.yaml")


def test_the_example_is_right_and_shows_every_connector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SHOP_PASSWORD", "IMAP_PASSWORD"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("HOME", str(tmp_path))
    for folder in ("Documents", "Vault/.obsidian", "exports", "mail"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "mail" / "old.mbox").write_text("From ana Thu Jan  1 00:00:00 2026\n\nhi\n")
    written = EXAMPLE.read_text()
    assert [each.request.source.location for each in read_sources_file(EXAMPLE)] == [
        str(EXAMPLE.parent / "data" / "*.html"),
        str(EXAMPLE.parent / "data"),
    ]
    sources = [
        each.request.source for each in read(tmp_path, re.sub("(?m)^  # (?=[- ])", "  ", written))
    ]
    assert {connector_name(source) for source in sources} == set(check_connectors())
    problems: list[str] = []
    for source in sources:
        try:
            connect(source, defaults={})
        except UsageError as error:  # it looks at what is not here
            problems.append(str(error))
    assert not [each for each in problems if "wrong options" in each]
