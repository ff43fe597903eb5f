"""Vaults and exports of notes: links, tags, properties, and what is passed over."""

import json
import os
import zipfile
from pathlib import Path

import pytest
import yaml
from export_layouts import NOTION_ID, notion, obsidian, pack, write
from hypothesis import given
from hypothesis import strategies as st

from connectors.notes import NotesConnector
from connectors.notes_links import NoteLinks, without_ids
from connectors.notes_properties import split_front_matter
from connectors.notes_text import read_note
from ragmem.errors import PermanentSourceError, SourceError, TransientSourceError, UnknownSource
from ragmem.types import RawDocument, SkippedItem, SourceItem

PART = "Export-5f0c1a2b-0000-4000-8000-0123456789ab-Part-1.zip"


def items(connector: NotesConnector) -> dict[str, SourceItem]:
    return {item.uri: item for item in connector.discover() if isinstance(item, SourceItem)}


def skipped(connector: NotesConnector) -> dict[str, str]:
    found = (item for item in connector.discover() if isinstance(item, SkippedItem))
    return {item.uri.rpartition("/")[2]: item.reason for item in found}


def fetched(connector: NotesConnector) -> dict[str, RawDocument]:
    return {uri.rpartition("/")[2]: connector.fetch(item) for uri, item in items(connector).items()}


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    return write(tmp_path / "Vault", obsidian())


# --- Obsidian ---


def test_a_vault_is_recognized_and_listed(vault: Path) -> None:
    assert NotesConnector.recognizes(str(vault))
    connector = NotesConnector(vault)
    assert [uri.removeprefix(vault.as_uri()) for uri in items(connector)] == [
        "/Garden.md",
        "/Lamp.md",
        "/Plan.canvas",
        "/Templates/Daily.md",
        "/a/Other.md",
        "/a/b/Deep%20Note.md",
        "/report.csv",
    ]
    assert not skipped(connector)
    assert NotesConnector(connector.source_uri).source_uri == connector.source_uri


def test_links_tags_and_front_matter_become_metadata(vault: Path) -> None:
    note = fetched(NotesConnector(vault))["Lamp.md"]
    assert note.title == "The Lamp"
    assert note.metadata == {
        "bought": "2024-05-06",
        "price": 19.5,
        "maker.name": "Luxo",
        "related": "Garden",
        "name": "Lamp.md",
        "suffix": ".md",
        "folder": "",
        "modified_at": note.modified_at.isoformat() if note.modified_at else None,
        "links": (f"{vault.as_uri()}/Garden.md", f"{vault.as_uri()}/a/b/Deep%20Note.md", "Nowhere"),
        "tags": ("home/light", "todo", "buy/soon"),
        "aliases": ("light", "old lamp"),
    }


def test_the_text_keeps_what_a_reader_sees(vault: Path) -> None:
    text = str(fetched(NotesConnector(vault))["Lamp.md"].content)
    assert text == (
        "# Lamp\n\nSee the garden and roots, #buy/soon.\n\n"
        " Garden map [site](https://example.com) Nowhere\n\n"
        "`[[not a link]]` and `#nottag`\n\n```\n[[code]] #nocode\n```\n%% hidden comment %%\n"
    )


