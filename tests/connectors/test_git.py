import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from git_worlds import Repo, served

from connectors.git import GitConnector
from ragmem.connecting import connect
from ragmem.errors import (
    PermanentSourceError,
    SourceError,
    TransientSourceError,
    UnknownSource,
    UsageError,
)
from ragmem.types import RawDocument, SkippedItem, SourceDescription, SourceItem

TEXTS = frozenset({".md", ".txt", ".py", ".yml", ""})


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


def synced(connector: GitConnector, known: dict[str, str]) -> dict[str, RawDocument]:
    """What a run fetches: items in turns, those whose fingerprint is known left out."""
    fetched: dict[str, RawDocument] = {}
    listed: dict[str, str] = {}
    try:
        for item in connector.discover():
            if isinstance(item, SourceItem):
                if known.get(item.uri) != item.fingerprint:
                    raw = connector.fetch(item)
                    fetched[str(raw.metadata["path"])] = raw
                listed[item.uri] = item.fingerprint
    finally:
        connector.close()
    known.clear()
    known.update(listed)
    return fetched


def documents(connector: GitConnector) -> dict[str, RawDocument]:
    return synced(connector, {})


def skipped(connector: GitConnector) -> dict[str, str]:
    try:
        return {
            item.uri.partition("#")[2]: item.reason
            for item in connector.discover()
            if isinstance(item, SkippedItem)
        }
    finally:
        connector.close()


# --- locations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "uri"),
    [
        ("git+https://Example.org/a/b.git", "git+https://example.org/a/b.git"),
        ("git+https://example.org/a b/ü.git/", "git+https://example.org/a%20b/%C3%BC.git"),
        ("https://example.org:8443/a.git", "git+https://example.org:8443/a.git"),
        ("git@example.org:team/a.git", "git+ssh://git@example.org/team/a.git"),
        ("git+ssh://git@example.org/a.git", "git+ssh://git@example.org/a.git"),
        ("git://example.org/a.git", "git://example.org/a.git"),
        ("git+https://[::1]/a.git", "git+https://[::1]/a.git"),
    ],
)
def test_remote_locations(location: str, uri: str) -> None:
    connector = GitConnector(location)
    assert connector.source_uri == uri
    assert GitConnector(uri).source_uri == uri


def test_local_locations(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = f"git+{repo.folder.as_uri()}"
    for location in (repo.folder, str(repo.folder), uri, uri[4:], f"git://{repo.folder}"):
        assert GitConnector(location).source_uri == uri
    monkeypatch.chdir(repo.folder.parent)
    assert GitConnector("repo").source_uri == uri


@pytest.mark.parametrize(
    "location",
    [
        "git+ftp://example.org/a.git",
        "git+https://example.org",
        "git+https:///a.git",
        "git+ssh://-oProxyCommand=x/a.git",
        "git+ssh://-oProxyCommand=x@example.org/a.git",
        "git+https://example.org/a.git?x=1",
        "git+https://example.org:hunter2/a.git",
        "git+https://ana:hunter2/a@example.org/a.git",
        "git:ana:hunter2@example.org",
        "git+https:ana:hunter2@example.org",
        "git+file://elsewhere/a",
        "ext::sh -c touch",
        "no/such/folder",
        "git+https://example.org/a\n.git",
    ],
)
def test_what_is_no_location(location: str) -> None:
    with pytest.raises(UnknownSource) as caught:
        GitConnector(location)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "location",
    [
        "git+https://user:hunter2@example.org/a.git",
        "git+https://hunter2@example.org/a.git",
        "git+ssh://git:hunter2@example.org/a.git",
        "git+ssh://git%3Ahunter2@example.org/a.git",
        "git+ssh://git;x=hunter2@example.org/a.git",
        "git+ssh://git@hunter2@example.org/a.git",
        "https://:hunter2@example.org/a.git",
    ],
)
def test_secrets_in_locations_are_refused_and_not_repeated(location: str) -> None:
    with pytest.raises(UsageError, match="credential helper") as caught:
        GitConnector(location)
    assert "hunter2" not in str(caught.value)


def test_a_folder_inside_a_repository_names_the_top(repo: Repo) -> None:
    repo.write({"docs/a.md": "x"})
    with pytest.raises(UnknownSource, match="paths"):
        GitConnector(repo.folder / "docs")


