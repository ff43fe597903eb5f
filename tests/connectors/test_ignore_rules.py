"""Ignore rules, judged against git itself."""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.ignore_patterns import rule_of
from connectors.ignore_rules import IgnoreRules
from ragmem.errors import TransientSourceError, UsageError

NAMES = ["a", "b", "ab", "a.md", "b.log", "A.md", "x]y", "foo bar", "#c", "!d", "a\\b", "é", "a-b"]
WORDS = [
    *("a", "b", "ab", "foo", "*", "**", "*.md", "*.log", "?", "a?", "*a*", "a*b", "[ab]", "[!a]*"),
    *("[^b]", "[]x]*", "x[]]y", "[a-c]", "[c-a]", "[[:alpha:]]", "[![:upper:]]*", "[a\\-]*"),
    *("\\a", "\\#c", "\\!d", "#c", "!d", "foo\\ bar", "foo bar", "é", "?.md", "**a"),
    *("[[:nope:]]", "a\\\\b", "[\\\\a]*", "[+--]*", "a[+--]b", "*?", "[[:digit:][:lower:]]"),
]
ENDS = ["", "", "", "", "/", " ", "  ", "\\ ", "\r", "/**", "/*", "//", "\\", "[", "*[a"]


def pattern(chance: random.Random) -> str:
    middle = "/".join(chance.choices(WORDS, k=chance.choice([1, 1, 1, 2, 2, 3])))
    start = chance.choice(["", "", "", "", "/", "**/", "!", "!", "!/"])
    return start + middle + chance.choice(ENDS)


def ignored_by_git(top: Path, files: list[Path]) -> set[Path]:
    told = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        input=b"\0".join(os.fsencode(path.relative_to(top)) for path in files),
        cwd=top,
        capture_output=True,
        check=False,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert told.returncode in (0, 1), told.stderr
    return {top / os.fsdecode(name) for name in told.stdout.split(b"\0") if name}


def walk(folder: Path, rules: IgnoreRules) -> Iterator[Path]:
    rules = rules.inside(folder)
    for entry in os.scandir(folder):
        is_folder = entry.is_dir()
        if entry.name.startswith(".") or rules.ignores(entry.path, is_folder=is_folder):
            continue
        if is_folder:
            yield from walk(Path(entry.path), rules)
        else:
            yield Path(entry.path)


def inherited(root: Path, *patterns: str, use_gitignore: bool = True) -> IgnoreRules:
    return IgnoreRules.of(root, patterns=patterns, use_gitignore=use_gitignore).inherited(root)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    top = tmp_path / "repository"
    top.mkdir()
    subprocess.run(["git", "init", "-q", top], check=True)
    return top


def plant(folder: Path, depth: int) -> Iterator[Path]:
    for name in NAMES:
        if depth and name in ("a", "b", "ab", "foo bar", "A.md"):
            (folder / name).mkdir()
            yield from plant(folder / name, depth - 1)
        else:
            (folder / name).touch()
            yield folder / name


@pytest.mark.skipif(os.name != "posix", reason="the names are no names elsewhere")
def test_the_same_files_as_git(repository: Path) -> None:
    files = list(plant(repository, 2))
    folders = [folder for folder in {path.parent for path in files} if folder != repository]
    for seed in range(150):
        chance = random.Random(seed)
        places = [repository, *chance.sample(sorted(folders), 3)]
        exclude = repository / ".git" / "info" / "exclude"
        for place in (*(folder / ".gitignore" for folder in places), exclude):
            lines = [pattern(chance) for _ in range(chance.randint(0, 4))]
            place.write_bytes("\n".join(lines).encode())
        expected = set(files) - ignored_by_git(repository, files)
        found = set(walk(repository, inherited(repository)))
        rules = {str(p): (p / ".gitignore").read_text() for p in places}
        assert found == expected, (seed, rules, exclude.read_text())
        for folder in places[1:]:
            (folder / ".gitignore").unlink()


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*a" * 30 + "*b", "a" * 250),
        ("[^b]*" * 30 + "c", "a" * 250),
        ("**/" + "*/" * 40 + "**/x", "a/" * 120 + "a"),
        ("**/a/**/a/**/b", "a/" * 120 + "a"),
    ],
)
def test_costly_patterns_are_judged_at_once(pattern: str, name: str) -> None:
    began = time.perf_counter()
    rule = rule_of(pattern.encode())
    assert rule is not None
    assert not rule.matches(name.encode(), is_folder=False)
    assert time.perf_counter() - began < 0.5