@pytest.mark.parametrize(
    ("markdown", "text", "targets", "tags"),
    [
        ("[[A#B|c]]", "c", ["A#B"], []),
        ("[[A#B#C]] [[#Here]] [[A#^b1]]", "A > B > C Here A", ["A#B#C", "#Here", "A#^b1"], []),
        ("| [[A\\|b]] |", "| b |", ["A"], []),
        ("![[a.PNG|100]]x", "x", ["a.PNG"], []),
        ("![alt](my%20pic.png) [t](<a b.md>)", "alt t", ["my pic.png", "a b.md"], []),
        ("[w](https://a.b/c_(d)) https://x.y/#z", "[w](https://a.b/c_(d)) https://x.y/#z", [], []),
        ("a#b #1 #2024 #a1 #é/ü #x-y_z, (#p)", "a#b #1 #2024 #a1 #é/ü #x-y_z, (#p)", [],
         ["a1", "é/ü", "x-y_z", "p"]),
        ("#[[two words]]", "two words", [], ["two words"]),
        ("``a `[[b]]` c`` [[d]]", "``a `[[b]]` c`` d", ["d"], []),
        ("~~~\n```\n[[a]]\n~~~\n[[b]]", "~~~\n```\n[[a]]\n~~~\nb", ["b"], []),
        ("para ^id-1\n^id2", "para", [], []),
        ("x^2 and 2 ^ 3", "x^2 and 2 ^ 3", [], []),
        ("[[unclosed [a](b", "[[unclosed [a](b", [], []),
    ],
)  # fmt: skip
def test_reading_markdown(markdown: str, text: str, targets: list[str], tags: list[str]) -> None:
    note = read_note(markdown)
    assert (note.text, list(note.targets), list(note.tags)) == (text, targets, tags)


@given(st.text(alphabet='[]()#!|`~^ab/\\\n "<>', max_size=80))
def test_any_markdown_can_be_read(markdown: str) -> None:
    note = read_note(markdown)
    assert len(note.text.splitlines()) <= len(markdown.splitlines())
    assert all(target.strip() and "[[" not in target for target in note.targets)