def test_recognized_locations(repo: Repo, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repo.git("clone", "-q", "--bare", str(repo.folder), str(bare))
    recognized = ["git@example.org:a/b.git", "https://example.org/a.git", str(bare)]
    assert all(GitConnector.recognizes(location) for location in recognized)
    others = ["https://example.org/a", "docs", "a.git", "/etc/x.git", str(repo.folder), "C:\\a.git"]
    assert not any(GitConnector.recognizes(location) for location in others)


def test_found_by_name_and_by_scheme(repo: Repo) -> None:
    named = SourceDescription(
        location=str(repo.folder), connector="git", options={"paths": ["docs/"], "revision": "v1"}
    )
    assert isinstance(connect(named, defaults={"suffixes": TEXTS}), GitConnector)
    by_scheme = SourceDescription(location=f"git+{repo.folder.as_uri()}")
    assert isinstance(connect(by_scheme, defaults={}), GitConnector)
    with pytest.raises(UsageError, match="submodules"):
        connect(
            SourceDescription(location=named.location, connector="git", options={"x": 1}),
            defaults={},
        )


@pytest.mark.parametrize("revision", ["-x", "", " ", "a\nb", "--upload-pack=touch"])
def test_revisions_that_could_be_options_are_refused(repo: Repo, revision: str) -> None:
    with pytest.raises(UsageError, match="revision"):
        GitConnector(repo.folder, revision=revision)


def test_without_git(repo: Repo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repo.folder))
    with pytest.raises(UsageError, match="install it"):
        GitConnector(repo.folder)


# --- documents -----------------------------------------------------------------------------------


def test_a_document_knows_where_it_is_from(repo: Repo) -> None:
    repo.write({"docs/a#1 %.md": "# A\n", "b.txt": "b"})
    first = repo.commit("first", author="Zoë <zoe@example.org>")
    repo.write({"b.txt": "changed"})
    second = repo.commit("second")
    found = documents(GitConnector(repo.folder, suffixes=TEXTS))
    raw = found["docs/a#1 %.md"]
    assert raw.uri == f"git+{repo.folder.as_uri()}#docs/a%231%20%25.md"
    assert (raw.name, raw.content) == ("a#1 %.md", b"# A\n")
    assert raw.metadata == {
        "path": "docs/a#1 %.md",
        "folder": "docs",
        "name": "a#1 %.md",
        "suffix": ".md",
        "repository": "repo",
        "revision": "HEAD",
        "commit": first,
        "committed_at": "2024-01-02T10:00:00+00:00",
        "author": "Zoë",
        "author_email": "zoe@example.org",
    }
    assert raw.modified_at is not None
    assert raw.modified_at.isoformat() == "2024-01-02T10:00:00+00:00"
    assert found["b.txt"].metadata["commit"] == second


