"""Finding, judging and reading files."""

import os
import socket
import subprocess
from datetime import UTC
from pathlib import Path

import pytest

from connectors.files import FilesConnector
from ragmem.errors import PermanentSourceError, TransientSourceError, UnknownSource, UsageError
from ragmem.types import SkippedItem, SourceItem


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "docs"
    for name in ("b.md", "a.md", "sub/c.md", "sub/deep/d.txt", ".hidden.md", ".git/e.md"):
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}")
    return made


def names(connector: FilesConnector) -> list[str]:
    found = (item for item in connector.discover() if isinstance(item, SourceItem))
    return [item.uri.rpartition("/docs/")[2] for item in found]


def skipped(connector: FilesConnector) -> dict[str, str]:
    found = (item for item in connector.discover() if isinstance(item, SkippedItem))
    return {item.uri.rpartition("/")[2]: item.reason for item in found}


def only(connector: FilesConnector) -> SourceItem:
    (item,) = connector.discover()
    assert isinstance(item, SourceItem)
    return item


# --- what is listed ---


def test_a_folder_in_order_without_hidden_files(folder: Path) -> None:
    for junk in ("__pycache__", "node_modules", "env"):
        (folder / junk).mkdir()
        (folder / junk / "x.md").write_text("x")
    (folder / "env" / "pyvenv.cfg").touch()
    (folder / "~$a.docx").write_text("lock")
    connector = FilesConnector(folder)
    assert names(connector) == ["a.md", "b.md", "sub/c.md", "sub/deep/d.txt"]
    assert not skipped(connector)
    assert connector.source_uri == folder.as_uri()


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.md", ["a.md", "b.md"]),
        ("**/*.md", ["a.md", "b.md", "sub/c.md"]),
        ("sub/**", ["sub/c.md", "sub/deep/d.txt"]),
        ("**/deep/*", ["sub/deep/d.txt"]),
        ("[ab].m?", ["a.md", "b.md"]),
        ("*/c.md", ["sub/c.md"]),
    ],
)
def test_a_glob(folder: Path, pattern: str, expected: list[str]) -> None:
    connector = FilesConnector(f"{folder}/{pattern}")
    assert names(connector) == expected
    assert names(FilesConnector(connector.source_uri)) == expected
    assert FilesConnector(connector.source_uri).source_uri == connector.source_uri


def test_a_glob_that_matches_nothing_is_no_emptied_source(folder: Path) -> None:
    with pytest.raises(TransientSourceError, match="no file matches the pattern"):
        names(FilesConnector(f"{folder}/nothing*"))


def test_a_single_file_and_its_uri(folder: Path) -> None:
    for location in (folder / "a.md", (folder / "a.md").as_uri(), str(folder / "a.md")):
        connector = FilesConnector(location)
        assert names(connector) == ["a.md"]
        assert connector.source_uri == (folder / "a.md").as_uri()
        assert connector.fetch(only(connector)).content == b"text of a.md"


def test_a_relative_path_is_made_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert FilesConnector("docs").source_uri == folder.as_uri()


@pytest.mark.parametrize("name", ["ä b#c?.md", "100%25.md", "a*b[1].md"])
def test_names_are_percent_encoded_and_read_back(folder: Path, name: str) -> None:
    (folder / name).write_text("odd")
    connector = FilesConnector(folder / name)
    item = only(connector)
    assert item.uri.isascii()
    assert " " not in item.uri
    assert connector.fetch(item).name == name


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_name_that_is_no_utf8(folder: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt"))
    try:
        path.write_text("espresso")
    except OSError:
        pytest.skip("the file system takes only UTF-8 names")
    connector = FilesConnector(f"{folder}/caf*")
    raw = connector.fetch(only(connector))
    assert raw.content == b"espresso"
    assert raw.name == "caf\ufffd.txt"


@pytest.mark.parametrize(
    "location", ["missing", "missing/*.md", "file:///missing/x", "file://host/share"]
)
def test_nothing_there(tmp_path: Path, location: str) -> None:
    target = location if location.startswith("file:") else tmp_path / location
    with pytest.raises(UnknownSource, match=r"no such|does not exist|no other machine"):
        FilesConnector(target)


# --- what is skipped ---


def test_skipped_with_reasons(folder: Path) -> None:
    (folder / "empty.md").touch()
    (folder / "photo.PNG").write_bytes(b"\x89PNG")
    (folder / "old.doc").write_bytes(b"x")
    (folder / "two\nlines.md").write_text("x")
    with (folder / "huge.txt").open("wb") as stream:
        stream.truncate(2 << 30)
    connector = FilesConnector(folder, suffixes=frozenset({".md", ".txt"}))
    assert skipped(connector) == {
        "empty.md": "the file is empty",
        "photo.PNG": "no parser for .png files",
        "old.doc": "no parser for .doc files: save it as DOCX or PDF",
        "two%0Alines.md": "the name has control characters such as a newline; rename it",
        "huge.txt": (
            "the file has 2,147,483,648 bytes, more than the 104,857,600 allowed; "
            "raise max_file_bytes"
        ),
    }
    assert len(names(connector)) == 4


def test_symbolic_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "p.md").write_text("private")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "outdir").symlink_to(tmp_path / "private")
    (folder / "loop").symlink_to(folder)
    (folder / "inside.md").symlink_to(folder / "a.md")
    (folder / "broken.md").symlink_to(folder / "nowhere")
    (folder / "self.md").symlink_to(folder / "self.md")
    connector = FilesConnector(folder)
    assert names(connector) == ["a.md", "b.md", "sub/c.md", "sub/deep/d.txt"]
    reasons = skipped(connector)
    assert "out of the folder" in reasons["out.txt"]
    assert "out of the folder" in reasons["outdir"]
    assert "within the folder" in reasons["loop"]
    assert "within the folder" in reasons["inside.md"]
    assert "nowhere" in reasons["broken.md"]
    assert "nowhere" in reasons["self.md"]