@pytest.mark.parametrize("unit", ["`a", "[", "[[", "![", "[a](", "#a/", "`` ", "[[a|"])
def test_long_lines_take_no_long_time(unit: str) -> None:
    assert len(read_note(unit * (19_000 // len(unit))).text) > 9_000


def test_a_link_finds_the_nearest_by_its_shortest_path() -> None:
    links = NoteLinks(["z/Note.md", "a/b/Note.md", "Top.md", "a/Top.md", "pic.png", "Dot.v2.md"])
    resolved = {
        target: links.resolve(target, source="a/b/Here.md")
        for target in ("Note", "NOTE.md", "b/note", "z/Note#x", "Top", "./Note", "../Top",
                       "../../Top", "/a/Top", "/Note", "pic.png", "Dot.v2", "None", "#self",
                       "../../../Top", "../../../../etc/passwd")
    }  # fmt: skip
    assert resolved == {
        "Note": "a/b/Note.md",
        "NOTE.md": "a/b/Note.md",
        "b/note": "a/b/Note.md",
        "z/Note#x": "z/Note.md",
        "Top": "Top.md",
        "./Note": "a/b/Note.md",
        "../Top": "a/Top.md",
        "../../Top": "Top.md",
        "/a/Top": "a/Top.md",
        "/Note": None,
        "pic.png": "pic.png",
        "Dot.v2": "Dot.v2.md",
        "None": None,
        "#self": "a/b/Here.md",
        "../../../Top": None,
        "../../../../etc/passwd": None,
    }


@pytest.mark.parametrize(
    "front",
    [
        "a: [1", "- a\n- b", "just text", "a: &x [1]\nb: *x", "? {a: b}\n: c\n: d",
        "a: !!python/x 1",
        "a: " + "[" * 3_000 + "]" * 3_000, "a: " + "{a: " * 3_000 + "}" * 3_000,
        "a: " + "[" * 40_000 + "]" * 40_000, "a:\n" + "- " * 40_000,
        "a: " + ":".join(["59"] * 5_000), "a: [" + ":".join(["59"] * 5_000) + "]",
        ":".join(["59"] * 5_000) + ": a",
    ],
    ids=lambda front: front[:20],
)  # fmt: skip
def test_broken_front_matter_stays_in_the_text(front: str) -> None:
    markdown = f"---\n{front}\n---\nbody\n"
    assert split_front_matter(markdown) == ({}, markdown, True)


def test_a_note_with_broken_front_matter_is_read(vault: Path) -> None:
    for name, value in (("Deep", "[" * 40_000), ("Long", ":".join(["59"] * 5_000))):
        (vault / f"{name}.md").write_text(f"---\na: {value}\n---\nThe text.\n")
        note = fetched(NotesConnector(vault))[f"{name}.md"]
        assert note.metadata["front_matter"] == "broken"
        assert "The text." in str(note.content)


def test_bytes_that_no_store_holds_are_left_out(vault: Path) -> None:
    (vault / "Odd.md").write_bytes(b"# O\0dd\n\n\xff [[a\0b]] #t\xc3\n")
    odd = fetched(NotesConnector(vault))["Odd.md"]
    assert (odd.title, odd.content) == ("Odd", "# Odd\n\n\ufffd ab #t\ufffd\n")
    assert odd.metadata["links"] == ("ab",)


def test_front_matter_of_every_kind() -> None:
    fields = {
        "when": "2024-05-06T07:08:09Z",
        "none": None,
        "big": 2**70,
        "nan": float("nan"),
        "list": [1, None, "[[Note|n]]", {"a": 1}],
        "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}},
        7: True,
    }
    properties, rest, broken = split_front_matter(
        f"---\n{yaml.safe_dump(fields)}---\nbody".replace("'2024", "2024").replace("09Z'", "09Z")
    )
    assert not broken
    assert rest == "body"
    assert properties == {
        "7": True,
        "when": "2024-05-06T07:08:09+00:00",
        "big": str(2**70),
        "nan": "nan",
        "list": ("1", "n", '{"a": 1}'),
        "deep.a.b.c.d": '{"e": 1}',
    }
    assert split_front_matter("---\r\na: 1\r\n---\r\nx") == ({"a": 1}, "x", False)
    assert split_front_matter("---\n---\nx") == ({}, "x", False)
    assert split_front_matter("text\n---\na: 1\n---\n")[0] == {}


def test_a_canvas_is_its_texts(vault: Path) -> None:
    canvas = fetched(NotesConnector(vault))["Plan.canvas"]
    assert canvas.name == "Plan.md"
    assert canvas.content == (
        "Plan the Garden\n\nLamp.md\n\nhttps://example.com/plan\n\n## Spring\n\nneeds\n"
    )
    assert canvas.metadata["links"] == (f"{vault.as_uri()}/Garden.md", f"{vault.as_uri()}/Lamp.md")
    (vault / "Plan.canvas").write_text("{")
    with pytest.raises(PermanentSourceError, match="the canvas is broken"):
        fetched(NotesConnector(vault))


def test_templates_and_named_folders_are_passed_over(vault: Path) -> None:
    (vault / ".obsidian" / "templates.json").write_text(json.dumps({"folder": "Templates/"}))
    names = fetched(NotesConnector(vault, ignore=("a/b",)))
    assert "Daily.md" not in names
    assert "Deep%20Note.md" not in names
    assert "Other.md" in names


def test_notes_without_content_are_no_documents_or_speak_by_their_title(vault: Path) -> None:
    (vault / "Nothing.md").touch()
    (vault / "Fields.md").write_text("---\na: 1\n---\n")
    notes = fetched(NotesConnector(vault))
    assert "Nothing.md" not in notes
    assert notes["Fields.md"].content == "# Fields\n"


def test_a_note_is_fetched_again_only_where_it_may_differ(vault: Path) -> None:
    connector = NotesConnector(vault)
    before = items(connector)
    assert items(connector) == before
    (vault / "Garden.md").write_text("changed")
    after = items(connector)
    assert {uri for uri in before if before[uri] != after[uri]} == {f"{vault.as_uri()}/Garden.md"}
    (vault / "Nowhere.md").write_text("It is here now")
    links = fetched(connector)["Lamp.md"].metadata["links"]
    assert isinstance(links, tuple)
    assert f"{vault.as_uri()}/Nowhere.md" in links
    assert items(connector)[f"{vault.as_uri()}/Lamp.md"] != before[f"{vault.as_uri()}/Lamp.md"]


def test_links_are_not_followed_out_of_the_vault(vault: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    (vault / "link.md").symlink_to(tmp_path / "secret.md")
    (vault / "loop").symlink_to(vault)
    connector = NotesConnector(vault)
    assert set(skipped(connector)) == {"link.md", "loop"}
    assert all("symbolic link" in reason for reason in skipped(connector).values())
    item = items(connector)[f"{vault.as_uri()}/a/Other.md"]
    (vault / "a" / "Other.md").unlink()
    (vault / "a" / "b" / "Deep Note.md").unlink()
    (vault / "a" / "b").rmdir()
    (vault / "a").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "Other.md").write_text("secret")
    (vault / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SourceError, match="leads out"):
        connector.fetch(item)


def test_what_cannot_be_read_says_why(vault: Path) -> None:
    (vault / "song.xyz").write_text("x")
    (vault / "large.md").write_text("x" * 3000)
    connector = NotesConnector(vault, suffixes=frozenset({".csv"}), max_file_bytes=2000)
    assert skipped(connector) == {
        "large.md": "the file has 3,000 bytes, more than the 2,000 allowed; raise max_file_bytes",
        "song.xyz": "no parser for .xyz files",
    }
    item = items(connector)[f"{vault.as_uri()}/Lamp.md"]
    (vault / "Lamp.md").unlink()
    with pytest.raises(TransientSourceError):
        connector.fetch(item)
    with pytest.raises(UnknownSource):
        NotesConnector(vault / "none")


def test_a_zipped_vault_reads_alike(vault: Path, tmp_path: Path) -> None:
    layout = {f"Vault/{name}": text for name, text in obsidian().items()}
    archive = pack(tmp_path / "vault.zip", layout)
    assert NotesConnector.recognizes(str(archive))
    by_name = fetched(NotesConnector(archive))
    folder = fetched(NotesConnector(vault))
    assert {name: raw.content for name, raw in by_name.items()} == {
        name: raw.content for name, raw in folder.items()
    }
    assert all(
        uri.startswith("obsidian:home/") for uri in items(NotesConnector(archive, name="home"))
    )


def test_names_that_are_no_text_are_shown_as_text(vault: Path) -> None:
    (vault / os.fsdecode(b"caf\xe9.md")).write_text("x")
    (vault / "two\nlines.md").write_text("x")
    os.mkfifo(vault / "pipe.md")
    notes = fetched(NotesConnector(vault))
    assert notes["caf%E9.md"].title == "caf\ufffd"
    assert notes["two%0Alines.md"].name == "two lines.md"
    assert "pipe.md" not in notes


def test_a_plain_folder_is_not_taken_for_notes(tmp_path: Path) -> None:
    folder = write(tmp_path / "docs", {"a.md": "x", "b" + "0" * 32 + ".pdf": "x"})
    (folder / PART).touch()
    assert not NotesConnector.recognizes(str(folder))
    (folder / PART).unlink()
    assert not NotesConnector.recognizes(str(folder / "a.md"))
    assert not NotesConnector.recognizes(str(folder / "none"))
    with pytest.raises(PermanentSourceError, match="say which with kind"):
        list(NotesConnector(folder).discover())
    assert len(items(NotesConnector(folder, kind="obsidian"))) == 2


# --- Notion ---


def test_a_notion_export_in_every_packing(tmp_path: Path) -> None:
    folder = write(tmp_path / "export", notion())
    archive = pack(tmp_path / "export.zip", notion())
    part = pack(tmp_path / "part.zip", notion()).read_bytes()
    nested = pack(tmp_path / "outer.zip", {PART: part})
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    (unpacked / PART).write_bytes(part)
    expected = None
    for location in (folder, archive, nested, unpacked):
        assert NotesConnector.recognizes(str(location))
        connector = NotesConnector(location)
        found = {
            uri: (raw.title, raw.name, raw.content, {**raw.metadata, "modified_at": ""})
            for uri, raw in fetched(connector).items()
        }
        connector.close()
        assert expected is None or found == expected
        expected = found
    assert expected is not None
    title, name, content, metadata = expected[f"notion:{NOTION_ID}"]
    assert (title, name, content) == ("Wiki", "Wiki.md", "# Wiki\n\nTasks and Fix lamp\n")
    assert metadata["links"] == (f"notion:{'2' * 32}.csv", f"notion:{'1' * 32}")
    task = expected[f"notion:{'1' * 32}"]
    assert task[3]["folder"] == "Wiki/Tasks"
    assert (task[3]["Status"], task[3]["Due"]) == ("Open", "March 9, 2026")
    base = expected[f"notion:{'2' * 32}.csv"]
    assert base[:2] == ("Tasks", "Tasks.csv")
    assert b"Old,Done" in base[2], "the whole database, not the view of it"
    assert len(expected) == 3


def test_a_notion_export_as_html(tmp_path: Path) -> None:
    task = "1" * 32
    layout = {
        "index.html": "<a href='x'>all</a>",
        f"Wiki {NOTION_ID}.html": (
            f'<a href="https://example.com">out</a><a href="Fix%20it%20{task}.html">Fix</a>'
        ),
        f"Fix it {task}.html": "<h1>Fix it</h1>",
    }
    pages = fetched(NotesConnector(pack(tmp_path / "a.zip", layout)))
    assert set(pages) == {f"notion:{NOTION_ID}", f"notion:{task}"}
    assert pages[f"notion:{NOTION_ID}"].metadata["links"] == (f"notion:{task}",)
    assert pages[f"notion:{task}"].title == "Fix it"


def test_names_without_their_ids() -> None:
    assert without_ids(f"Wiki {NOTION_ID}/Fix v1.2 {NOTION_ID}.md") == "Wiki/Fix v1.2.md"
    assert without_ids(f"Tasks {NOTION_ID}_all.csv") == "Tasks.csv"
    assert without_ids(f"{NOTION_ID}.md") == f"{NOTION_ID}.md"
    assert without_ids("Plain.pdf") == "Plain.pdf"


def test_a_bomb_inside_the_export_is_reported(tmp_path: Path) -> None:
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"Big {NOTION_ID}.md", b"\0" * (64 << 20))
        archive.writestr("../../out.md", "x")
    outer = pack(tmp_path / "outer.zip", {PART: inner.read_bytes()})
    connector = NotesConnector(outer)
    assert not items(connector)
    assert "a ZIP bomb" in skipped(connector)[f"notion:{NOTION_ID}"]
    connector.close()
    outer.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(TransientSourceError, match="no readable ZIP"):
        list(NotesConnector(outer, kind="notion").discover())


# --- Logseq ---


def test_a_logseq_graph(tmp_path: Path) -> None:
    graph = write(
        tmp_path / "graph",
        {
            "logseq/config.edn": "{}",
            "logseq/bak/old.md": "old",
            "pages/House___Lamp.md": (
                "title:: The Lamp\ntags:: light, home\nalias:: bulb\n\n"
                "- See [[Garden]] #[[to do]]\n"
            ),
            "pages/Garden.md": "- Roses\n",
            "journals/2026_03_01.md": "- Watered\n",
        },
    )
    assert NotesConnector.recognizes(str(graph))
    notes = fetched(NotesConnector(graph))
    assert set(notes) == {"House___Lamp.md", "Garden.md", "2026_03_01.md"}
    lamp = notes["House___Lamp.md"]
    assert lamp.title == "The Lamp"
    assert lamp.content == "- See Garden to do\n"
    assert lamp.metadata["tags"] == ("light", "home", "to do")
    assert lamp.metadata["aliases"] == ("bulb",)
    assert lamp.metadata["links"] == (f"{graph.as_uri()}/pages/Garden.md",)