def test_the_next_sync_asks_git_only_for_what_changed(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo.write({f"docs/{i}.md": f"text {i}" for i in range(30)})
    repo.commit("first")
    asked = spied(tmp_path, monkeypatch)
    connector, known = GitConnector(repo.folder, suffixes=TEXTS), dict[str, str]()
    assert len(synced(connector, known)) == len(asked.read_text().split()) == 30
    asked.write_text("")
    repo.git("mv", "docs/1.md", "docs/new.md")
    repo.git("rm", "-q", "docs/2.md")
    repo.write({"docs/3.md": "other"})
    repo.commit("second")
    assert sorted(synced(connector, known)) == ["docs/3.md", "docs/new.md"]
    wanted = [repo.git("rev-parse", f"HEAD:docs/{name}.md") for name in ("3", "new")]
    assert sorted(asked.read_text().split()) == sorted(wanted)
    assert len(known) == 29
    asked.write_text("")
    assert synced(connector, known) == {}
    assert asked.read_text() == ""


def spied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a git on the path that writes down which contents are asked for."""
    asked, spy = tmp_path / "asked", tmp_path / "spy" / "git"
    spy.parent.mkdir()
    real = shutil.which("git")
    spy.write_text(
        f'#!/bin/sh\ncase "$*" in\n*cat-file*--batch*) tee -a {asked} | {real} "$@";;\n'
        f'*) exec {real} "$@";;\nesac\n'
    )
    spy.chmod(0o755)
    asked.touch()
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")
    return asked


def test_many_files_know_the_same_commits_as_each_by_itself(repo: Repo) -> None:
    repo.write({f"{i}.md": f"text {i}" for i in range(24)})
    repo.commit("first")
    for i in range(6):
        repo.write({f"{i}.md": f"changed {i}"})
        repo.commit(f"change {i}", author=f"Author {i} <{i}@example.org>")
    repo.git("mv", "9.md", "renamed.md")
    repo.commit("rename")
    repo.git("checkout", "-q", "-b", "side", "HEAD~3")
    repo.write({"10.md": "side", "11.md": "side\n"})
    repo.commit("side")
    repo.git("checkout", "-q", "main")
    repo.write({"11.md": "main\n"})
    repo.commit("main")
    with pytest.raises(subprocess.CalledProcessError):
        repo.git("merge", "-q", "side", "-m", "merge")
    repo.write({"11.md": "both\n"})
    merge = repo.commit("merge")
    found = documents(GitConnector(repo.folder, suffixes=TEXTS))
    assert len(found) == 24
    for path, raw in found.items():
        expected = repo.git("log", "-1", "--format=%H %an <%ae>", "--", path)
        said = raw.metadata
        assert f"{said['commit']} {said['author']} <{said['author_email']}>" == expected
    assert found["11.md"].metadata["commit"] == merge


def test_what_is_passed_over_and_what_is_named(repo: Repo) -> None:
    repo.write(
        {
            "a.md": "x",
            "empty.md": "",
            ".github/x.md": "x",
            "logo.png": "x",
            "letter.doc": "x",
            "big.txt": "x" * 101,
            "LICENSE": "free",
        }
    )
    repo.link("link.md", "/etc/passwd")
    repo.commit("first")
    connector = GitConnector(repo.folder, suffixes=TEXTS, max_file_bytes=100)
    assert sorted(documents(connector)) == ["LICENSE", "a.md"]
    reasons = skipped(connector)
    assert sorted(reasons) == ["big.txt", "letter.doc", "link.md"]
    assert "DOCX" in reasons["letter.doc"]
    assert "101 bytes" in reasons["big.txt"]
    item = SourceItem(uri=connector.source_uri + "#big.txt")
    with pytest.raises(PermanentSourceError, match="101 bytes"):
        connector.fetch(item)
    connector.close()


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("docs/",), ["docs/a.md", "docs/old/b.md"]),
        (("docs/", "!docs/old/*"), ["docs/a.md"]),
        (("*.yml",), [".github/ci.yml"]),
        (("/*.md", "src/**"), ["c.md", "src/d.md"]),
    ],
)
def test_paths(repo: Repo, paths: tuple[str, ...], expected: list[str]) -> None:
    names = ["docs/a.md", "docs/old/b.md", ".github/ci.yml", "c.md", "src/d.md"]
    repo.write(dict.fromkeys(names, "x"))
    repo.commit("first")
    assert sorted(documents(GitConnector(repo.folder, paths=paths))) == expected
    with pytest.raises(TransientSourceError, match="no file matches"):
        documents(GitConnector(repo.folder, paths=("nothing",)))


def test_names_that_are_no_text(repo: Repo) -> None:
    repo.write({"new\nline.md": "x", "tab\t.md": "x", " lead.md": "x", "ü.md": "x"})
    repo.write_bytes(b"latin-\xfc.md", "latin")
    repo.commit("first")
    connector = GitConnector(repo.folder, suffixes=TEXTS)
    found = documents(connector)
    assert sorted(found) == [" lead.md", "latin-\ufffd.md", "ü.md"]
    assert found["latin-\ufffd.md"].content == b"latin"
    assert found["latin-\ufffd.md"].uri.endswith("#latin-%FC.md")
    assert all("commit" in raw.metadata for raw in found.values())
    reasons = skipped(connector)
    assert sorted(reasons) == ["new%0Aline.md", "tab%09.md"]
    assert all("control characters" in reason for reason in reasons.values())


def test_git_lfs_pointers(repo: Repo) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    attributes = "*.txt filter=lfs diff=lfs merge=lfs -text\n"
    repo.write({"data/.gitattributes": attributes, "data/a.txt": pointer, "b.txt": pointer})
    repo.write({"data/c.md": "x", "d.txt": "no pointer"})
    # Without the LFS program, git would not add what its attributes ask it to filter.
    repo.git("config", "filter.lfs.required", "false")
    repo.commit("first")
    connector = GitConnector(repo.folder, suffixes=TEXTS)
    assert list(skipped(connector)) == ["data/a.txt"]
    with pytest.raises(PermanentSourceError, match="LFS"):
        connector.fetch(SourceItem(uri=f"{connector.source_uri}#b.txt"))
    assert connector.fetch(SourceItem(uri=f"{connector.source_uri}#d.txt")).content == b"no pointer"
    connector.close()


# --- revisions -----------------------------------------------------------------------------------


def test_revisions(repo: Repo) -> None:
    repo.write({"a.md": "one"})
    first = repo.commit("first")
    repo.git("tag", "-a", "v1", "-m", "one")
    repo.write({"a.md": "two"})
    repo.commit("second")
    repo.git("checkout", "-q", "-b", "topic/x")
    repo.write({"a.md": "three"})
    repo.commit("third")
    repo.git("checkout", "-q", first)
    repo.write({"a.md": "not committed"})
    wanted = {"HEAD": b"one", "v1": b"one", "main": b"two", "topic/x": b"three", first[:9]: b"one"}
    uris = set()
    for revision, content in wanted.items():
        (raw,) = documents(GitConnector(repo.folder, revision=revision)).values()
        assert raw.content == content
        uris.add(raw.uri)
    assert len(uris) == 1
    with pytest.raises(PermanentSourceError, match=r"'v2'; there are main, topic/x, v1"):
        list(GitConnector(repo.folder, revision="v2").discover())


def test_a_repository_without_commits_is_empty(repo: Repo) -> None:
    assert documents(GitConnector(repo.folder)) == {}
    with pytest.raises(SourceError):
        GitConnector(repo.folder).fetch(SourceItem(uri=f"git+{repo.folder.as_uri()}#a"))


def test_kinds_of_repositories(repo: Repo, tmp_path: Path) -> None:
    repo.write({"a.md": "one"})
    repo.commit("first")
    repo.write({"a.md": "two", "b.md": "b"})
    repo.commit("second")
    repo.git("clone", "-q", "--bare", str(repo.folder), str(tmp_path / "bare.git"))
    repo.git("clone", "-q", "--depth=1", repo.folder.as_uri(), str(tmp_path / "shallow"))
    repo.git("worktree", "add", "-q", "-b", "w", str(tmp_path / "worktree"))
    for name in ("bare.git", "shallow", "worktree"):
        found = documents(GitConnector(tmp_path / name, allow_outside=name == "worktree"))
        assert {path: raw.content for path, raw in found.items()} == {"a.md": b"two", "b.md": b"b"}
        assert found["a.md"].metadata["author"] == "Bo Author"
        assert found["a.md"].metadata["repository"] == name.removesuffix(".git")


def with_outside(repo: Repo, folder: Path, how: str) -> None:
    """A folder that names itself a repository and holds another's objects."""
    git = repo.folder / ".git"
    folder.mkdir()
    own = folder / ".git"
    if how == "gitfile":
        own.write_text(f"gitdir: {git}\n")
        return
    if how == "link":
        own.symlink_to(git)
        return
    Repo(folder / "x").folder.joinpath(".git").rename(own)
    own.joinpath("HEAD").write_text(f"{repo.git('rev-parse', 'HEAD')}\n")
    objects = own / "objects"
    if how == "commondir":
        own.joinpath("commondir").write_text("../../repo/.git\n")
    elif how == "alternates":
        objects.joinpath("info", "alternates").write_text(f"# x\n{git}/objects\n")
    elif how == "relative":
        objects.joinpath("info", "alternates").write_text("../../../repo/.git/objects\n")
    elif how == "quoted":
        objects.joinpath("info", "alternates").write_text(f'"{git}/objects"\n')
    elif how == "chain":
        inner = own / "inner"
        (inner / "info").mkdir(parents=True)
        objects.joinpath("info", "alternates").write_text(f"{inner}\n")
        inner.joinpath("info", "alternates").write_text(f"{git}/objects\n")
    else:
        shutil.rmtree(objects if how == "objects" else objects / how)
        target = git / "objects" / ("" if how == "objects" else how)
        (objects if how == "objects" else objects / how).symlink_to(target)


@pytest.mark.parametrize(
    "how",
    [
        "gitfile", "link", "commondir", "alternates", "relative", "quoted", "chain",
        "objects", "pack",
    ],
)  # fmt: skip
def test_another_repository_is_read_only_where_that_is_allowed(
    repo: Repo, tmp_path: Path, how: str
) -> None:
    repo.write({"a.md": "secret"})
    repo.commit("first")
    repo.git("repack", "-a", "-d", "-q")
    folder = tmp_path / "hostile"
    with_outside(repo, folder, how)
    with pytest.raises(PermanentSourceError, match=r"outside of .*option allow_outside"):
        documents(GitConnector(folder))
    (raw,) = documents(GitConnector(folder, allow_outside=True)).values()
    assert raw.content == b"secret"


def test_what_leads_to_a_place_inside_is_read(repo: Repo, tmp_path: Path) -> None:
    repo.write({"a.md": "x"})
    repo.commit("first")
    objects = repo.folder / ".git" / "objects"
    objects.rename(repo.folder / ".git" / "elsewhere")
    (objects / "info").mkdir(parents=True)
    (objects / "info" / "alternates").write_text("../elsewhere\n")
    (repo.folder / ".git").rename(repo.folder / "hidden")
    (repo.folder / ".git").write_text("gitdir: hidden\n")
    linked = tmp_path / "linked"
    linked.symlink_to(repo.folder)
    for folder in (repo.folder, linked):
        assert list(documents(GitConnector(folder))) == ["a.md"]


def test_sha256_repositories(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "long", init=False)
    repo.folder.mkdir()
    repo.git("init", "-q", "--object-format=sha256")
    repo.write({"a.md": "x"})
    commit = repo.commit("first")
    (raw,) = documents(GitConnector(repo.folder)).values()
    assert raw.metadata["commit"] == commit
    assert len(commit) == 64


def test_lost_objects_fail_one_item_or_the_listing(repo: Repo) -> None:
    repo.write({"a.md": "one", "b/c.md": "two"})
    repo.commit("first")

    def lose(name: str) -> None:
        sha = repo.git("rev-parse", name)
        (repo.folder / ".git" / "objects" / sha[:2] / sha[2:]).unlink()

    lose("HEAD:a.md")
    connector = GitConnector(repo.folder)
    items = [item for item in connector.discover() if isinstance(item, SourceItem)]
    with pytest.raises(TransientSourceError, match="git fsck"):
        connector.fetch(items[0])
    assert connector.fetch(items[1]).content == b"two"
    lose("HEAD:b")
    with pytest.raises(SourceError):
        list(connector.discover())
    connector.close()


# --- hostile repositories ------------------------------------------------------------------------


def test_nothing_in_a_repository_runs_a_program(repo: Repo, tmp_path: Path) -> None:
    repo.write({".gitattributes": "* diff=evil filter=evil\n", "a.md": "one", "b.md": "b"})
    repo.commit("first")
    repo.write({"a.md": "two"})
    repo.commit("second")
    ran, evil = tmp_path / "ran", tmp_path / "evil"
    evil.write_text(f'#!/bin/sh\necho "$0 $@" >> {ran}\ncat\n')
    evil.chmod(0o755)
    settings = (
        "core.fsmonitor core.sshCommand core.pager core.editor core.askPass core.gitProxy "
        "diff.external diff.evil.command diff.evil.textconv filter.evil.clean filter.evil.smudge "
        "filter.evil.process gpg.program credential.helper uploadpack.packObjectsHook "
        "core.alternateRefsCommand pager.log sequence.editor interactive.diffFilter"
    )
    for key in settings.split():
        repo.git("config", key, str(evil))
    repo.git("config", "log.showSignature", "true")
    repo.git("config", "core.hooksPath", str(tmp_path))
    repo.git("config", "alias.log", f"!{evil}")
    repo.git("config", "extensions.partialClone", "origin")
    repo.git("config", "remote.origin.url", f"ext::{evil}")
    repo.git("config", "remote.origin.promisor", "true")
    repo.git("diff", "HEAD~1")
    assert ran.exists()
    ran.unlink()
    sha = repo.git("rev-parse", "HEAD:b.md")
    (repo.folder / ".git" / "objects" / sha[:2] / sha[2:]).unlink()
    connector = GitConnector(repo.folder, paths=("a.md", "b.md"))
    items = {str(item.uri)[-4:]: item for item in connector.discover()}
    item = items["a.md"]
    assert isinstance(item, SourceItem)
    assert connector.fetch(item).content == b"two"
    lost = items["b.md"]
    assert isinstance(lost, SourceItem)
    with pytest.raises(SourceError):
        connector.fetch(lost)
    with pytest.raises(SourceError):
        list(GitConnector(repo.folder, revision="nothing").discover())
    connector.close()
    assert not ran.exists()


def test_replaced_objects_and_options_in_paths_are_taken_literally(repo: Repo) -> None:
    repo.write({"--output=x.md": "x", ":(exclude)a.md": "y", "a.md": "one"})
    commit = repo.commit("first")
    repo.write({"z.md": "z"})
    other = repo.commit("second")
    repo.git("replace", other, commit)
    found = documents(GitConnector(repo.folder))
    assert len(found) == 4
    assert {raw.metadata["commit"] for raw in found.values()} == {commit, other}
    assert not (repo.folder / "x.md").exists()


def test_authors_cannot_forge_the_log(repo: Repo) -> None:
    repo.write({f"{i}.md": "x" for i in range(12)})
    repo.commit("subject\n\nbody\x1f\n", author="A\x1fB\tC <e@example.org>")
    for raw in documents(GitConnector(repo.folder)).values():
        assert len(str(raw.metadata["commit"])) == 40
        assert str(raw.metadata["author"]).isprintable()
        assert raw.modified_at is not None


# --- submodules ----------------------------------------------------------------------------------


def with_submodule(outer: Repo, inner: Repo | str, path: str) -> None:
    url = inner if isinstance(inner, str) else str(inner.folder)
    outer.git("submodule", "--quiet", "add", url, path)
    outer.commit(f"add {path}")


def test_submodules_are_followed_only_when_asked(repo: Repo, tmp_path: Path) -> None:
    inner = Repo(tmp_path / "inner")
    inner.write({"in.md": "inside", "x/.gitkeep": ""})
    commit = inner.commit("inner", author="In Ner <in@example.org>")
    repo.write({"out.md": "outside"})
    repo.commit("first")
    with_submodule(repo, inner, "libs/inner")
    assert list(documents(GitConnector(repo.folder))) == ["out.md"]
    assert "submodule" in skipped(GitConnector(repo.folder))["libs/inner"]
    assert skipped(GitConnector(repo.folder, paths=("*.md",))) == {}
    for checked_out in (True, False):
        if not checked_out:
            shutil.rmtree(repo.folder / ".git" / "modules")
            with pytest.raises(TransientSourceError, match="allow_outside"):
                documents(GitConnector(repo.folder, submodules=True))
        connector = GitConnector(repo.folder, submodules=True, allow_outside=not checked_out)
        found = documents(connector)
        assert sorted(found) == ["libs/inner/in.md", "out.md"]
        raw = found["libs/inner/in.md"]
        assert (raw.content, raw.metadata["commit"]) == (b"inside", commit)
        assert raw.metadata["author"] == "In Ner"
    shutil.rmtree(inner.folder)
    connector = GitConnector(repo.folder, submodules=True)
    listed = connector.discover()
    assert isinstance(next(listed), SourceItem)
    with pytest.raises(TransientSourceError, match=r"nothing is taken as deleted: libs/inner"):
        list(listed)
    connector.close()


def test_submodule_loops_end(repo: Repo, tmp_path: Path) -> None:
    other = Repo(tmp_path / "other")
    for each in (repo, other):
        each.write({"a.md": each.folder.name})
        each.commit("first")
    with_submodule(repo, repo, "self")
    with_submodule(other, repo, "repo")
    with_submodule(repo, other, "other")
    connector = GitConnector(repo.folder, submodules=True)
    assert sorted(documents(connector)) == ["a.md", "other/a.md"]
    reasons = skipped(connector)
    assert sorted(reasons) == ["other/repo", "self"]
    assert all("leads back" in reason for reason in reasons.values())


@pytest.mark.parametrize(
    "url", ["ext::touch ran", "-x", "git+https://a:b@example.org/x.git", "/no"]
)
def test_urls_in_gitmodules_are_checked(repo: Repo, url: str) -> None:
    modules = f'[submodule "m"]\n\tpath = m\n\turl = {url}\n[submodule "../../x"]\n\tpath = n\n'
    repo.write({".gitmodules": modules, "a.md": "a"})
    repo.commit("first")
    for path in ("m", "n"):
        cache = f"160000,{repo.git('rev-parse', 'HEAD')},{path}"
        repo.git("update-index", "--add", "--cacheinfo", cache)
    repo.git("commit", "-q", "-m", "second")
    connector = GitConnector(repo.folder, submodules=True)
    found: list[SourceItem | SkippedItem] = []
    with pytest.raises(TransientSourceError, match="1 submodules"):
        found.extend(connector.discover())
    assert connector.fetch(SourceItem(uri=f"{connector.source_uri}#a.md")).content == b"a"
    connector.close()


def with_declared_submodule(repo: Repo, url: str, path: str = "m") -> None:
    """A submodule that was not checked out."""
    repo.write({".gitmodules": f'[submodule "m"]\n\tpath = {path}\n\turl = {url}\n', "a.md": "a"})
    sha = repo.commit("first")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{sha},{path}")
    repo.git("commit", "-q", "-m", "second")


def test_submodules_in_the_named_folder_are_read(repo: Repo) -> None:
    inner = Repo(repo.folder / "parts" / "inner")
    inner.write({"in.md": "inside"})
    inner.commit("inner")
    repo.write({".gitmodules": '[submodule "m"]\n\tpath = m\n\turl = ./parts/inner\n'})
    repo.git("add", ".gitmodules")
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{inner.git('rev-parse', 'HEAD')},m")
    repo.git("commit", "-q", "-m", "first")
    assert list(documents(GitConnector(repo.folder, submodules=True))) == ["m/in.md"]


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:1/x.git", "http://2130706433:1/x", "git://[::1]:1/x",
        "git+ssh://127.1/x", "https://169.254.169.254/x", "https://168.63.129.16/x.git",
        "git@127.0.0.1:x.git",
    ],
)  # fmt: skip
def test_submodules_at_private_addresses_are_not_asked(
    repo: Repo, tmp_path: Path, url: str
) -> None:
    with_declared_submodule(repo, url)
    cache = tmp_path / "cache"
    connector = GitConnector(repo.folder, submodules=True, cache_folder=str(cache))
    with pytest.raises(TransientSourceError, match=r"no public address.*allow_hosts"):
        documents(connector)
    assert not cache.exists()