def test_a_link_that_was_named_is_followed(folder: Path, tmp_path: Path) -> None:
    link = tmp_path / "current.md"
    link.symlink_to(folder / "a.md")
    connector = FilesConnector(link)
    assert connector.source_uri == link.as_uri()
    assert connector.fetch(only(connector)).content == b"text of a.md"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_special_files_are_never_opened(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "pipe.md")
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.md")
        reasons = skipped(FilesConnector(folder))
    assert set(reasons) == {"pipe.md", "s.md"}
    assert all("not a regular file" in reason for reason in reasons.values())


def test_an_unlistable_folder_ends_the_listing_with_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    seen: list[str] = []
    with pytest.raises(TransientSourceError, match="1 folders could not be listed"):
        seen.extend(item.uri for item in FilesConnector(folder).discover())
    assert len(seen) == 2


# --- what is ignored ---


def test_ignored_files_and_folders_are_no_items(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".gitignore").write_text("b.md\nphoto.png\n")
    (folder / "photo.png").write_bytes(b"x")
    (folder / "sub" / ".ragmemignore").write_text("deep/\n")
    listed, scan = [], os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: [listed.append(Path(path).name), scan(path)][1])
    connector = FilesConnector(folder, suffixes=frozenset({".md", ".txt"}))
    assert names(connector) == ["a.md", "sub/c.md"]
    assert not skipped(connector)
    assert set(listed) == {"docs", "sub"}
    everything = FilesConnector(folder, ignore=("!deep",), use_gitignore=False)
    assert names(everything) == ["a.md", "b.md", "photo.png", "sub/c.md", "sub/deep/d.txt"]
    assert everything.source_uri == connector.source_uri


def test_what_is_ignored_is_read_when_it_is_named(folder: Path) -> None:
    (folder / ".gitignore").write_text("sub\n*.md\n")
    (folder / ".git").mkdir(exist_ok=True)
    assert names(FilesConnector(folder)) == []
    assert names(FilesConnector(folder / "a.md")) == ["a.md"]
    assert names(FilesConnector(folder / "sub")) == ["sub/c.md", "sub/deep/d.txt"]
    assert names(FilesConnector(f"{folder}/sub/*.md")) == ["sub/c.md"]


def test_unusable_rules_keep_their_folder_back_and_say_so(folder: Path) -> None:
    (folder / "sub" / ".gitignore").write_bytes(b"\xff\xfea\x00")
    seen: list[str] = []
    with pytest.raises(TransientSourceError, match="UTF-8") as caught:
        seen.extend(item.uri for item in FilesConnector(folder).discover())
    assert [uri.rpartition("/")[2] for uri in seen] == ["a.md", "b.md"]
    assert not caught.value.worth_waiting


def test_a_pattern_that_is_none(folder: Path) -> None:
    with pytest.raises(UsageError, match="what is no pattern"):
        FilesConnector(folder, ignore=("[",))


def test_which_changes_concern_it(folder: Path, tmp_path: Path) -> None:
    (folder / ".gitignore").write_text("*.log\nbuild/\n")
    (folder / "build").mkdir()
    (folder / "x.log").touch()
    (folder / "store").mkdir()
    (folder / "store" / "ragmem.db").touch()
    (tmp_path / "outside").mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    connector = FilesConnector(folder)
    assert (connector.watched_folder, connector.watches_subfolders) == (folder, True)
    for name in ("a.md", "gone.md", "sub", "sub/new/x.md", ".gitignore", "sub/.ragmemignore"):
        assert connector.concerns([folder / "x.log", folder / name]), name
    quiet = ("x.log", "build", "build/a/b.md", ".git/e.md", ".a.md.swp", "store/x.json", "link/a")
    assert not connector.concerns([folder / name for name in quiet])
    pattern = FilesConnector(f"{folder}/*.md")
    assert pattern.concerns([folder / "a.md"])
    assert not pattern.concerns([folder / "sub" / "c.md"])
    single = FilesConnector(folder / "a.md")
    assert not single.watches_subfolders
    assert single.concerns([folder / "b.md", folder / "a.md"])
    assert not single.concerns([folder / "b.md"])