def show(root: Path, *patterns: str, use_gitignore: bool = True) -> list[str]:
    found = walk(root, inherited(root, *patterns, use_gitignore=use_gitignore))
    return sorted(path.relative_to(root).as_posix() for path in found)


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    root = tmp_path / "notes"
    for name in ("a.md", "b.log", "drafts/c.md", "drafts/d.log"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_the_callers_patterns_then_ours_then_gits(notes: Path) -> None:
    (notes / "drafts" / ".gitignore").write_text("!*.log\n*.md\n")
    (notes / ".gitignore").write_text("*.log\n")
    assert show(notes) == ["a.md", "drafts/d.log"]
    assert show(notes, use_gitignore=False) == ["a.md", "b.log", "drafts/c.md", "drafts/d.log"]
    (notes / ".ragmemignore").write_text("!c.md\n/a.md\n")
    assert show(notes) == ["drafts/c.md", "drafts/d.log"]
    assert show(notes, use_gitignore=False) == ["b.log", "drafts/c.md", "drafts/d.log"]
    assert show(notes, "!a.md", "drafts/") == ["a.md"]


def test_rules_above_count_within_a_repository_only(notes: Path) -> None:
    (notes.parent / ".gitignore").write_text("*.log\n/notes/drafts/c.md\n")
    assert show(notes) == ["a.md", "b.log", "drafts/c.md", "drafts/d.log"]
    (notes.parent / ".git").mkdir()
    assert show(notes) == ["a.md"]
    assert show(notes / "drafts") == []
    assert show(notes, use_gitignore=False) == ["a.md", "b.log", "drafts/c.md", "drafts/d.log"]


def test_an_ignored_folder_that_is_named_has_its_own_rules(notes: Path) -> None:
    (notes.parent / ".git").mkdir()
    (notes.parent / ".gitignore").write_text("/notes\n*.log\n")
    (notes / ".gitignore").write_text("a.md\n")
    assert show(notes) == ["b.log", "drafts/c.md", "drafts/d.log"]
    assert show(notes / "drafts", "c.*") == ["d.log"]


def test_byte_order_mark_line_ends_and_foreign_bytes(notes: Path) -> None:
    (notes / ".gitignore").write_bytes(b"\xef\xbb\xbfa.md\r\n\x0b\xe9\x85\xff[\n*.log  \r")
    assert show(notes) == ["drafts/c.md"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("kind", ["huge", "utf-16", "folder", "pipe", "link", "costly"])
def test_rules_that_cannot_be_used_keep_everything_back(notes: Path, kind: str) -> None:
    rules = notes / ".ragmemignore"
    if kind == "folder":
        rules.mkdir()
    elif kind == "pipe":
        os.mkfifo(rules)
    elif kind == "link":
        rules.symlink_to(notes / "a.md")
    else:
        contents = {
            "huge": b"x\n" * 600_000,
            "utf-16": "*.log\n".encode("utf-16"),
            "costly": b"**/a/" * 20,
        }
        rules.write_bytes(contents[kind])
    with pytest.raises(TransientSourceError, match=r"\.ragmemignore: these rules cannot") as caught:
        show(notes)
    assert not caught.value.worth_waiting


@pytest.mark.parametrize("pattern", ["", "# no", "[a", "a\\", "**/a/**/b/**/c/**/d", "!"])
def test_a_pattern_of_the_caller_that_is_none(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(UsageError, match="ignore: "):
        inherited(tmp_path, "*.log", pattern)