def test_a_submodule_is_read_only_where_its_address_says(repo: Repo, tmp_path: Path) -> None:
    asked: list[str] = []

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(301)
            self.send_header("Location", f"/elsewhere{self.path}")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Redirecting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        with_declared_submodule(repo, f"http://{host}/x.git")
        connector = GitConnector(
            repo.folder, submodules=True, allow_hosts=(host,), cache_folder=str(tmp_path / "cache")
        )
        with pytest.raises(TransientSourceError, match="redirect"):
            documents(connector)
        server.shutdown()
    assert asked
    assert not any(path.startswith("/elsewhere") for path in asked)


# --- remotes -------------------------------------------------------------------------------------


@pytest.fixture
def remote(repo: Repo, tmp_path: Path) -> Iterator[str]:
    with served(tmp_path) as url:
        yield f"{url}/repo/.git"


def test_a_remote_is_fetched_anew_at_each_run(repo: Repo, remote: str, tmp_path: Path) -> None:
    connector = GitConnector(remote, cache_folder=str(tmp_path / "cache"))
    known: dict[str, str] = {}
    assert synced(connector, known) == {}
    repo.write({"a.md": "one", "b.md": "b"})
    first = repo.commit("first")
    found = synced(connector, known)
    assert {path: raw.content for path, raw in found.items()} == {"a.md": b"one", "b.md": b"b"}
    assert found["a.md"].metadata["commit"] == first
    assert found["a.md"].metadata["repository"] == "repo"
    repo.write({"a.md": "two"})
    repo.commit("second")
    assert list(synced(connector, known)) == ["a.md"]
    # Forced back to another history.
    repo.git("reset", "-q", "--hard", first)
    repo.write({"c.md": "c"})
    repo.commit("other")
    found = synced(connector, known)
    assert {path: raw.content for path, raw in found.items()} == {"a.md": b"one", "c.md": b"c"}
    repo.git("branch", "side")
    side = GitConnector(remote, revision="side", cache_folder=str(tmp_path / "cache"))
    assert len(documents(side)) == 3
    repo.git("branch", "-D", "side")
    with pytest.raises(PermanentSourceError, match="there are main"):
        list(side.discover())