# --- what is fetched ---


def test_metadata_and_fingerprint(folder: Path) -> None:
    os.utime(folder / "sub" / "c.md", ns=(10**18, 10**18 + 7))
    connector = FilesConnector(folder / "**" / "c.md")
    item = only(connector)
    assert item.fingerprint == "1000000000000000007-16"
    assert item.size_bytes == 16
    raw = connector.fetch(item)
    assert raw.modified_at is not None
    assert raw.modified_at.tzinfo is UTC
    assert raw.metadata == {
        "name": "c.md",
        "suffix": ".md",
        "folder": str(folder / "sub"),
        "modified_at": raw.modified_at.isoformat(),
    }


def test_the_same_document_in_two_sources_has_the_same_metadata(folder: Path) -> None:
    wide = {item.uri: item for item in FilesConnector(folder).discover()}
    for place in (folder / "sub", folder / "sub" / "c.md", f"{folder}/sub/*.md"):
        connector = FilesConnector(place)
        item = next(iter(connector.discover()))
        assert item == wide[item.uri]
        assert isinstance(item, SourceItem)
        assert connector.fetch(item) == FilesConnector(folder).fetch(item)


def test_an_edit_changes_the_fingerprint(folder: Path) -> None:
    connector = FilesConnector(folder / "a.md")
    before = only(connector).fingerprint
    (folder / "a.md").write_text("longer text of a")
    assert only(connector).fingerprint != before


def test_a_vanished_file(folder: Path) -> None:
    connector = FilesConnector(folder / "*a.md")
    item = only(connector)
    (folder / "a.md").unlink()
    with pytest.raises(TransientSourceError, match="vanished") as caught:
        connector.fetch(item)
    assert not caught.value.worth_waiting


def test_a_file_replaced_by_a_link_or_a_pipe(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    connector = FilesConnector(folder / "*a.md")
    item = only(connector)
    (folder / "a.md").unlink()
    (folder / "a.md").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(PermanentSourceError, match="out of the folder"):
        connector.fetch(item)
    (folder / "a.md").unlink()
    os.mkfifo(folder / "a.md")
    with pytest.raises(PermanentSourceError, match="another kind"):
        connector.fetch(item)


def test_a_file_that_grew_over_the_limit(folder: Path) -> None:
    connector = FilesConnector(folder / "*a.md", max_file_bytes=100)
    item = only(connector)
    (folder / "a.md").write_bytes(b"x" * 101)
    with pytest.raises(PermanentSourceError, match="101 bytes, more than the 100 allowed"):
        connector.fetch(item)


def test_a_file_that_changes_while_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = FilesConnector(folder / "*a.md")
    item = only(connector)
    status, calls = os.fstat, []

    def fstat(descriptor: int) -> os.stat_result:
        calls.append(descriptor)
        if len(calls) > 1:
            with (folder / "a.md").open("a") as stream:
                stream.write("more")
        return status(descriptor)

    monkeypatch.setattr(os, "fstat", fstat)
    with pytest.raises(TransientSourceError, match="changed while being read") as caught:
        connector.fetch(item)
    assert caught.value.worth_waiting


def test_an_unreadable_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connector = FilesConnector(folder / "*a.md")
    item = only(connector)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(TransientSourceError, match="permission denied") as caught:
        connector.fetch(item)
    assert not caught.value.worth_waiting


def test_only_what_lies_within_is_fetched(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    connector = FilesConnector(folder)
    for uri in ((tmp_path / "secret.txt").as_uri(), f"{folder.as_uri()}/../secret.txt"):
        with pytest.raises(PermanentSourceError, match=r"not within|out of the folder"):
            connector.fetch(SourceItem(uri=uri))


def test_a_store_within_the_folder_is_passed_over(folder: Path) -> None:
    (folder / "store" / "lexical").mkdir(parents=True)
    (folder / "store" / "ragmem.db").write_bytes(b"")
    (folder / "store" / "lexical" / "meta.json").write_text("{}")
    assert not any("meta.json" in name for name in names(FilesConnector(folder)))


def test_folders_nested_deeper_than_the_stack(tmp_path: Path) -> None:
    place = tmp_path / "deep"
    for _ in range(1_200):
        place.mkdir()
        place = place / "d"
    place.write_text("deep")
    assert len(list(FilesConnector(tmp_path).discover())) == 1
    # pytest's own cleaning up descends by recursion.
    subprocess.run(["rm", "-rf", tmp_path / "deep"], check=True)


def test_the_end_of_a_version_number_is_no_suffix(tmp_path: Path) -> None:
    (tmp_path / "Apache-2.0").write_text("the licence")
    connector = FilesConnector(tmp_path, suffixes=frozenset({""}))
    assert [uri.rsplit("/", 1)[1] for uri in names(connector)] == ["Apache-2.0"]