@pytest.mark.parametrize("broken", ["HEAD", "objects", "config", "refs", "refs/heads/main"])
def test_a_broken_copy_is_made_anew(repo: Repo, remote: str, tmp_path: Path, broken: str) -> None:
    repo.write({"a.md": "one"})
    repo.commit("first")
    cache = tmp_path / "cache"
    connector = GitConnector(remote, cache_folder=str(cache))
    assert len(documents(connector)) == 1
    (copy,) = cache.glob("*.git")
    place = copy / broken
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.write_text("gibberish")
    repo.write({"b.md": "two"})
    repo.commit("second")
    assert len(documents(connector)) == 2
    assert [path.suffix for path in sorted(cache.iterdir())] == [".git", ".lock"]


def test_an_unreachable_remote_is_transient(repo: Repo, remote: str, tmp_path: Path) -> None:
    with served(tmp_path) as gone:
        pass
    connector = GitConnector(f"{gone}/repo/.git", cache_folder=str(tmp_path / "cache"))
    with pytest.raises(TransientSourceError, match="cannot be reached"):
        list(connector.discover())
    assert not list((tmp_path / "cache").glob("*.git"))
    absent = GitConnector(f"{remote}x", cache_folder=str(tmp_path / "cache"))
    with pytest.raises(PermanentSourceError, match="no repository"):
        list(absent.discover())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, PermanentSourceError),
        (403, PermanentSourceError),
        (404, PermanentSourceError),
        (503, TransientSourceError),
    ],
)
def test_what_a_web_server_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[SourceError]
) -> None:
    class Refuses(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Refuses) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"git+http://127.0.0.1:{server.server_port}/a.git"
        try:
            with pytest.raises(kind) as caught:
                list(GitConnector(url, cache_folder=str(tmp_path / "cache")).discover())
        finally:
            server.shutdown()
            thread.join()
    if status == 401:
        assert "credential helper" in str(caught.value)


def test_a_remote_cannot_name_folders_of_this_machine(
    repo: Repo, remote: str, tmp_path: Path
) -> None:
    secret = Repo(tmp_path / "secret")
    secret.write({"s.md": "secret"})
    secret.commit("first")
    relative = Repo(tmp_path / "sibling")
    relative.write({"r.md": "related"})
    relative.commit("first")
    with_submodule(repo, secret, "absolute")
    with_submodule(repo, relative, "near")
    modules = repo.folder / ".gitmodules"
    modules.write_text(modules.read_text().replace(str(relative.folder), "../../sibling/.git"))
    repo.commit("relative")
    connector = GitConnector(remote, submodules=True, cache_folder=str(tmp_path / "cache"))
    found: list[SourceItem | SkippedItem] = []
    with pytest.raises(TransientSourceError, match="of this machine"):
        found.extend(connector.discover())
    assert [item.uri.partition("#")[2] for item in found] == ["near/r.md"]
    assert isinstance(found[0], SourceItem)
    assert connector.fetch(found[0]).content == b"related"
    connector.close()


def test_a_cache_folder_that_cannot_be_written(remote: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    connector = GitConnector(remote, cache_folder=str(tmp_path / "file"))
    with pytest.raises(TransientSourceError, match="cache_folder"):
        list(connector.discover())


def test_nothing_is_left_behind(
    repo: Repo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    repo.write({f"{i}.md": str(i) for i in range(20)})
    repo.commit("first")
    before = {path: path.stat().st_mtime_ns for path in (repo.folder / ".git").rglob("*")}
    connector = GitConnector(repo.folder)
    listed = connector.discover()
    for _ in range(12):
        item = next(listed)
        assert isinstance(item, SourceItem)
        connector.fetch(item)
    assert list(scratch.iterdir())
    listed.close()  # type: ignore[attr-defined]
    connector.close()
    del connector, listed
    assert not list(scratch.iterdir())
    assert {path: path.stat().st_mtime_ns for path in (repo.folder / ".git").rglob("*")} == before
    assert stat.S_ISDIR((repo.folder / ".git").stat().st_mode)
